/* bench_world.c - see bench_world.h. What is wrong ends the program: a figure of it would mean nothing. */
#include "bench_world.h"

#include <stdio.h>
#include <stdlib.h>

void must (bool ok, const char *what)
{
    if (ok)
        return;
    fprintf (stderr, "bench: %s\n", what);
    exit (1);
}

double clock_us (clockid_t clock)
{
    struct timespec at;
    clock_gettime (clock, &at);
    return (double) at.tv_sec * 1e6 + (double) at.tv_nsec / 1e3;
}

uint64_t dice_next (uint64_t *seed)
{
    uint64_t x = *seed += UINT64_C (0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C (0x94d049bb133111eb);
    return x ^ (x >> 31);
}

optest_t *world_start (void)
{
    static const char *const flags[] = {"--loopback-delay=0", "--send-jitter=0", NULL};
    optest_t *test = optest_new_with (&messaging_tables, flags);
    must (test, "the service did not start");
    return test;
}

id16_t world_app (unsigned app)
{
    return (id16_t){{3, (uint8_t) app}};
}

id16_t world_number (unsigned app, unsigned number)
{
    return (id16_t){{4, (uint8_t) app, (uint8_t) number}};
}

void world_app_add (optest_t *test, id16_t org, unsigned app)
{
    id16_t id = world_app (app);
    event_about_t about = {.record = id, .version = 1, .org = org, .app = id, .test = true};
    accounts_app_changed_t row = {
        .id = id, .org = org, .name = "Desk", .test = true, .status = ACCOUNTS_APP_STATUS_ACTIVE};
    must (!optest_follow (test, &accounts_app_changed_event, &about, &row, NULL), "an app");
}

void world_number_add (optest_t *test, id16_t org, unsigned app, unsigned number, const char *e164,
                       int32_t channel)
{
    accounts_assignment_changed_t row = {.id = {{5, (uint8_t) app, (uint8_t) number}},
                                         .org = org,
                                         .app = world_app (app),
                                         .number_id = world_number (app, number),
                                         .number = e164,
                                         .channel = channel,
                                         .carrier = ACCOUNTS_CARRIER_LOOPBACK,
                                         .test = true};
    event_about_t about = {
        .record = row.id, .version = 1, .org = org, .app = row.app, .test = true};
    must (!optest_follow (test, &accounts_assignment_changed_event, &about, &row, NULL),
          "a number");
}
