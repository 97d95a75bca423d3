/* telnyx_object.c - the message object at each stage of its life, and the callbacks that tell of it (spec sections 3.1 and 3.2). How it fails: it does not. */
#include "callbacks.h"
#include "telnyx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void telnyx_message_free (void *value)
{
    telnyx_message_t *self = value;
    for (size_t i = 0; i < self->to_count; i++)
        free (self->to[i].number);
    free (self->to);
    cJSON_Delete (self->base);
    free (self);
}

static const char *recipient_status (const telnyx_recipient_t *to, telnyx_stage_t stage)
{
    if (stage == STAGE_QUEUED)
        return "queued";
    if (stage == STAGE_SENT)
        return "sent";
    return to->fail_code[0] != '\0' ? "delivery_failed" : "delivered";
}

static cJSON *recipients_show (const telnyx_message_t *self, telnyx_stage_t stage)
{
    cJSON *out = cJSON_CreateArray ();
    for (size_t i = 0; i < self->to_count; i++) {
        cJSON *one = cJSON_CreateObject ();
        json_add_text (one, "phone_number", self->to[i].number);
        json_add_text (one, "status", recipient_status (&self->to[i], stage));
        json_add_text (one, "carrier", "SIMULATED WIRELESS");
        json_add_text (one, "line_type", "Wireless");
        cJSON_AddItemToArray (out, one);
    }
    return out;
}

static void money_add (cJSON *object, const char *name, size_t tenthousandths)
{
    char amount[32];
    cJSON *money = json_add_object (object, name);
    snprintf (amount, sizeof amount, "%zu.%04zu", tenthousandths / 10000, tenthousandths % 10000);
    json_add_text (money, "amount", amount);
    json_add_text (money, "currency", "USD");
}

static void cost_set (const telnyx_message_t *self, cJSON *out)
{
    size_t units = self->to_count * (self->is_mms ? 1 : self->parts);
    size_t rate = self->is_mms ? 150 : 40, fee = self->is_mms ? 100 : 11;
    cJSON_DeleteItemFromObjectCaseSensitive (out, "cost");
    money_add (out, "cost", units * (rate + fee));
    cJSON_DeleteItemFromObjectCaseSensitive (out, "cost_breakdown");
    cJSON *breakdown = json_add_object (out, "cost_breakdown");
    money_add (breakdown, "rate", units * rate);
    money_add (breakdown, "carrier_fee", units * fee);
}

static cJSON *errors_show (const telnyx_message_t *self)
{
    cJSON *out = cJSON_CreateArray ();
    for (size_t i = 0; i < self->to_count; i++)
        if (self->to[i].fail_code[0] != '\0')
            cJSON_AddItemToArray (out, telnyx_error_element (self->to[i].fail_code, NULL));
    return out;
}

cJSON *telnyx_message_show (const telnyx_message_t *self, telnyx_stage_t stage)
{
    char time[40];
    cJSON *out = cJSON_Duplicate (self->base, true);
    json_set (out, "to", recipients_show (self, stage));
    if (stage >= STAGE_SENT) {
        telnyx_time (self->sent_ms, time);
        json_set_text (out, "sent_at", time);
    }
    if (stage == STAGE_FINAL) {
        telnyx_time (self->completed_ms, time);
        json_set_text (out, "completed_at", time);
        json_set (out, "errors", errors_show (self));
        cost_set (self, out);
    }
    return out;
}

char *telnyx_event (sim_t *sim, const char *type, cJSON *payload)
{
    char id[37], time[40];
    cJSON *out = cJSON_CreateObject ();
    sim_uuid (sim, id);
    telnyx_time (sim_now_ms (sim), time);
    json_add_text (out, "record_type", "event");
    json_add_text (out, "event_type", type);
    json_add_text (out, "id", id);
    json_add_text (out, "occurred_at", time);
    json_add (out, "payload", payload);
    char *text = json_print (out);
    cJSON_Delete (out);
    return text;
}

/* In the message, else in its profile unless it says not to, else the simulator's own. */
static const char *message_url (const sim_t *sim, const telnyx_message_t *self,
                                const char **failover)
{
    const char *url = json_text (self->base, "webhook_url");
    *failover = json_text (self->base, "webhook_failover_url");
    if (url != NULL && *url != '\0')
        return url;
    if (cJSON_IsFalse (json_get (self->base, "use_profile_webhooks")))
        return NULL;
    const cJSON *profile =
        table_get (sim->telnyx_profiles, json_text (self->base, "messaging_profile_id"));
    url = json_text (profile, "webhook_url");
    *failover = json_text (profile, "webhook_failover_url");
    return url != NULL && *url != '\0' ? url : sim->settings.telnyx_callback;
}

static callback_t *stage_callback (sim_t *sim, const telnyx_message_t *self, telnyx_stage_t stage,
                                   int64_t delay_ms)
{
    const char *failover, *type = stage == STAGE_SENT ? "message.sent" : "message.finalized";
    const char *url = message_url (sim, self, &failover);
    cJSON *payload = telnyx_message_show (self, stage);
    cJSON_DeleteItemFromObjectCaseSensitive (payload, "use_profile_webhooks");
    callback_t *callback =
        callback_new (PROVIDER_TELNYX, type, url, telnyx_event (sim, type, payload));
    callback_message (callback, json_text (self->base, "id"));
    callback_failover (callback, failover);
    callback_delay (callback, delay_ms);
    return callback;
}

void telnyx_message_start (sim_t *sim, telnyx_message_t *self, const rule_action_t *action)
{
    callback_t *list[2];
    int64_t delay_ms = sim->settings.callback_delay_ms;
    self->sent_ms = sim_now_ms (sim) + delay_ms;
    self->completed_ms = self->sent_ms + delay_ms;
    list[0] = stage_callback (sim, self, STAGE_SENT, delay_ms);
    list[1] = stage_callback (sim, self, STAGE_FINAL, 2 * delay_ms);
    callbacks_post (sim, list, 2, action);
}
