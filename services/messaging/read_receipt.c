/* read_receipt.c - tell the sender of an inbound WhatsApp message that it was read, with or without the sign that an answer is being written. Apps name the message
 * by our id and ask each time; an organization's callers name it by the carrier's, and what was marked before is not asked for again.
 *
 * The caller waits for the carrier's answer: the ask is parked on a job. To mark twice does no harm, so a request whose answer got lost is made again
 * once; then the caller hears that the carrier is not there. */
#include "gen/accounts.h"
#include "messaging.h"

enum { TRIES = 2, TRY_MS = 5000, PAUSE_MS = 300, PAUSE_MS_MAX = 1000 };

/* What the job tells the ask. */
typedef struct read_result {
    int code;
    const char *text;
} read_result_t;

typedef struct number_search {
    id16_t app;
    bool found;
} number_search_t;

static int route_matches (void *context, const void *row)
{
    number_search_t *search = context;
    const messaging_route_t *route = row;
    search->found = search->found || (!route->deleted && id_equal (route->app, search->app));
    return 0;
}

static int number_held (turn_t *t, id16_t number, bool *out)
{
    number_search_t search = {.app = t->ask->app};
    store_key_t key = {.id = number};
    store_page_t page = {.index = "by_number", .keys = &key, .key_count = 1, .limit = 1000};
    bool more = false;
    int code = store_list (t->txn, &messaging_route_record, &page, t->arena, route_matches, &search,
                           &more);
    *out = search.found;
    return code;
}

static int read_check (turn_t *t, id16_t id, messaging_message_t *out)
{
    bool held = false;
    int code = store_get (t->txn, &messaging_message_record, t->ask->org, id, t->arena, out);
    if (code == 0)
        code = number_held (t, out->number, &held);
    if (code == E_NOT_FOUND || (code == 0 && (!held || out->channel != ACCOUNTS_CHANNEL_WHATSAPP)))
        return fail (t, E_NOT_FOUND, "message", "There is no such WhatsApp message");
    if (code == 0 && (out->direction != MESSAGING_DIRECTION_INBOUND || !out->provider_id))
        return fail (t, E_BAD_REQUEST, "message", "Only messages that came in can be marked read");
    return code;
}

static int read_park (turn_t *t, const messaging_message_t *message, bool typing)
{
    messaging_read_job_t body = {.message = message->id, .typing = typing};
    bool loopback = message->carrier == ACCOUNTS_CARRIER_LOOPBACK;
    job_new_t job = {.kind = &messaging_read_kind,
                     .tenant = message->org,
                     .group = loopback ? message->org : message->account,
                     .ask = turn_ask_id (t),
                     .body = &body};
    int code = job_add (t, &job, NULL);
    return code ? code : park (t);
}

static int read_ask (turn_t *t, id16_t id, bool typing)
{
    messaging_message_t message = {0};
    int code = read_check (t, id, &message);
    return code ? code : read_park (t, &message, typing);
}

static int read_resume (turn_t *t, messaging_success_t *out)
{
    const read_result_t *result = turn_result (t);
    if (!result)
        return fail (t, E_INTERNAL, NULL, "The carrier's answer got lost");
    if (result->code)
        return fail (t, result->code, "message", "%s", result->text);
    out->success = true;
    return 0;
}

int messaging_message_read (turn_t *t, const messaging_message_ref_t *in, messaging_success_t *out)
{
    (void) out;
    return read_ask (t, in->message, false);
}

int messaging_message_read_resume (turn_t *t, const messaging_message_ref_t *in,
                                   messaging_success_t *out)
{
    (void) in;
    return read_resume (t, out);
}

int messaging_message_typing (turn_t *t, const messaging_message_ref_t *in,
                              messaging_success_t *out)
{
    (void) out;
    return read_ask (t, in->message, true);
}

int messaging_message_typing_resume (turn_t *t, const messaging_message_ref_t *in,
                                     messaging_success_t *out)
{
    (void) in;
    return read_resume (t, out);
}

/* ---- an organization's ---- */

static int thread_read_find (turn_t *t, const messaging_thread_read_in_t *in,
                             messaging_message_t *out)
{
    messaging_number_t number = {0};
    id16_t id;
    int code = number_connected (t, in->number_ref, &number);
    if (code == 0)
        code = message_of_provider_id (t, number.carrier, t->ask->org, number.id, in->provider_id,
                                       &id);
    if (code)
        return code;
    code = store_get (t->txn, &messaging_message_record, t->ask->org, id, t->arena, out);
    if (code == E_NOT_FOUND || (code == 0 && !id_equal (out->number, number.id)))
        return fail (t, E_NOT_FOUND, "provider_id", "There is no such message");
    if (code == 0 && out->direction != MESSAGING_DIRECTION_INBOUND)
        return fail (t, E_BAD_REQUEST, "provider_id",
                     "Only messages that came in can be marked read");
    return code;
}

int messaging_thread_read (turn_t *t, const messaging_thread_read_in_t *in,
                           messaging_message_info_t *out)
{
    messaging_message_t message = {0};
    if (in->kind)
        return fail (t, E_BAD_REQUEST, "kind", "A receipt is no message: type or status, not both");
    int code = thread_read_find (t, in, &message);
    if (code)
        return code;
    if (message.read_at && !in->typing)
        return message_info (t, &message, out);
    return read_park (t, &message, in->typing != 0);
}

int messaging_thread_read_resume (turn_t *t, const messaging_thread_read_in_t *in,
                                  messaging_message_info_t *out)
{
    messaging_message_t message = {0};
    messaging_success_t success = {0};
    int code = read_resume (t, &success);
    if (code) /* what the carrier refuses is no fault of these fields */
        return fail (t, error_class (code) == EC_INPUT ? E_CARRIER_REFUSED : code, NULL, "%s",
                     arena_strdup (t->arena, t->failure.text));
    code = thread_read_find (t, in, &message);
    return code ? code : message_info (t, &message, out);
}

/* ---- the job ---- */

typedef struct read_work {
    messaging_message_t message;
    const provider_t *provider;
} read_work_t;

static int read_load (turn_t *t, const job_t *job, read_work_t *out)
{
    const messaging_read_job_t *body = job->body;
    int code =
        store_get_any (t->txn, &messaging_message_record, body->message, t->arena, &out->message);
    out->provider = code ? NULL : carrier_adapter (out->message.carrier);
    return code ? code : out->provider ? 0 : E_NOT_FOUND;
}

static int read_answer (turn_t *t, const job_t *job, int code, const char *text)
{
    read_result_t result = {code, text};
    int rc = resume (t, job->ask, &result);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int read_begin (turn_t *t, job_t *job, outbound_t *out)
{
    const messaging_read_job_t *body = job->body;
    read_work_t *work = arena_new_of (t->arena, read_work_t);
    provider_account_t account = {0};
    int code = read_load (t, job, work);
    if (code == 0 && !work->provider->mark_read) {
        out->how = work->provider == &provider_loopback ? OUT_WAIT : OUT_NOTHING;
        out->wait_ms = (uint32_t) ((const messaging_settings_t *) t->settings)->loopback_delay;
        return 0;
    }
    if (code == 0)
        code = account_open (t, work->message.account, &account);
    if (code == 0)
        code = work->provider->mark_read (t, &account, work->message.number_ref,
                                          work->message.provider_id, body->typing, out);
    if (code == 0) {
        out->request.timeout_ms = TRY_MS;
        return 0;
    }
    out->how = OUT_DROP;
    return read_answer (t, job, code == E_NOT_FOUND ? E_META_API_ERROR : code,
                        "The number's account at the carrier cannot be used");
}

static int read_tell (turn_t *t, const messaging_message_t *message)
{
    thread_unread_t state = {0};
    if (id_is_nil (message->conversation))
        return 0;
    int code = thread_unread (t, message->conversation, &state);
    messaging_conversation_read_t event = {.conversation = message->conversation,
                                           .contact = message->contact,
                                           .message = state.newest_read,
                                           .after = state.unread};
    event_about_t about = {.record = message->id,
                           .version = 1,
                           .org = message->org,
                           .test = message->test,
                           .subject = message->from};
    return code ? code : event_add (t, &messaging_conversation_read_event, &about, &event);
}

static int read_done (turn_t *t, const job_t *job, read_work_t *work)
{
    bool first = !work->message.read_at;
    int code = thread_enter_late (t, &work->message);
    if (first)
        work->message.read_at = t->now;
    if (code == 0)
        code = store_put (t->txn, &messaging_message_record, &work->message, NULL);
    if (code == 0 && first)
        code = read_tell (t, &work->message);
    return code ? code : read_answer (t, job, 0, NULL);
}

static int read_failed (turn_t *t, job_t *job, const provider_result_t *result)
{
    bool again = result->word != PROVIDER_REFUSED && job->tries < TRIES &&
                 result->retry_after_ms <= PAUSE_MS_MAX;
    if (again)
        return job_retry (t, job,
                          t->now + (result->retry_after_ms ? result->retry_after_ms : PAUSE_MS));
    const provider_fault_t *fault =
        result->fault ? result->fault
                      : provider_fault (true, result->word == PROVIDER_REFUSED ? "" : "503");
    return read_answer (t, job, fault->code, fault->text);
}

static int read_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    read_work_t *work = arena_new_of (t->arena, read_work_t);
    provider_result_t result = {0};
    int code = read_load (t, job, work);
    if (code)
        return code == E_NOT_FOUND ? read_answer (t, job, code, "There is no such message any more")
                                   : code;
    if (!work->provider->mark_read)
        return work->provider == &provider_loopback
                   ? read_done (t, job, work)
                   : read_answer (t, job, E_UNSUPPORTED_MESSAGE_TYPE,
                                  "This carrier has no read receipts");
    work->provider->answer (t, outcome, &result);
    return result.word == PROVIDER_ACCEPTED ? read_done (t, job, work)
                                            : read_failed (t, job, &result);
}

const job_kind_t messaging_read_kind = {
    .name = "read",
    .number = 40,
    .type = &messaging_read_job_type,
    .repeatable = true,
    .begin = read_begin,
    .finish = read_finish,
};
