/* inbound_simulate.c - a playground user writes to a test app's number, by way of the loopback carrier. */
#include "gen/accounts.h"
#include "gen/provider.h"
#include "messaging.h"

int messaging_inbound_simulate (turn_t *t, const messaging_inbound_simulate_in_t *in,
                                messaging_inbound_simulate_out_t *out)
{
    messaging_route_t to = {0};
    messaging_user_number_t user = {0};
    if (!t->ask->test)
        return fail (t, E_TEST_APP_REQUIRED, NULL, "Only test apps have a playground");
    int code = number_of_app (t, in->channel, in->to, &to);
    if (code == 0)
        code = user_number_note (t, t->ask->app, in->channel, in->from, &user);
    if (code)
        return code;
    id16_t id = turn_id (t);
    char text[ID_UUID_LENGTH + 1];
    id_write_uuid (id, text);
    provider_loopback_callback_t callback = {
        .news = PROVIDER_LOOPBACK_NEWS_INBOUND,
        .provider_id = arena_join (t->arena, "lb-", text),
        .from = in->from,
        .to = in->to,
        .text = in->text,
        .subject = in->subject,
        .number = to.number_id,
        .org = t->ask->org,
        .whatsapp = in->channel == ACCOUNTS_CHANNEL_WHATSAPP,
    };
    code = receipt_job_add (t, &callback, t->ask->org, 0);
    *out = (messaging_inbound_simulate_out_t){
        .id = id, .test = true, .status = MESSAGING_STATUS_QUEUED};
    return code;
}
