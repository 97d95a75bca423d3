/* erase.c - what is erased elsewhere goes here too: deliveries and payloads about a message, a contact or a conversation, in steps.
 *
 * A payload is of one subject, so it goes with the first of its deliveries. A delivery that is out at that moment ends unnoted: its row is gone. */
#include "gen/inbox.h"
#include "gen/messaging.h"
#include "webhooks.h"

enum { ERASED_AT_ONCE = 200 };

static int erase_add (turn_t *t, const id16_t *subjects, size_t count)
{
    webhooks_erase_job_t body = {.subjects = {(void *) (uintptr_t) subjects, count}};
    job_new_t job = {.kind = &webhooks_erase_kind, .group = subjects[0], .body = &body};
    return count ? job_add (t, &job, NULL) : 0;
}

static int delivery_erase (void *context, const void *row)
{
    turn_t *t = context;
    const webhooks_delivery_t *delivery = row;
    int code = store_del (t->txn, &webhooks_payload_record, delivery->payload);
    return code && code != E_NOT_FOUND
               ? code
               : store_del (t->txn, &webhooks_delivery_record, delivery->id);
}

/* The first delivery of the subject; *more: there are others. */
static int subject_erase (turn_t *t, id16_t subject, bool *more)
{
    store_key_t key = {.id = subject};
    store_page_t page = {.index = "by_subject", .keys = &key, .key_count = 1, .limit = 1};
    return store_list (t->txn, &webhooks_delivery_record, &page, t->arena, delivery_erase, t, more);
}

static int erase_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    webhooks_erase_job_t *body = job->body;
    id16_t *subjects = body->subjects.items;
    size_t at = 0;
    int code = 0;
    for (size_t left = ERASED_AT_ONCE; at < body->subjects.count && left && code == 0; left--) {
        bool more = false;
        code = subject_erase (t, subjects[at], &more);
        at += more ? 0 : 1;
    }
    if (code || at == body->subjects.count)
        return code;
    body->subjects = (schema_list_t){subjects + at, body->subjects.count - at};
    return job_retry (t, job, t->now);
}

const job_kind_t webhooks_erase_kind = {
    .name = "erase",
    .number = 52,
    .type = &webhooks_erase_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = erase_finish,
    .erases = true,
};

int contact_erased (turn_t *t, const journal_event_t *event, const void *body)
{
    const inbox_erased_t *in = body;
    id16_t subjects[] = {in->contact, in->conversation};
    (void) event;
    return erase_add (t, subjects, id_is_nil (in->conversation) ? 1 : 2);
}

int messages_erased (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_messages_erased_t *in = body;
    (void) event;
    return erase_add (t, in->messages.items, in->messages.count);
}
