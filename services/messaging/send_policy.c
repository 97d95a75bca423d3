/* send_policy.c - how fast sends go and how long they wait.
 *
 * Sends through a carrier are grouped by number: its throughput is the number's own, and a number that the carrier holds back delays no other. Loopback
 * has neither limits nor numbers' throughput: its sends are grouped by organization. */
#include "base/text.h"
#include "gen/accounts.h"
#include "messaging.h"
#include <stdio.h>
#include <string.h>

enum { LOOPBACK_WIDTH = 1024, STEPS_MAX = 32, WAIT_MS = 1000 };

void send_policy (turn_t *t, id16_t group, job_policy_t *out)
{
    const messaging_settings_t *settings = t->settings;
    messaging_route_t route = {0};
    *out = (job_policy_t){.width = LOOPBACK_WIDTH};
    if (route_of_number (t, group, &route) || route.carrier == ACCOUNTS_CARRIER_LOOPBACK)
        return;
    bool meta = route.carrier == ACCOUNTS_CARRIER_META;
    out->width = (unsigned) (meta ? settings->meta_width : settings->telnyx_width);
    out->per_second = (double) (meta ? settings->meta_per_second : settings->telnyx_per_second);
    out->burst = out->per_second;
    out->breaker_failures = (unsigned) settings->breaker_failures;
    out->breaker_open_ms = (uint32_t) settings->breaker_open;
}

/* "1s,2s,5s" to milliseconds; what is no duration ends the list. Returns how many. */
static size_t schedule_read (const char *text, uint32_t *steps)
{
    size_t count = 0;
    for (const char *at = text; at && count < STEPS_MAX;) {
        char part[32];
        int64_t ms = 0;
        size_t length = strcspn (at, ",");
        snprintf (part, sizeof part, "%.*s", (int) length, at);
        if (!text_read_duration (part, &ms) || ms < 0 || ms > UINT32_MAX)
            break;
        steps[count++] = (uint32_t) ms;
        at = at[length] ? at + length + 1 : NULL;
    }
    return count;
}

bool send_wait (turn_t *t, int64_t tries, int64_t at_least, int64_t *out)
{
    const messaging_settings_t *settings = t->settings;
    uint32_t steps[STEPS_MAX];
    size_t count = schedule_read (settings->send_schedule, steps);
    uint64_t random = 0;
    if (!count || tries < 1) {
        *out = at_least > WAIT_MS ? at_least : WAIT_MS;
        return false;
    }
    bool within = tries <= (int64_t) count;
    sign_random (&random, sizeof random);
    *out = job_backoff (within ? (unsigned) tries : (unsigned) count, steps, count,
                        (unsigned) settings->send_jitter, random);
    if (*out < at_least)
        *out = at_least;
    return within;
}
