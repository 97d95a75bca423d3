/* callback_receive.c - a carrier calls one of our callback URLs.
 *
 * It is checked on its raw bytes with the account's own secrets, stored, acted on, and answered with what the adapter says. It fails closed: what does not
 * verify changes nothing but a counter and a bounded list of refusals with their reasons, for `aviary explain`. If the store fails the ask fails, so that
 * the carrier is told to come again. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

enum { REFUSALS_KEPT = 50, REFUSAL_EVERY_MS = 1000, REFUSED_BODY_MAX = 4096 };

/* ---- what does not verify ---- */

typedef struct refusal_search {
    messaging_refusal_t row;
    bool found;
} refusal_search_t;

static int refusal_take (void *context, const void *row)
{
    refusal_search_t *search = context;
    search->row = *(const messaging_refusal_t *) row;
    search->found = true;
    return 0;
}

static int refusal_edge (turn_t *t, id16_t account, bool newest, refusal_search_t *out)
{
    store_key_t key = {.id = account};
    store_page_t page = {
        .index = "by_account", .keys = &key, .key_count = 1, .newest_first = newest, .limit = 1};
    bool more = false;
    return store_list (t->txn, &messaging_refusal_record, &page, t->arena, refusal_take, out,
                       &more);
}

static int refusal_trim (turn_t *t, id16_t account)
{
    store_key_t key = {.id = account};
    refusal_search_t oldest = {0};
    uint64_t count = 0;
    int code = store_count (t->txn, &messaging_refusal_record, "by_account", &key, 1, &count);
    if (code || count < REFUSALS_KEPT)
        return code;
    code = refusal_edge (t, account, false, &oldest);
    if (code || !oldest.found)
        return code;
    code = store_del (t->txn, &messaging_refusal_record, oldest.row.id);
    if (code == 0)
        code = store_del (t->txn, &messaging_callback_record, oldest.row.callback);
    return code == E_NOT_FOUND ? 0 : code;
}

/* Anybody can call the URL: one refusal a second is written down, the last few are kept, and little of each. */
static int callback_refuse (turn_t *t, const messaging_callback_receive_in_t *in,
                            const char *reason)
{
    refusal_search_t newest = {0};
    turn_count (t, MESSAGING_COUNTER_CALLBACKS_REFUSED_TOTAL, 1);
    int code = refusal_edge (t, in->account, true, &newest);
    if (code || (newest.found && t->now - newest.row.at < REFUSAL_EVERY_MS))
        return code;
    code = refusal_trim (t, in->account);
    if (code)
        return code;
    messaging_callback_t row = {.id = turn_id (t),
                                .carrier = in->carrier,
                                .account = in->account,
                                .at = t->now,
                                .state = MESSAGING_CALLBACK_STATE_IGNORED,
                                .reason = reason ? reason : "not verified",
                                .body = {in->body.data, in->body.size < REFUSED_BODY_MAX
                                                            ? in->body.size
                                                            : REFUSED_BODY_MAX}};
    messaging_refusal_t refusal = {
        .id = turn_id (t), .account = in->account, .callback = row.id, .at = t->now};
    code = store_insert (t->txn, &messaging_callback_record, &row, NULL);
    return code ? code : store_insert (t->txn, &messaging_refusal_record, &refusal, NULL);
}

/* ---- the op ---- */

/* The recipient's id that a per-message callback URL carries: "?t=UUID". Nil if there is none. */
static id16_t token_of (const schema_map_t *query)
{
    id16_t token = id_nil ();
    for (size_t i = 0; i < query->count; i++)
        if (strcmp (query->pairs[i].key, "t") == 0 && query->pairs[i].value)
            if (!id_read_uuid (query->pairs[i].value, strlen (query->pairs[i].value), &token))
                token = id_nil ();
    return token;
}

static int account_called (turn_t *t, const messaging_callback_receive_in_t *in,
                           provider_account_t *out)
{
    int code = account_open (t, in->account, out);
    if (code == E_NOT_FOUND || (code == 0 && out->carrier != in->carrier))
        return fail (t, E_NOT_FOUND, "account", "No such carrier account");
    return code ? fail (t, code, NULL, "The carrier account could not be opened") : 0;
}

int messaging_callback_receive (turn_t *t, const messaging_callback_receive_in_t *in,
                                messaging_callback_receive_out_t *out)
{
    provider_account_t account = {0};
    provider_verdict_t verdict = {0};
    provider_callback_t callback = {.method = in->method,
                                    .query = in->query,
                                    .headers = in->headers,
                                    .body = in->body,
                                    .now = t->now};
    int code = account_called (t, in, &account);
    if (code)
        return code;
    const provider_t *provider = carrier_adapter (account.carrier);
    if (!provider || !provider->verify)
        return fail (t, E_NOT_FOUND, "account", "This carrier calls nobody back");
    code = provider->verify (t, &account, &callback, &verdict);
    if (code == 0 && verdict.take && svc_disk_is_scarce (t->svc))
        return fail (t, E_DISK_LOW, NULL, "%s", error_doc (E_DISK_LOW)); /* they come again */
    if (code == 0 && verdict.take) {
        callback_origin_t origin = {
            .carrier = account.carrier, .account = account.id, .token = token_of (&in->query)};
        code = callback_take (t, &origin, in->body);
    } else if (code == 0 && verdict.status >= 400)
        code = callback_refuse (t, in, verdict.reason);
    if (code)
        return fail (t, code, NULL, "The callback could not be stored");
    *out = (messaging_callback_receive_out_t){
        .status = verdict.status, .content_type = verdict.content_type, .answer = verdict.answer};
    return 0;
}

/* ---- explain ---- */

static void tell_callback (turn_t *t, const messaging_callback_t *row, const svc_explain_t *out)
{
    out->line (out->context, row->at, "callback",
               arena_printf (t->arena, "from %s, %zu bytes, %s%s%s",
                             schema_enum_word (&accounts_carrier_enum, row->carrier),
                             row->body.size,
                             schema_enum_word (&messaging_callback_state_enum, row->state),
                             row->reason ? ": " : "", row->reason ? row->reason : ""));
}

typedef struct refusal_telling {
    turn_t *t;
    const svc_explain_t *out;
} refusal_telling_t;

static int refusal_tell (void *context, const void *row)
{
    const refusal_telling_t *telling = context;
    messaging_callback_t callback = {0};
    const messaging_refusal_t *refusal = row;
    if (store_get_any (telling->t->txn, &messaging_callback_record, refusal->callback,
                       telling->t->arena, &callback) == 0)
        tell_callback (telling->t, &callback, telling->out);
    return 0;
}

int callbacks_explain (turn_t *t, id16_t id, const svc_explain_t *out)
{
    messaging_callback_t callback = {0};
    if (store_get_any (t->txn, &messaging_callback_record, id, t->arena, &callback) == 0)
        tell_callback (t, &callback, out);
    store_key_t key = {.id = id};
    refusal_telling_t telling = {t, out};
    store_page_t page = {.index = "by_account",
                         .keys = &key,
                         .key_count = 1,
                         .newest_first = true,
                         .limit = REFUSALS_KEPT};
    bool more = false;
    return store_list (t->txn, &messaging_refusal_record, &page, t->arena, refusal_tell, &telling,
                       &more);
}
