/* message.c - an outbound message comes to life: its row, a row and a send job per recipient, one event. */
#include "messaging.h"
#include "gen/accounts.h"

static int recipient_add (turn_t *t, const messaging_message_t *message, const char *to)
{
    messaging_recipient_t recipient = {.id = turn_id (t),
                                       .org = message->org,
                                       .message = message->id,
                                       .to = to,
                                       .status = MESSAGING_STATUS_QUEUED,
                                       .carrier = message->carrier,
                                       .version = 1};
    int code = store_insert (t->txn, &messaging_recipient_record, &recipient, NULL);
    return code ? code : send_job_add (t, message, &recipient);
}

int message_apps (turn_t *t, const messaging_message_t *message, schema_list_t *out)
{
    return id_is_nil (message->app) ? apps_of_number (t, message->number, out)
                                    : app_told (t, message->app, out);
}

/* Who follows acceptance follows threads; of an SMS the first thing told is its status. */
static int accepted_event (turn_t *t, const messaging_message_t *message, bool created)
{
    messaging_message_accepted_t event = {.message = content_told (t, message, NULL),
                                          .recipients = message->to,
                                          .thread = thread_told (t, message, created)};
    event_about_t about = {.record = message->id,
                           .version = 1,
                           .org = message->org,
                           .app = message->app,
                           .test = message->test,
                           .subject = message->from};
    int code = message_apps (t, message, &event.apps);
    return code ? code : event_add (t, &messaging_message_accepted_event, &about, &event);
}

/* The app that a message is logged under: who sent it; of an organization's the first that holds the number, nil if none does. */
static int log_app_of (turn_t *t, const messaging_message_t *message, id16_t *out)
{
    schema_list_t apps = {0};
    *out = message->app;
    int code = id_is_nil (message->app) ? apps_of_number (t, message->number, &apps) : 0;
    if (apps.count)
        *out = ((const messaging_app_ref_t *) apps.items)[0].id;
    return code;
}

int message_accept (turn_t *t, messaging_message_t *message, const char *const *to, size_t count)
{
    message->id = turn_id (t);
    message->org = t->ask->org;
    message->app = t->ask->app;
    if (!id_is_nil (message->app))
        message->test = t->ask->test;
    message->direction = MESSAGING_DIRECTION_OUTBOUND;
    message->created_at = t->now;
    message->occurred_at = t->now;
    message->request_id = t->ask->request_id;
    message->trace = t->ask->trace;
    bool created = false;
    int code = log_app_of (t, message, &message->log_app);
    if (code == 0)
        code = thread_enter (t, message, &created);
    if (code == 0)
        code = store_insert (t->txn, &messaging_message_record, message, NULL);
    for (size_t i = 0; i < count && code == 0; i++)
        code = recipient_add (t, message, to[i]);
    if (code == 0 && !id_is_nil (message->conversation))
        code = accepted_event (t, message, created);
    return code ? fail (t, code, NULL, "The message could not be stored") : 0;
}
