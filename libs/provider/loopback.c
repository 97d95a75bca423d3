/* loopback.c - the carrier of test apps: no network, the whole pipeline.
 *
 * It takes a while (settable), gives provider ids and calls back like any other. What it does is decided by the recipient's number alone, so that a user can
 * provoke each failure. It holds nothing: a send that may have been made can be made again, since the provider id follows from our token. */
#include "gen/provider.h"
#include "provider/provider.h"
#include <stdio.h>
#include <string.h>

static const loopback_rule_t specials[] = {
    {MAGIC_REFUSED, NULL, "+99930001", "WhatsApp: the number has no WhatsApp account."},
    {MAGIC_ANSWER_LOST, NULL, "+99930002",
     "The carrier takes the message, its answer gets lost, its receipts come."},
    {MAGIC_SILENT, NULL, "+99930003",
     "The carrier's answer gets lost and nothing is heard any more."},
    {MAGIC_EARLY_RECEIPT, NULL, "+99930004",
     "The carrier reports delivery before it answers the send."},
    {MAGIC_SENT_ONLY, NULL, "+99930005", "The carrier takes the message and never reports on it."},
};

static const provider_fault_t not_on_whatsapp = {E_RECIPIENT_NOT_ON_WHATSAPP, "meta", "131026",
                                                 "Message undeliverable",
                                                 "The number has no WhatsApp account."};

const loopback_rule_t *loopback_specials (size_t *count)
{
    *count = sizeof specials / sizeof *specials;
    return specials;
}

void loopback_number (const provider_fault_t *fault, char out[24])
{
    snprintf (out, 24, "+999%c%s", strcmp (fault->source, "meta") == 0 ? '2' : '1', fault->native);
}

/* Faults that a carrier tells in its answer; the others come in a receipt. */
static bool is_told_at_once (const provider_fault_t *fault)
{
    return fault->code != E_MESSAGE_UNDELIVERABLE;
}

static loopback_rule_t rule_of_code (bool whatsapp, const char *native)
{
    const provider_fault_t *fault = provider_fault (whatsapp, native);
    if (*native == '\0' || strcmp (fault->native, native) != 0)
        return (loopback_rule_t){0};
    loopback_rule_t rule = {is_told_at_once (fault) ? MAGIC_REFUSED : MAGIC_FAILED, fault, NULL,
                            fault->text};
    if (fault->code == E_CONVERSATION_WINDOW_EXPIRED)
        rule.magic = MAGIC_WINDOW_CLOSED;
    return rule;
}

loopback_rule_t loopback_rule (bool whatsapp, const char *to)
{
    if (strncmp (to, "+999", 4) != 0)
        return (loopback_rule_t){0};
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (strcmp (specials[i].number, to) == 0) {
            loopback_rule_t rule = specials[i];
            if (rule.magic == MAGIC_REFUSED)
                rule.fault = &not_on_whatsapp;
            return rule.magic == MAGIC_REFUSED && !whatsapp ? (loopback_rule_t){0} : rule;
        }
    if (to[4] == (whatsapp ? '2' : '1'))
        return rule_of_code (whatsapp, to + 5);
    return (loopback_rule_t){0};
}

static int loopback_send (turn_t *t, const provider_message_t *message, outbound_t *out)
{
    loopback_rule_t rule = loopback_rule (message->whatsapp, message->to);
    provider_loopback_answer_t answer = {.word = PROVIDER_LOOPBACK_WORD_ACCEPTED,
                                         .whatsapp = message->whatsapp};
    bool closed = rule.magic == MAGIC_WINDOW_CLOSED && message->kind != MESSAGING_KIND_TEMPLATE;
    if (rule.magic == MAGIC_REFUSED || closed) {
        answer.word = PROVIDER_LOOPBACK_WORD_REFUSED;
        answer.code = rule.fault == &not_on_whatsapp ? "not_on_whatsapp" : rule.fault->native;
    }
    if (rule.magic == MAGIC_ANSWER_LOST || rule.magic == MAGIC_SILENT)
        answer.word = PROVIDER_LOOPBACK_WORD_SILENT;
    char id[ID_UUID_LENGTH + 1];
    id_write_uuid (message->token, id);
    answer.provider_id = arena_join (t->arena, "lb-", id);
    buf_t body = buf_in (t->arena);
    schema_pack (&provider_loopback_answer_type, &answer, &body);
    if (buf_failed (&body))
        return fail (t, E_NO_MEMORY, NULL, "No memory for the loopback carrier");
    out->how = OUT_WAIT;
    out->wait_ms = message->delay_ms;
    out->body = buf_bytes (&body);
    return 0;
}

static void loopback_answer (turn_t *t, const outcome_t *outcome, provider_result_t *out)
{
    provider_loopback_answer_t answer = {0};
    *out = (provider_result_t){.word = PROVIDER_RETRY};
    if (outcome->stage != FETCH_ANSWERED ||
        schema_unpack (&provider_loopback_answer_type, outcome->body, t->arena, &answer, NULL))
        return;
    if (answer.word == PROVIDER_LOOPBACK_WORD_SILENT) {
        out->word = PROVIDER_UNKNOWN;
        return;
    }
    if (answer.word == PROVIDER_LOOPBACK_WORD_REFUSED) {
        out->word = PROVIDER_REFUSED;
        const char *code = answer.code ? answer.code : "";
        out->fault = strcmp (code, "not_on_whatsapp") == 0 ? &not_on_whatsapp
                                                           : provider_fault (answer.whatsapp, code);
        return;
    }
    out->word = PROVIDER_ACCEPTED;
    out->ids[0] = answer.provider_id;
    out->id_count = 1;
}

static int loopback_parse (turn_t *t, bytes_t raw,
                           int (*each) (turn_t *t, const provider_event_t *event, void *context),
                           void *context)
{
    static const provider_news_t news[] = {
        [PROVIDER_LOOPBACK_NEWS_SENT] = NEWS_SENT,
        [PROVIDER_LOOPBACK_NEWS_DELIVERED] = NEWS_DELIVERED,
        [PROVIDER_LOOPBACK_NEWS_READ] = NEWS_READ,
        [PROVIDER_LOOPBACK_NEWS_FAILED] = NEWS_FAILED,
        [PROVIDER_LOOPBACK_NEWS_INBOUND] = NEWS_INBOUND,
    };
    provider_loopback_callback_t in = {0};
    int code = schema_unpack (&provider_loopback_callback_type, raw, t->arena, &in, &t->failure);
    if (code)
        return code;
    if (in.news <= 0 || in.news > PROVIDER_LOOPBACK_NEWS_SENT || !in.provider_id)
        return fail (t, E_BAD_REQUEST, "news", "Not a callback of the loopback carrier");
    provider_event_t event = {.news = news[in.news],
                              .provider_id = in.provider_id,
                              .token = in.token,
                              .at = in.at,
                              .whatsapp = in.whatsapp,
                              .org = in.org,
                              .number = in.number,
                              .from = in.from,
                              .to = in.to,
                              .text = in.text,
                              .subject = in.subject};
    if (event.news == NEWS_FAILED)
        event.fault = provider_fault (in.whatsapp, in.code ? in.code : "");
    return each (t, &event, context);
}

const provider_t provider_loopback = {
    .name = "loopback",
    .repeatable = true,
    .send = loopback_send,
    .answer = loopback_answer,
    .parse = loopback_parse,
};
