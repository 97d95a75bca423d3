/* test_record.c - see test_record.h. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/memory.h"
#include "store/private.h"
#include "test_record.h"

#define FIELD(n, f, k)                                                                             \
    {                                                                                              \
        .name = #f, .number = (n), .has_bit = (n) -1, .offset = offsetof (item_t, f), .kind = (k), \
        .max = INT64_MAX                                                                           \
    }

static const schema_field_t fields[] = {
    FIELD (1, id, SK_ID),    FIELD (2, app, SK_ID),     FIELD (3, number, SK_STR),
    FIELD (4, at, SK_TIME),  FIELD (5, state, SK_ENUM), FIELD (6, open, SK_BOOL),
    FIELD (7, note, SK_STR),
};

static const schema_type_t type_v1 = {.name = "test.item",
                                      .fields = fields,
                                      .field_count = 6,
                                      .size = sizeof (item_t),
                                      .unknown_offset = offsetof (item_t, unknown),
                                      .test_offset = -1};
static const schema_type_t type_v2 = {.name = "test.item",
                                      .fields = fields,
                                      .field_count = 7,
                                      .size = sizeof (item_t),
                                      .unknown_offset = offsetof (item_t, unknown),
                                      .test_offset = -1};

static const schema_field_t *const app_number[] = {&fields[1], &fields[2]};
static const schema_field_t *const app_state[] = {&fields[1], &fields[4]};
static const schema_field_t *const app_at[] = {&fields[1], &fields[3]};
static const schema_field_t *const only_at[] = {&fields[3]};
static const schema_field_t *const only_open[] = {&fields[5]};
static const schema_field_t *const only_note[] = {&fields[6]};

static const schema_index_t indexes_v1[] = {
    {"by_number", app_number, 2, true, true, false},
    {"by_state", app_state, 2, false, true, false},
    {"by_time", app_at, 2, false, false, false},
    {"by_open", only_open, 1, false, false, false},
};
static const schema_index_t indexes_v2[] = {
    {"by_note", only_note, 1, false, true, false},  {"by_number", app_number, 2, true, true, false},
    {"by_state", app_state, 2, false, true, false}, {"by_time", only_at, 1, false, false, false},
    {"by_open", only_open, 1, false, false, false},
};

const schema_record_t item_v1 = {&type_v1, "test.item", 7, &fields[0], &fields[1], indexes_v1, 4};
const schema_record_t item_v2 = {&type_v2, "test.item", 7, &fields[0], &fields[1], indexes_v2, 5};

static const schema_record_t *const records_v1[] = {&item_v1};
static const schema_record_t *const records_v2[] = {&item_v2};

const schema_service_t service_v1 = {
    .name = "test", .records = records_v1, .record_count = 1, .version = 1, .readable_from = 1};
const schema_service_t service_v2 = {
    .name = "test", .records = records_v2, .record_count = 1, .version = 2, .readable_from = 1};
const char *const raw_tables[] = {"raw", "other", NULL};

/* ---- folders and stores ---- */

static int remove_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st, (void) type, (void) ftw;
    return remove (path);
}

void folder_remove (const char *folder)
{
    nftw (folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

store_t *open_or_fail (const store_config_t *config)
{
    store_t *store = NULL;
    failure_t failure = {0};
    if (store_open (config, &store, &failure))
        fail_msg ("%s: %s", error_name (failure.code), failure.text);
    return store;
}

int fixture_setup_closed (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    const char *top = getenv ("TMPDIR");
    snprintf (f->folder, sizeof f->folder, "%s/aviary-store-XXXXXX", top ? top : "/tmp");
    assert_non_null (mkdtemp (f->folder));
    static const memory_options_t memory = {.seed = 1, .delay_in = 50};
    const char *backend = getenv ("AVIARY_OPTEST_BACKEND");
    bool in_memory = backend && strcmp (backend, "memory") == 0;
    f->config = (store_config_t){.folder = f->folder,
                                 .backend = in_memory ? &backend_memory : NULL,
                                 .backend_options = in_memory ? &memory : NULL,
                                 .service = &service_v1,
                                 .tables = raw_tables,
                                 .no_sync = true};
    f->arena = arena_new (16 << 20);
    *state = f;
    return 0;
}

int fixture_setup (void **state)
{
    fixture_setup_closed (state);
    fixture_t *f = *state;
    f->store = open_or_fail (&f->config);
    return 0;
}

int fixture_teardown (void **state)
{
    fixture_t *f = *state;
    store_close (&f->store);
    arena_destroy (&f->arena);
    folder_remove (f->folder);
    free (f);
    return 0;
}

/* ---- records ---- */

id16_t test_id (unsigned n)
{
    id16_t id = {{1, 2, 3, 4, 5, 6, 0x70, 0, 0x80}};
    for (size_t i = 0; i < 4; i++)
        id.b[12 + i] = (uint8_t) (n >> (24 - 8 * i));
    return id;
}

id16_t test_app (unsigned n)
{
    id16_t id = test_id (n);
    id.b[0] = 0xAA;
    return id;
}

item_t item_make (unsigned n, unsigned app, const char *number)
{
    return (item_t){
        .id = test_id (n), .app = test_app (app), .number = number, .at = 1000 + n, .state = 1};
}

txn_t *begin_write (store_t *store)
{
    txn_t *txn = NULL;
    assert_int_equal (txn_begin (store, TXN_WRITE, &txn), 0);
    return txn;
}

txn_t *begin_read (store_t *store)
{
    txn_t *txn = NULL;
    assert_int_equal (txn_begin (store, TXN_READ, &txn), 0);
    return txn;
}

void commit (txn_t **txn)
{
    assert_int_equal (txn_commit (txn), 0);
    assert_null (*txn);
}

void put_item (store_t *store, const item_t *item)
{
    txn_t *txn = begin_write (store);
    assert_int_equal (store_put (txn, &item_v1, item, NULL), 0);
    commit (&txn);
}

uint64_t count_of (txn_t *txn, const char *index, const store_key_t *keys, size_t n)
{
    uint64_t out = 0;
    assert_int_equal (store_count (txn, &item_v1, index, keys, n, &out), 0);
    return out;
}

static uint64_t hash_bytes (uint64_t h, bytes_t b)
{
    for (size_t i = 0; i < b.size; i++)
        h = (h ^ b.data[i]) * 1099511628211ULL;
    return (h ^ 0x1FF) * 1099511628211ULL;
}

uint64_t fingerprint (txn_t *txn, store_t *store)
{
    uint64_t h = 14695981039346656037ULL;
    if (txn->mode == TXN_WRITE)
        assert_int_equal (pending_settle (txn), 0);
    for (size_t i = 0; i < store->table_count; i++) {
        kv_cursor_t c = {.table = &store->tables[i]};
        bytes_t key, value;
        if (c.table == store->meta)
            continue;
        h = hash_bytes (h, bytes_of_str (c.table->name));
        while (kv_next (txn, &c, &key, &value) == 0)
            h = hash_bytes (hash_bytes (h, key), value);
    }
    return h;
}
