/* optest_dump.h - all rows of a store, and what differs between two of them. Tests only. */
#ifndef AVIARY_SVC_OPTEST_DUMP_H
#define AVIARY_SVC_OPTEST_DUMP_H

#include "store/store.h"

typedef struct dump dump_t;

/* `skip`: names of tables that are left out, NULL-terminated. NULL if the store cannot be read. */
dump_t *dump_new (store_t *store, const char *const *skip);
void dump_destroy (dump_t **self);
/* "messaging.message +1 -0 ~0, ...": rows that came, went and changed, by table; "" = equal. Lives as long as `after`. */
const char *dump_delta (const dump_t *before, dump_t *after);

#endif
