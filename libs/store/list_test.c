/* list_test.c - pages by id and by index, both directions, cursors, offsets, records that moved or
 * went. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "test_record.h"

typedef struct seen {
    char text[128];
    unsigned last;
    int stop_at; /* number of rows after which `each` stops with E_BUSY; 0 = never */
    int count;
} seen_t;

static int each (void *context, const void *row)
{
    seen_t *s = context;
    const item_t *item = row;
    s->last = (unsigned) item->id.b[14] << 8 | item->id.b[15];
    size_t n = strlen (s->text);
    snprintf (s->text + n, sizeof s->text - n, "%s%u", n ? " " : "", s->last);
    return ++s->count == s->stop_at ? E_BUSY : 0;
}

/* Items 1 to 9: app 1 has the odd ones and 8, app 2 the others; states 1 to 3 in turn; time falls
 * as ids grow; state negative for 7. */
static int setup (void **state)
{
    fixture_setup (state);
    fixture_t *f = *state;
    txn_t *txn = begin_write (f->store);
    for (unsigned i = 1; i <= 9; i++) {
        char number[8];
        snprintf (number, sizeof number, "+%u", i % 2 ? 20 - i : i);
        item_t item = item_make (i, i % 2 || i == 8 ? 1 : 2, number);
        item.state = i == 7 ? -5 : (int32_t) (i - 1) % 3 + 1;
        item.at = i == 3 ? -1 : 100 - (int64_t) i;
        assert_int_equal (store_insert (txn, &item_v1, &item, NULL), 0);
    }
    commit (&txn);
    return 0;
}

static const struct {
    const char *name, *index;
    unsigned app;
    int32_t state;
    bool reverse;
    unsigned after;
    size_t offset, limit;
    const char *want;
    bool more;
} pages[] = {
    {"by id", NULL, 0, 0, false, 0, 0, 4, "1 2 3 4", true},
    {"by id, next", NULL, 0, 0, false, 4, 0, 4, "5 6 7 8", true},
    {"by id, last", NULL, 0, 0, false, 8, 0, 4, "9", false},
    {"by id, just so", NULL, 0, 0, false, 5, 0, 4, "6 7 8 9", false},
    {"by id, newest", NULL, 0, 0, true, 0, 0, 3, "9 8 7", true},
    {"by id, newest next", NULL, 0, 0, true, 7, 0, 9, "6 5 4 3 2 1", false},
    {"by id, offset", NULL, 0, 0, false, 0, 3, 2, "4 5", true},
    {"by id, offset beyond", NULL, 0, 0, false, 0, 30, 2, "", false},
    {"by id, offset newest", NULL, 0, 0, true, 0, 3, 2, "6 5", true},
    {"by id, unknown cursor", NULL, 0, 0, false, 99, 0, 2, "", false},
    {"by id, nothing asked", NULL, 0, 0, false, 0, 0, 0, "", true},
    {"by time", "by_time", 1, 0, false, 0, 0, 10, "3 9 8 7 5 1", false},
    {"by time, page", "by_time", 1, 0, false, 9, 0, 2, "8 7", true},
    {"by time, newest", "by_time", 1, 0, true, 0, 0, 2, "1 5", true},
    {"by time, newest page", "by_time", 1, 0, true, 5, 0, 9, "7 8 9 3", false},
    {"by time, all apps", "by_time", 0, 0, false, 0, 0, 20, "3 9 8 7 5 1 6 4 2", false},
    {"by time, all apps page", "by_time", 0, 0, false, 1, 0, 2, "6 4", true},
    {"by state of app", "by_state", 1, 0, false, 0, 0, 10, "7 1 5 8 3 9", false},
    {"one state", "by_state", 1, 2, false, 0, 0, 10, "5 8", false},
    {"one state, newest", "by_state", 1, 2, true, 0, 0, 1, "8", true},
    {"one state, newest page", "by_state", 1, 2, true, 8, 0, 1, "5", false},
    {"one state, cursor of another", "by_state", 1, 2, false, 7, 0, 5, "8", false},
    {"one state, offset", "by_state", 1, 2, false, 0, 1, 5, "8", false},
    {"no such app", "by_state", 5, 0, false, 0, 0, 5, "", false},
    {"unique", "by_number", 1, 0, false, 0, 0, 10, "9 7 5 3 1 8", false},
    {"unique, page", "by_number", 1, 0, false, 7, 0, 2, "5 3", true},
    {"unique, newest page", "by_number", 1, 0, true, 5, 0, 5, "7 9", false},
};

static store_page_t page_of (size_t i, store_key_t keys[2])
{
    keys[0] = (store_key_t){.id = test_app (pages[i].app)};
    keys[1] = (store_key_t){.num = pages[i].state};
    return (store_page_t){.index = pages[i].index,
                          .keys = keys,
                          .key_count = pages[i].state ? 2
                                       : pages[i].app ? 1
                                                      : 0,
                          .newest_first = pages[i].reverse,
                          .after = pages[i].after ? test_id (pages[i].after) : id_nil (),
                          .offset = pages[i].offset,
                          .limit = pages[i].limit};
}

static void pages_list (void **state)
{
    fixture_t *f = *state;
    for (int write = 0; write < 2; write++) {
        txn_t *txn = write ? begin_write (f->store) : begin_read (f->store);
        for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
            store_key_t keys[2];
            store_page_t page = page_of (i, keys);
            seen_t seen = {0};
            bool more = !pages[i].more;
            assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more), 0);
            if (strcmp (seen.text, pages[i].want) != 0 || more != pages[i].more)
                fail_msg ("%s: got %s%s", pages[i].name, seen.text, more ? " and more" : "");
        }
        txn_abort (&txn);
    }
}

/* A place goes by what was seen, wherever the row stands now, or if it is gone. */
static void places (void **state)
{
    fixture_t *f = *state;
    static const struct {
        unsigned after;
        int64_t at;
        bool reverse;
        const char *want;
    } rows[] = {
        {9, 91, false, "8 7 5 1"},  {9, 95, false, "1"},       {9, 91, true, "3"},
        {1, 96, true, "5 7 8 9 3"}, {77, 93, true, "7 8 9 3"}, {77, 95, false, "1"},
    };
    txn_t *txn = begin_read (f->store);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        store_key_t key = {.id = test_app (1)}, behind = {.num = rows[i].at};
        store_page_t page = {.index = "by_time",
                             .keys = &key,
                             .key_count = 1,
                             .newest_first = rows[i].reverse,
                             .after = test_id (rows[i].after),
                             .place = &behind,
                             .limit = 9};
        seen_t seen = {0};
        assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, NULL), 0);
        if (strcmp (seen.text, rows[i].want) != 0)
            fail_msg ("row %zu: got %s", i, seen.text);
    }
    txn_abort (&txn);
}

static void refusals (void **state)
{
    fixture_t *f = *state;
    store_key_t keys[3] = {{.id = test_app (1)}, {.num = 1}, {.num = 1}};
    char number[600];
    seen_t seen = {.stop_at = 2};
    bool more;
    txn_t *txn = begin_read (f->store);
    store_page_t page = {.index = "absent", .limit = 5};
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more), E_INTERNAL);
    page = (store_page_t){.keys = keys, .key_count = 1, .limit = 5};
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more), E_INTERNAL);
    page = (store_page_t){.index = "by_state", .keys = keys, .key_count = 3, .limit = 5};
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more), E_INTERNAL);
    page = (store_page_t){
        .index = "by_time", .keys = keys, .key_count = 1, .after = test_id (99), .limit = 5};
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more), E_NOT_FOUND);
    memset (number, 'x', sizeof number - 1);
    number[sizeof number - 1] = 0;
    keys[1].str = number;
    page = (store_page_t){.index = "by_number", .keys = keys, .key_count = 2, .limit = 5};
    more = true;
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more),
                      0); /* in no index: an empty page */
    assert_false (more);
    page = (store_page_t){.limit = 5};
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, NULL),
                      E_BUSY); /* what `each` said */
    assert_string_equal (seen.text, "1 2");
    txn_abort (&txn);
}

/* The last seen record went or changed meanwhile. */
static void cursor_record_gone (void **state)
{
    fixture_t *f = *state;
    store_key_t keys[2] = {{.id = test_app (1)}, {.num = 2}};
    store_page_t page = {
        .index = "by_state", .keys = keys, .key_count = 2, .after = test_id (5), .limit = 5};
    seen_t seen = {0};
    bool more;
    txn_t *txn = begin_write (f->store);
    assert_int_equal (store_del (txn, &item_v1, test_id (5)), 0);
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more), 0);
    assert_string_equal (seen.text, "8");
    page = (store_page_t){.after = test_id (5), .limit = 2};
    assert_int_equal (store_list (txn, &item_v1, &page, f->arena, each, &seen, &more), 0);
    assert_string_equal (seen.text, "8 6 7");
    txn_abort (&txn);
}

typedef struct sweep {
    txn_t *txn;
    int count;
} sweep_t;

static int each_delete (void *context, const void *row)
{
    sweep_t *s = context;
    s->count++;
    return store_del (s->txn, &item_v1, ((const item_t *) row)->id);
}

static void delete_while_listing (void **state)
{
    fixture_t *f = *state;
    store_key_t keys[1] = {{.id = test_app (1)}};
    uint64_t n;
    bool more;
    sweep_t s = {.txn = begin_write (f->store)};
    store_page_t page = {.index = "by_state", .keys = keys, .key_count = 1, .limit = 4};
    assert_int_equal (store_list (s.txn, &item_v1, &page, f->arena, each_delete, &s, &more), 0);
    assert_true (more);
    assert_int_equal (s.count, 4);
    assert_int_equal (count_of (s.txn, "by_state", keys, 1), 2);
    assert_int_equal (store_list (s.txn, &item_v1, &page, f->arena, each_delete, &s, &more), 0);
    assert_false (more);
    assert_int_equal (kv_count (s.txn, store_table (f->store, "test.item"), &n), 0);
    assert_int_equal (n, 3);
    commit (&s.txn);
}

/* A handler whose arena overflows leaves by longjmp; the transaction cleans up. */
static void arena_overflow_leaks_nothing (void **state)
{
    fixture_t *f = *state;
    jmp_buf trap;
    seen_t seen = {0};
    store_page_t page = {.limit = 9};
    txn_t *volatile txn = begin_write (f->store);
    arena_trap (f->arena, &trap);
    if (setjmp (trap) == 0) {
        arena_fail_nth (f->arena, 4);
        store_list (txn, &item_v1, &page, f->arena, each, &seen, NULL);
        fail_msg ("the arena did not overflow");
    }
    arena_trap (f->arena, NULL);
    txn_t *t = txn;
    txn_abort (&t);
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {T (pages_list),
                                       T (places),
                                       T (refusals),
                                       T (cursor_record_gone),
                                       T (delete_while_listing),
                                       T (arena_overflow_leaks_nothing)};
    return cmocka_run_group_tests_name ("store_list", tests, NULL, NULL);
}
