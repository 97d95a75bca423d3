/* meta_fuzz.c - what Meta, or somebody who says so, sends: callbacks, signatures, answers. First byte: which reader; the rest: the bytes.
 *
 * Whatever is heard of a callback must pack, unpack, and be written as JSON that can be read. */
#include "provider/provider.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool holds)
{
    if (!holds)
        abort ();
}

static int hear (turn_t *t, const provider_event_t *event, void *context)
{
    unsigned *count = context;
    buf_t packed = {0}, json = {0}, again = {0};
    messaging_body_t body = {0};
    must (event->news >= NEWS_SENT && event->news <= NEWS_TEMPLATE);
    must (event->news == NEWS_TEMPLATE ? event->template_id != NULL : event->provider_id != NULL);
    must (event->at > 0);
    must ((event->news == NEWS_FAILED) <= (event->fault != NULL));
    must ((event->news == NEWS_INBOUND) <= (event->from && event->number_ref && event->kind > 0));
    if (event->body) {
        schema_pack (&messaging_body_type, event->body, &packed);
        must (schema_unpack (&messaging_body_type, buf_bytes (&packed), t->arena, &body, NULL) ==
              0);
        schema_json_write (&messaging_body_type, NULL, &body, &json);
        /* one level deeper than the callback's own frame takes away */
        must (schema_any_read (buf_bytes (&json), &again, NULL) == 0);
    }
    buf_free (&packed);
    buf_free (&json);
    buf_free (&again);
    return ++*count > 10000 ? E_TOO_LARGE : 0;
}

static int keep (turn_t *t, bytes_t json, void *context)
{
    buf_t again = {0};
    (void) t;
    (void) context;
    must (schema_any_read (json, &again, NULL) == 0);
    buf_free (&again);
    return 0;
}

static void read_answer (turn_t *t, bytes_t rest)
{
    static const int statuses[] = {200, 400, 429, 503};
    provider_result_t result;
    const char *after;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        outcome_t outcome = {.stage = FETCH_ANSWERED, .status = statuses[i], .body = rest};
        outcome.headers = arena_strndup (t->arena, (const char *) rest.data, rest.size);
        provider_meta.answer (t, &outcome, &result);
        must (result.word != PROVIDER_REFUSED || result.fault);
        must (result.retry_after_ms >= 0);
        provider_meta.media_uploaded (t, &outcome, &result);
        provider_meta.media_located (t, &outcome);
        provider_meta.templates_read (t, &outcome, keep, NULL, &after);
    }
}

static void read_request (turn_t *t, bytes_t rest)
{
    const provider_account_t account = {.app_secret = "s", .verify_token = "v"};
    schema_pair_t pairs[] = {
        {"x-hub-signature-256", arena_strndup (t->arena, (const char *) rest.data, rest.size)},
        {"hub.mode", "subscribe"}};
    provider_callback_t callback = {
        .method = "POST", .headers = {pairs, 2}, .query = {pairs, 2}, .body = rest};
    provider_verdict_t verdict;
    must (provider_meta.verify (t, &account, &callback, &verdict) == 0 && !verdict.take);
    callback.method = "GET";
    must (provider_meta.verify (t, &account, &callback, &verdict) == 0 && verdict.status == 403);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const envelope_t nobody;
    if (size == 0 || size > 1 << 16)
        return 0;
    turn_t t = {.now = 1760000000000, .arena = arena_new (64 << 20), .ask = &nobody};
    bytes_t rest = bytes_of (data + 1, size - 1);
    unsigned count = 0;
    if (data[0] % 4 == 1)
        read_answer (&t, rest);
    else if (data[0] % 4 == 3)
        read_request (&t, rest);
    else
        provider_meta.parse (&t, rest, hear, &count);
    arena_destroy (&t.arena);
    return 0;
}
