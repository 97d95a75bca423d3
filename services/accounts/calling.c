/* calling.c - how an app's calls are handled: stored and checked here, where the app lives. An app without a row has the defaults. */
#include "accounts.h"

enum { VOICEMAIL_SECONDS = 120, CONCURRENT_CALLS = 100 };

static int calling_find (turn_t *t, id16_t id, bool test, accounts_calling_config_t *out)
{
    accounts_app_t app = {0};
    int code = app_named (t, id, test, &app);
    if (code)
        return code;
    code = store_get (t->txn, &accounts_calling_config_record, t->ask->org, app.id, t->arena, out);
    if (code != E_NOT_FOUND)
        return code;
    *out = (accounts_calling_config_t){
        .id = app.id,
        .org = app.org,
        .test = app.test,
        .voicemail_max_duration = VOICEMAIL_SECONDS,
        .recording_format = ACCOUNTS_RECORDING_FORMAT_MP4,
        .default_answer_behavior = ACCOUNTS_ANSWER_BEHAVIOR_WEBHOOK,
        .max_concurrent_calls = CONCURRENT_CALLS,
        .created_at = app.created_at,
        .updated_at = app.created_at,
    };
    return 0;
}

int accounts_calling_get (turn_t *t, const accounts_calling_get_in_t *in,
                          accounts_calling_config_t *out)
{
    return calling_find (t, in->app, in->app_test, out);
}

static void calling_apply (const accounts_calling_set_in_t *in, accounts_calling_config_t *row)
{
    const struct {
        uint64_t bit;
        bool given;
        bool *to;
    } switches[] = {
        {ACCOUNTS_CALLING_SET_IN_HAS_VOICEMAIL_ENABLED, in->voicemail_enabled,
         &row->voicemail_enabled},
        {ACCOUNTS_CALLING_SET_IN_HAS_AUTO_RECORD_ENABLED, in->auto_record_enabled,
         &row->auto_record_enabled},
        {ACCOUNTS_CALLING_SET_IN_HAS_WHATSAPP_CALLING_ENABLED, in->whatsapp_calling_enabled,
         &row->whatsapp_calling_enabled},
        {ACCOUNTS_CALLING_SET_IN_HAS_WHATSAPP_SIP_ENABLED, in->whatsapp_sip_enabled,
         &row->whatsapp_sip_enabled},
    };
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (in->has & switches[i].bit)
            *switches[i].to = switches[i].given;
    if (in->voicemail_greeting_url)
        row->voicemail_greeting_url =
            *in->voicemail_greeting_url ? in->voicemail_greeting_url : NULL;
    if (in->voicemail_max_duration)
        row->voicemail_max_duration = in->voicemail_max_duration;
    if (in->recording_format)
        row->recording_format = in->recording_format;
    if (in->default_answer_behavior)
        row->default_answer_behavior = in->default_answer_behavior;
    if (in->max_concurrent_calls)
        row->max_concurrent_calls = in->max_concurrent_calls;
}

int accounts_calling_set (turn_t *t, const accounts_calling_set_in_t *in,
                          accounts_calling_config_t *out)
{
    int code = calling_find (t, in->app, in->app_test, out);
    if (code)
        return code;
    calling_apply (in, out);
    out->created_at = out->version ? out->created_at : t->now;
    out->updated_at = t->now;
    out->version += 1;
    return store_put (t->txn, &accounts_calling_config_record, out, NULL);
}
