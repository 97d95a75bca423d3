/* telnyx_fuzz.c - what comes from Telnyx: the same bytes as a callback and as the answer to whatever we ask of it.
 *
 * A callback that is read twice says the same twice, every event is whole, and a signature that nobody made never passes. */
#include "provider/provider.h"

#include "base/text.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool holds)
{
    if (!holds)
        abort ();
}

static void must_be_text (buf_t *log, const char *text, bool needed)
{
    must (!needed || (text && *text));
    must (!text || text_is_utf8 (text, strlen (text)));
    buf_add_str (log, text ? text : "-");
    buf_add_byte (log, '\n');
}

static void media_check (buf_t *log, const messaging_body_t *body)
{
    const messaging_media_content_t *items = body->media_list.items;
    must (body->media_list.count > 0);
    for (size_t i = 0; i < body->media_list.count; i++) {
        must_be_text (log, items[i].url, true);
        must_be_text (log, items[i].mime_type, false);
        must_be_text (log, items[i].sha256, false);
        must (items[i].size >= 0);
    }
}

static int event_check (turn_t *t, const provider_event_t *event, void *context)
{
    (void) t;
    buf_t *log = context;
    bool inbound = event->news == NEWS_INBOUND;
    must (event->news >= NEWS_SENT && event->news <= NEWS_INBOUND && event->news != NEWS_READ);
    must ((event->fault != NULL) == (event->news == NEWS_FAILED));
    must (!event->fault || (event->fault->code && event->fault->native && event->fault->title));
    must (!inbound || event->kind == MESSAGING_KIND_SMS || event->kind == MESSAGING_KIND_MMS);
    must_be_text (log, event->provider_id, true);
    must_be_text (log, event->from, inbound);
    must_be_text (log, event->to, inbound);
    must_be_text (log, event->number_ref, inbound);
    must_be_text (log, event->text, false);
    must_be_text (log, event->subject, false);
    must_be_text (log, event->native_text, false);
    must_be_text (log, event->autoresponse, false);
    if (event->body)
        media_check (log, event->body);
    return 0;
}

static int parse (turn_t *t, bytes_t raw, buf_t *log)
{
    t->failure = (failure_t){0};
    int code = provider_telnyx.parse (t, raw, event_check, log);
    must (code == 0 || code == E_NO_MEMORY || (code == E_BAD_REQUEST && *t->failure.text));
    return code;
}

static void answer (turn_t *t, bytes_t raw, int status)
{
    outcome_t outcome = {.stage = FETCH_ANSWERED, .status = status, .body = raw};
    provider_result_t out;
    provider_telnyx.answer (t, &outcome, &out);
    must ((out.word == PROVIDER_ACCEPTED) == (out.id_count == 1));
    must (out.word != PROVIDER_REFUSED || (out.fault && out.fault->code));
    must (!out.native_text || text_is_utf8 (out.native_text, strlen (out.native_text)));
}

/* Searching, ordering, looking for and giving up numbers. */
static void numbers (turn_t *t, bytes_t raw, int status)
{
    outcome_t outcome = {.stage = FETCH_ANSWERED, .status = status, .body = raw};
    provider_offer_t offers[3];
    size_t count = 4;
    const char *id = "";
    int code = provider_telnyx.numbers_found (t, &outcome, offers, 3, &count);
    must (count <= 3 && (code == 0 || count == 0));
    for (size_t i = 0; i < count; i++) {
        must (offers[i].number && offers[i].number[0] == '+' && offers[i].location);
        must (strspn (offers[i].number + 1, "0123456789") == strlen (offers[i].number + 1));
        must (offers[i].feature_count <= sizeof offers[i].features / sizeof *offers[i].features);
    }
    provider_order_t order = provider_telnyx.number_ordered (t, &outcome, &id);
    must (status == 200 || (order == ORDER_UNSAID && !id));
    provider_held_t held = provider_telnyx.number_looked (t, &outcome, "+14155550142", &id);
    must ((held == HELD_YES) == (id != NULL));
    held = provider_telnyx.number_released (t, &outcome);
    must (held != HELD_YES);
}

static void verify (turn_t *t, bytes_t raw)
{
    char *text = arena_strndup (t->arena, (const char *) raw.data, raw.size);
    schema_pair_t headers[] = {{"telnyx-timestamp", "1760000000"},
                               {"telnyx-signature-ed25519", text}};
    provider_account_t account = {.public_key = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="};
    provider_callback_t callback = {
        .method = "POST", .headers = {headers, 2}, .body = raw, .now = 1760000000000};
    provider_verdict_t out = {.take = true};
    must (provider_telnyx.verify (t, &account, &callback, &out) == 0 && !out.take && out.reason);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 400, 404, 429, 503};
    bytes_t raw = bytes_of (data, size);
    arena_t *arena = arena_new (1 << 24);
    turn_t t = {.now = 1760000000000, .arena = arena};
    buf_t one = {0}, two = {0};
    jmp_buf trap;
    must (arena != NULL);
    if (setjmp (trap) == 0) {
        arena_trap (arena, &trap);
        must (parse (&t, raw, &one) == parse (&t, raw, &two));
        must (bytes_equal (buf_bytes (&one), buf_bytes (&two)));
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
            answer (&t, raw, statuses[i]);
            numbers (&t, raw, statuses[i]);
        }
        verify (&t, raw);
    }
    buf_free (&one);
    buf_free (&two);
    arena_destroy (&arena);
    return 0;
}
