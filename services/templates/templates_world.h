/* templates_world.h - what the tests of templates share: an organization with a WhatsApp account at Meta. Tests only. */
#ifndef AVIARY_TEMPLATES_WORLD_H
#define AVIARY_TEMPLATES_WORLD_H

#include "gen/accounts.h"
#include "svc/optest.h"
#include "templates.h"

extern const id16_t world_org, world_account;

/* The account as accounts tells it, its secrets sealed. */
accounts_carrier_changed_t world_carrier (optest_t *test, const char *waba, bool deleted);
int world_carrier_tell (optest_t *test, uint64_t version, const char *waba, bool deleted);

#endif
