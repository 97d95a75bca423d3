/* keyuse.h - when keys were used last, noted in memory until accounts is told.
 *
 * A note costs a lock and a few compares. What does not fit is not noted; what is lost with the process or on the way was at most one period of notes. All functions may be
 * called from any thread. */
#ifndef AVIARY_EDGE_KEYUSE_H
#define AVIARY_EDGE_KEYUSE_H

#include "gen/accounts.h"

typedef struct key_uses key_uses_t;

key_uses_t *key_uses_new (void); /* NULL: no memory */
void key_uses_destroy (key_uses_t **self);
/* `at` in Unix ms. */
void key_uses_note (key_uses_t *self, id16_t key, int64_t at);
/* Up to `most` notes, which are forgotten here. Returns how many. */
size_t key_uses_take (key_uses_t *self, accounts_key_use_t *out, size_t most);

#endif
