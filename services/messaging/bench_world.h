/* bench_world.h - what messaging's measuring programs share: apps and their numbers, time, chance. */
#ifndef AVIARY_MESSAGING_BENCH_WORLD_H
#define AVIARY_MESSAGING_BENCH_WORLD_H

#include "gen/accounts.h"
#include "messaging.h"
#include "svc/optest.h"

#include <time.h>

/* Ends the program with a line on stderr unless `ok`. */
void must (bool ok, const char *what);

double clock_us (clockid_t clock);
/* The next of a sequence that depends on the seed alone (splitmix64). */
uint64_t dice_next (uint64_t *seed);

/* The service without delays, where nothing of chance happens. */
optest_t *world_start (void);
id16_t world_app (unsigned app);
id16_t world_number (unsigned app, unsigned number);
/* The n-th test app of an organization is there, and a number of it. */
void world_app_add (optest_t *test, id16_t org, unsigned app);
void world_number_add (optest_t *test, id16_t org, unsigned app, unsigned number, const char *e164,
                       int32_t channel);

#endif
