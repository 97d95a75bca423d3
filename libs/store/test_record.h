/* test_record.h - a record written by hand, in two schema versions, and a folder to keep stores in;
 * for the tests of libs/store. */
#ifndef AVIARY_STORE_TEST_RECORD_H
#define AVIARY_STORE_TEST_RECORD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/store.h"

typedef struct item {
    uint64_t has;
    id16_t id;
    id16_t app;
    const char *number;
    int64_t at;
    int32_t state;
    bool open;
    const char *note; /* since version 2 */
    bytes_t unknown;
} item_t;

/* Indexes: by_number unique (app, number) counted; by_state (app, state) counted; by_time (app,
 * at); by_open (open); version 2 adds by_note (note) counted and turns by_time into (at). */
extern const schema_record_t item_v1;
extern const schema_record_t item_v2;
extern const schema_service_t service_v1;
extern const schema_service_t service_v2;
extern const char *const raw_tables[]; /* "raw", "other" */

typedef struct fixture {
    char folder[256];
    store_config_t config;
    store_t *store;
    arena_t *arena;
} fixture_t;

/* cmocka setups: a fresh folder; open, or only the folder. */
int fixture_setup (void **state);
int fixture_setup_closed (void **state);
int fixture_teardown (void **state);
void folder_remove (const char *folder);
store_t *open_or_fail (const store_config_t *config);

id16_t test_id (unsigned n); /* grows with n */
id16_t test_app (unsigned n);
item_t item_make (unsigned n, unsigned app, const char *number);

txn_t *begin_write (store_t *store);
txn_t *begin_read (store_t *store);
void commit (txn_t **txn);
void put_item (store_t *store, const item_t *item);
uint64_t count_of (txn_t *txn, const char *index, const store_key_t *keys, size_t n);
/* Every key and value of every table but store.meta's, as one number per state of the store. */
uint64_t fingerprint (txn_t *txn, store_t *store);

#endif
