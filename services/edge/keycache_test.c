/* keycache_test.c - the cache under its lease, with a clock of the test's own: what was revoked is not found again, whatever comes late. */
#include "keycache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void proof_of (uint32_t n, uint8_t out[SIGN_SHA256_SIZE])
{
    sign_sha256 (bytes_of (&n, sizeof n), out);
}

static id16_t id_of (uint32_t kind, uint32_t n)
{
    id16_t id = {{0}};
    memcpy (id.b, &kind, sizeof kind);
    memcpy (id.b + 4, &n, sizeof n);
    return id;
}

static key_info_t info_of (uint32_t n)
{
    return (key_info_t){.id = id_of (1, n),
                        .app = id_of (2, n % 10),
                        .org = id_of (3, n % 3),
                        .kind = ACCOUNTS_KEY_KIND_APP};
}

static void put (key_cache_t *cache, uint32_t n)
{
    uint8_t proof[SIGN_SHA256_SIZE];
    key_info_t info = info_of (n);
    proof_of (n, proof);
    key_cache_put (cache, key_cache_epoch (cache), proof, &info);
}

static bool has (key_cache_t *cache, uint32_t n, int64_t now_ms)
{
    uint8_t proof[SIGN_SHA256_SIZE];
    key_info_t info, want = info_of (n);
    proof_of (n, proof);
    bool found = key_cache_find (cache, proof, now_ms, &info);
    if (found)
        assert_true (id_equal (info.id, want.id));
    return found;
}

static void test_lease (void **state)
{
    (void) state;
    key_cache_t *cache = key_cache_new ();
    put (cache, 1);
    assert_false (has (cache, 1, 0)); /* no lease yet */
    key_lease_renew (cache, 5000);
    assert_true (has (cache, 1, 5999));
    assert_false (has (cache, 1, 6000)); /* a second after the beat was sent */
    assert_false (has (cache, 2, 5500));
    key_lease_renew (cache, 4000); /* an older beat answered late takes nothing away */
    assert_true (has (cache, 1, 5999));
    key_lease_renew (cache, 6500);
    assert_true (
        has (cache, 1, 7000)); /* what was kept is good again once all that happened is known */
    key_cache_destroy (&cache);
    key_cache_destroy (&cache);
}

static void test_drops (void **state)
{
    (void) state;
    key_cache_t *cache = key_cache_new ();
    key_lease_renew (cache, 0);
    for (uint32_t n = 0; n < 100; n++)
        put (cache, n);
    assert_int_equal (key_cache_size (cache), 100);
    key_cache_drop_key (cache, id_of (1, 7));
    key_cache_drop_app (cache, id_of (2, 4));
    key_cache_drop_org (cache, id_of (3, 2));
    for (uint32_t n = 0; n < 100; n++)
        assert_int_equal (has (cache, n, 10), n != 7 && n % 10 != 4 && n % 3 != 2);
    key_cache_drop_all (cache);
    assert_int_equal (key_cache_size (cache), 0);
    assert_false (has (cache, 0, 10));
    key_cache_destroy (&cache);
}

/* Accounts was asked, then the key was deleted and forgotten, then the old answer came. */
static void test_late_answer (void **state)
{
    (void) state;
    key_cache_t *cache = key_cache_new ();
    uint8_t proof[SIGN_SHA256_SIZE];
    key_info_t info = info_of (5);
    proof_of (5, proof);
    key_lease_renew (cache, 0);
    uint64_t epoch = key_cache_epoch (cache);
    key_cache_drop_key (cache, info.id);
    key_cache_put (cache, epoch, proof, &info);
    assert_false (has (cache, 5, 10));
    key_cache_put (cache, key_cache_epoch (cache), proof, &info);
    assert_true (has (cache, 5, 10));
    key_cache_destroy (&cache);
}

static void test_bounded (void **state)
{
    (void) state;
    key_cache_t *cache = key_cache_new ();
    key_lease_renew (cache, 0);
    for (uint32_t n = 0; n < 100000; n++)
        put (cache, n);
    assert_true (key_cache_size (cache) <= (size_t) KEY_CACHE_SETS * KEY_CACHE_WAYS);
    assert_true (has (cache, 99999, 10));
    key_cache_destroy (&cache);
}

/* ---- pages of the journal ---- */

typedef struct page {
    arena_t *arena;
    common_event_t events[4];
    common_journal_read_out_t out;
} page_t;

static void page_event (page_t *page, int64_t number, const schema_type_t *type, const void *body)
{
    buf_t packed = buf_in (page->arena);
    schema_pack (type, body, &packed);
    size_t n = page->out.events.count++;
    page->events[n] = (common_event_t){
        .sequence = (int64_t) n + 1, .number = number, .body = buf_bytes (&packed)};
    page->out.events.items = page->events;
    page->out.head = (int64_t) n + 1;
}

static void test_pages (void **state)
{
    (void) state;
    key_cache_t *cache = key_cache_new ();
    page_t page = {.arena = arena_new (1 << 20)};
    assert_true (key_lease_page (cache, &page.out, true, 1000, page.arena));
    assert_int_equal (key_lease_until (cache), 2000);
    for (uint32_t n = 0; n < 30; n++)
        put (cache, n);

    accounts_key_deleted_t key = {.id = id_of (1, 7)};
    accounts_app_changed_t app = {.id = id_of (2, 4)};
    accounts_org_changed_t org = {.id = id_of (3, 2)};
    page_event (&page, ACCOUNTS_EVENT_KEY_DELETED, &accounts_key_deleted_type, &key);
    page_event (&page, ACCOUNTS_EVENT_APP_CHANGED, &accounts_app_changed_type, &app);
    page_event (&page, ACCOUNTS_EVENT_ORG_CHANGED, &accounts_org_changed_type, &org);
    page.out.head = 9; /* more to come: nothing may be renewed by this */
    assert_true (key_lease_page (cache, &page.out, false, 1500, page.arena));
    assert_int_equal (key_lease_until (cache), 2000);
    for (uint32_t n = 0; n < 30; n++)
        assert_int_equal (has (cache, n, 1600), n != 7 && n % 10 != 4 && n % 3 != 2);
    page.out.head = 3;
    assert_true (key_lease_page (cache, &page.out, false, 1600, page.arena));
    assert_int_equal (key_lease_until (cache), 2600);
    arena_destroy (&page.arena);
    key_cache_destroy (&cache);
}

static void test_pages_that_do_not_tell (void **state)
{
    (void) state;
    key_cache_t *cache = key_cache_new ();
    page_t page = {.arena = arena_new (1 << 20)};
    assert_true (key_lease_page (cache, &page.out, true, 1000, page.arena));
    put (cache, 1);
    page.out.reset = true; /* another epoch, or trimmed */
    assert_false (key_lease_page (cache, &page.out, false, 1500, page.arena));
    assert_int_equal (key_cache_size (cache), 0);
    assert_int_equal (key_lease_until (cache), 2000);
    page.out.reset = false;
    put (cache, 1);
    uint64_t epoch = key_cache_epoch (cache);
    assert_true (key_lease_page (cache, &page.out, true, 1600,
                                 page.arena)); /* from the head: what came before it is not known */
    assert_int_equal (key_cache_size (cache), 0);
    assert_true (key_cache_epoch (cache) != epoch);
    put (cache, 1);
    page.events[0] = (common_event_t){
        .sequence = 1, .number = ACCOUNTS_EVENT_KEY_DELETED, .body = bytes_of_str ("junk")};
    page.out.events = (schema_list_t){page.events, 1};
    assert_false (key_lease_page (cache, &page.out, false, 1700, page.arena));
    assert_int_equal (key_cache_size (cache), 0);
    arena_destroy (&page.arena);
    key_cache_destroy (&cache);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_lease),       cmocka_unit_test (test_drops),
        cmocka_unit_test (test_late_answer), cmocka_unit_test (test_bounded),
        cmocka_unit_test (test_pages),       cmocka_unit_test (test_pages_that_do_not_tell)};
    if (sign_init ())
        return 1;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
