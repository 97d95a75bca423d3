/* meta_test.h - what the tests of the Meta adapter share. */
#ifndef AVIARY_PROVIDER_META_TEST_H
#define AVIARY_PROVIDER_META_TEST_H

#include "provider/meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#undef fail

enum { TEST_NOW = 1760000000 };

/* A turn of nothing but time and an arena; meta_turn_end frees it. */
turn_t *meta_turn (void);
void meta_turn_end (turn_t *t);
const provider_account_t *meta_account (void);
/* A body from JSON with the core's names; NULL gives NULL. */
const messaging_body_t *meta_body (turn_t *t, const char *json);
/* The same JSON value, whatever the order of members? Prints both if not. */
void meta_same (turn_t *t, const char *name, bytes_t got, const char *want);
/* Equal, or both NULL. */
void meta_same_text (const char *name, const char *got, const char *want);

int meta_outward_tests (void);
int meta_inbound_tests (void);

#endif
