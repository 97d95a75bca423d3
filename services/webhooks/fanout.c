/* fanout.c - an event becomes deliveries: one payload per app, one delivery per webhook that wants it.
 *
 * A page of webhooks is done in the event's own turn; what is left over goes on as a job. */
#include "gen/accounts.h"
#include "gen/messaging.h"
#include "webhooks.h"

enum { FANOUT_PAGE = 100 };

typedef struct fanout {
    turn_t *t;
    const char *event;
    int64_t at; /* of the event: webhooks made later do not get it */
    id16_t app;
    id16_t payload;
    id16_t subject;
    webhooks_subscription_t *wanting;
    size_t count;
    id16_t last;
} fanout_t;

static int wanting_add (void *context, const void *row)
{
    fanout_t *self = context;
    const webhooks_subscription_t *subscription = row;
    self->last = subscription->id;
    if (id_time_ms (subscription->id) <= self->at && subscription_wants (subscription, self->event))
        self->wanting[self->count++] = *subscription;
    return 0;
}

/* The webhooks of a page that want the event. */
static int wanting_find (fanout_t *self, id16_t after, bool *more)
{
    store_key_t key = {.id = self->app};
    store_page_t page = {
        .index = "by_app", .keys = &key, .key_count = 1, .after = after, .limit = FANOUT_PAGE};
    self->wanting = arena_array_of (self->t->arena, webhooks_subscription_t, FANOUT_PAGE);
    self->count = 0;
    if (app_is_gone (self->t, self->app)) {
        *more = false;
        return 0;
    }
    return store_list (self->t->txn, &webhooks_subscription_record, &page, self->t->arena,
                       wanting_add, self, more);
}

static int fanout_go_on (fanout_t *self)
{
    webhooks_fanout_job_t body = {.app = self->app,
                                  .payload = self->payload,
                                  .subject = self->subject,
                                  .after = self->last,
                                  .event = self->event,
                                  .at = self->at};
    job_new_t new = {.kind = &webhooks_fanout_kind, .group = self->app, .body = &body};
    return job_add (self->t, &new, NULL);
}

static int deliveries_make (fanout_t *self, bool more)
{
    int code = 0;
    for (size_t i = 0; i < self->count && code == 0; i++)
        code = delivery_make (self->t, &self->wanting[i], self->payload, self->event, self->subject,
                              id_nil (), NULL);
    return code == 0 && more ? fanout_go_on (self) : code;
}

static int payload_make (fanout_t *self, const journal_event_t *event, const void *body,
                         const messaging_app_ref_t *app)
{
    turn_t *t = self->t;
    char event_id[64];
    buf_t rendered = buf_in (t->arena);
    const char *public_url = ((const webhooks_settings_t *) t->settings)->public_url;
    int code = dialect_event_render (&dialect_chirp, event, body, app, public_url, t->now, event_id,
                                     &rendered);
    if (code)
        return code;
    webhooks_payload_t payload = {.id = turn_id (t),
                                  .event_id = event_id,
                                  .name = self->event,
                                  .body = buf_bytes (&rendered),
                                  .at = t->now};
    self->payload = payload.id;
    return store_insert (t->txn, &webhooks_payload_record, &payload, NULL);
}

/* When it happened, as ids tell it: they go on from where they were when the clock steps back, for events and webhooks alike. */
static int64_t event_time (const journal_event_t *event)
{
    int64_t made = id_is_v7 (event->id) ? id_time_ms (event->id) : 0;
    return made > event->at ? made : event->at;
}

static int event_fan_out (turn_t *t, const journal_event_t *event, const void *body, id16_t subject,
                          const schema_list_t *apps)
{
    const char *name = event->snapshot ? NULL : dialect_event_name (&dialect_chirp, event, body);
    const messaging_app_ref_t *refs = apps->items;
    int code = 0;
    for (size_t i = 0; name && i < apps->count && code == 0; i++) {
        fanout_t self = {
            .t = t, .event = name, .at = event_time (event), .app = refs[i].id, .subject = subject};
        bool more = false;
        code = wanting_find (&self, id_nil (), &more);
        if (code == 0 && (self.count || more))
            code = payload_make (&self, event, body, &refs[i]);
        if (code == 0)
            code = deliveries_make (&self, more);
    }
    return code;
}

static int message_status (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_message_status_t *in = body;
    return in->message ? event_fan_out (t, event, body, in->message->id, &in->apps) : 0;
}

static int message_received (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_message_received_t *in = body;
    return in->message ? event_fan_out (t, event, body, in->message->id, &in->apps) : 0;
}

const svc_follow_t webhooks_follows[] = {
    {&messaging_message_status_event, message_status},
    {&messaging_message_received_event, message_received},
    {&accounts_app_changed_event, app_changed},
};
const size_t webhooks_follow_count = sizeof webhooks_follows / sizeof *webhooks_follows;

static int fanout_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const webhooks_fanout_job_t *body = job->body;
    fanout_t self = {.t = t,
                     .event = body->event,
                     .at = body->at,
                     .app = body->app,
                     .payload = body->payload,
                     .subject = body->subject};
    bool more = false;
    int code = wanting_find (&self, body->after, &more);
    return code ? code : deliveries_make (&self, more);
}

const job_kind_t webhooks_fanout_kind = {
    .name = "fanout",
    .number = 2,
    .type = &webhooks_fanout_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = fanout_finish,
};
