/* fanout.c - an event becomes deliveries: one payload per dialect and holder (an app, an organization), one delivery per webhook that wants it.
 *
 * A page of webhooks is done in the event's own turn; what is left over goes on as a job. */
#include "gen/accounts.h"
#include "gen/inbox.h"
#include "gen/messaging.h"
#include "webhooks.h"

#include <sys/queue.h>

enum { FANOUT_PAGE = 100 };

/* A webhook that wants the event. Most events are wanted by nobody, so room is made as they are found. */
typedef struct wanting {
    STAILQ_ENTRY (wanting) link;
    webhooks_subscription_t subscription;
} wanting_t;

typedef struct fanout {
    turn_t *t;
    const dialect_t *dialect;
    const char *event;
    int64_t at;    /* of the event: who was not there then, or not active, does not get it */
    id16_t holder; /* an app, or an organization */
    id16_t payload;
    const char *event_id;
    id16_t subject;
    STAILQ_HEAD (wanted, wanting) wanted;
    size_t made; /* deliveries, in all pages */
    id16_t last;
} fanout_t;

static int wanting_add (void *context, const void *row)
{
    fanout_t *self = context;
    const webhooks_subscription_t *subscription = row;
    self->last = subscription->id;
    if (!subscription_was_active (subscription, self->at) ||
        !subscription_wants (subscription, self->dialect, self->event))
        return 0;
    wanting_t *wanting = arena_new_of (self->t->arena, wanting_t);
    if (!wanting)
        return E_NO_MEMORY;
    wanting->subscription = *subscription;
    STAILQ_INSERT_TAIL (&self->wanted, wanting, link);
    return 0;
}

/* The webhooks of a page that want the event. */
static int wanting_find (fanout_t *self, id16_t after, bool *more)
{
    store_key_t key = {.id = self->holder};
    store_page_t page = {
        .index = "by_app", .keys = &key, .key_count = 1, .after = after, .limit = FANOUT_PAGE};
    STAILQ_INIT (&self->wanted);
    int code = store_list (self->t->txn, &webhooks_subscription_record, &page, self->t->arena,
                           wanting_add, self, more);
    if (code == 0 && (!STAILQ_EMPTY (&self->wanted) || *more) &&
        app_is_gone (self->t, self->holder)) {
        STAILQ_INIT (&self->wanted);
        *more = false;
    }
    return code;
}

static int fanout_go_on (fanout_t *self)
{
    webhooks_fanout_job_t body = {.app = self->holder,
                                  .payload = self->payload,
                                  .subject = self->subject,
                                  .after = self->last,
                                  .event = self->event,
                                  .at = self->at,
                                  .dialect = self->dialect->name,
                                  .made = (int64_t) self->made};
    job_new_t new = {.kind = &webhooks_fanout_kind, .group = self->holder, .body = &body};
    return job_add (self->t, &new, NULL);
}

static int deliveries_make (fanout_t *self, bool more)
{
    delivery_new_t new = {.payload = self->payload,
                          .event = self->event,
                          .event_id = self->event_id,
                          .subject = self->subject};
    wanting_t *wanting;
    STAILQ_FOREACH (wanting, &self->wanted, link)
    {
        int code = delivery_make (self->t, &wanting->subscription, &new, NULL);
        if (code)
            return code;
        self->made++;
    }
    if (more)
        return fanout_go_on (self);
    /* Nobody wanted it after all. */
    return self->made ? 0 : store_del (self->t->txn, &webhooks_payload_record, self->payload);
}

static int payload_make (fanout_t *self, const journal_event_t *event, const void *body,
                         const messaging_app_ref_t *app)
{
    turn_t *t = self->t;
    const webhooks_settings_t *settings = t->settings;
    dialect_rendered_t rendered;
    buf_t out = buf_in (t->arena);
    dialect_how_t how = {.app = app,
                         .public_url = settings->public_url,
                         .now = t->now,
                         .status_in_event_id = settings->status_in_event_id,
                         .extras = settings->relay_extras};
    int code = dialect_event_render_how (self->dialect, event, body, &how, &rendered, &out);
    if (code)
        return code;
    self->event_id = arena_strdup (t->arena, rendered.event_id);
    webhooks_payload_t payload = {.id = turn_id (t),
                                  .event_id = self->event_id,
                                  .name = self->event,
                                  .body = buf_bytes (&out),
                                  .at = t->now,
                                  .mark = (int64_t) rendered.mark};
    self->payload = payload.id;
    return store_insert (t->txn, &webhooks_payload_record, &payload, NULL);
}

/* When it happened, as ids tell it: they go on from where they were when the clock steps back, for events and webhooks alike. */
static int64_t event_time (const journal_event_t *event)
{
    int64_t made = id_is_v7 (event->id) ? id_time_ms (event->id) : 0;
    return made > event->at ? made : event->at;
}

/* Something that happened, for all who may hear of it. */
typedef struct happening {
    const journal_event_t *event;
    const void *body;
    id16_t subject;
    const schema_list_t *apps; /* of app_ref; NULL: it is no app's affair */
} happening_t;

static int holder_fan_out (turn_t *t, const happening_t *what, const dialect_t *d, id16_t holder,
                           const messaging_app_ref_t *app)
{
    const char *name = dialect_event_name (d, what->event, what->body);
    if (!name || id_is_nil (holder))
        return 0;
    fanout_t self = {.t = t,
                     .dialect = d,
                     .event = name,
                     .at = event_time (what->event),
                     .holder = holder,
                     .subject = what->subject};
    bool more = false;
    int code = wanting_find (&self, id_nil (), &more);
    if (code || (STAILQ_EMPTY (&self.wanted) && !more))
        return code;
    code = payload_make (&self, what->event, what->body, app);
    return code ? code : deliveries_make (&self, more);
}

/* In the form of each dialect, whichever made it happen. */
static int event_fan_out (turn_t *t, const happening_t *what)
{
    const messaging_app_ref_t *refs = what->apps ? what->apps->items : NULL;
    size_t count = what->apps ? what->apps->count : 0;
    int code = 0;
    for (size_t i = 0; i < dialect_count && code == 0 && !what->event->snapshot; i++) {
        const dialect_t *d = dialect_all[i];
        if (d->delivery->holder == HOLDER_ORG)
            code = holder_fan_out (t, what, d, what->event->org, NULL);
        for (size_t k = 0; k < count && code == 0 && d->delivery->holder == HOLDER_APP; k++)
            code = holder_fan_out (t, what, d, refs[k].id, &refs[k]);
    }
    return code;
}

static int message_status (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_message_status_t *in = body;
    happening_t what = {event, body, in->message ? in->message->id : id_nil (), &in->apps};
    return in->message ? event_fan_out (t, &what) : 0;
}

static int message_received (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_message_received_t *in = body;
    happening_t what = {event, body, in->message ? in->message->id : id_nil (), &in->apps};
    return in->message ? event_fan_out (t, &what) : 0;
}

static int message_accepted (turn_t *t, const journal_event_t *event, const void *body)
{
    const messaging_message_accepted_t *in = body;
    happening_t what = {event, body, in->message ? in->message->id : id_nil (), &in->apps};
    return in->message ? event_fan_out (t, &what) : 0;
}

static int contact_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const inbox_contact_changed_t *in = body;
    happening_t what = {event, body, in->contact ? in->contact->id : id_nil (), NULL};
    return in->contact ? event_fan_out (t, &what) : 0;
}

static int conversation_assigned (turn_t *t, const journal_event_t *event, const void *body)
{
    const inbox_conversation_assigned_t *in = body;
    happening_t what = {event, body, in->conversation, NULL};
    return event_fan_out (t, &what);
}

static int conversation_closed (turn_t *t, const journal_event_t *event, const void *body)
{
    const inbox_conversation_closed_t *in = body;
    happening_t what = {event, body, in->conversation, NULL};
    return event_fan_out (t, &what);
}

const svc_follow_t webhooks_follows[WEBHOOKS_FOLLOWS] = {
    {&messaging_message_status_event, message_status},
    {&messaging_message_received_event, message_received},
    {&messaging_message_accepted_event, message_accepted},
    {&messaging_messages_erased_event, messages_erased},
    {&inbox_contact_changed_event, contact_changed},
    {&inbox_conversation_assigned_event, conversation_assigned},
    {&inbox_conversation_closed_event, conversation_closed},
    {&inbox_erased_event, contact_erased},
    {&accounts_app_changed_event, app_changed},
};

static int fanout_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    const webhooks_fanout_job_t *body = job->body;
    webhooks_payload_t payload = {0};
    fanout_t self = {.t = t,
                     .dialect = dialect_find (body->dialect),
                     .event = body->event,
                     .at = body->at,
                     .holder = body->app,
                     .payload = body->payload,
                     .made = (size_t) body->made,
                     .subject = body->subject};
    bool more = false;
    int code = store_get_any (t->txn, &webhooks_payload_record, body->payload, t->arena, &payload);
    if (code == E_NOT_FOUND || !self.dialect)
        return 0; /* erased since */
    self.event_id = payload.event_id;
    if (code == 0)
        code = wanting_find (&self, body->after, &more);
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
