/* cursor_test.c - a cursor opens where it was made, with every byte as it was, and nowhere else. */
#include "dialect/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[SIGN_KEY_SIZE] = {1}, other_key[SIGN_KEY_SIZE] = {2};
static const uint8_t listing[SIGN_SHA256_SIZE] = {3}, other[SIGN_SHA256_SIZE] = {4};

static void test_round (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    static const size_t sizes[] = {1, 24, CURSOR_POSITION_MAX};
    uint8_t data[CURSOR_POSITION_MAX + 1] = {7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bytes_t cursor, back;
        assert_int_equal (cursor_seal (key, listing, bytes_of (data, sizes[i]), arena, &cursor), 0);
        assert_int_equal (cursor_open (key, listing, cursor, &back), 0);
        assert_int_equal (back.size, sizes[i]);
        assert_memory_equal (back.data, data, sizes[i]);
        assert_int_equal (cursor_open (key, other, cursor, &back), E_BAD_CURSOR);
        assert_int_equal (cursor_open (other_key, listing, cursor, &back), E_BAD_CURSOR);
    }
    bytes_t cursor;
    assert_int_equal (cursor_seal (key, listing, bytes_of (data, 0), arena, &cursor), E_INTERNAL);
    assert_int_equal (cursor_seal (key, listing, bytes_of (data, sizeof data), arena, &cursor),
                      E_INTERNAL);
    arena_destroy (&arena);
}

static void test_altered (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    uint8_t text[64];
    bytes_t cursor, back;
    assert_int_equal (cursor_seal (key, listing, bytes_of_str ("0123456789"), arena, &cursor), 0);
    for (size_t i = 0; i < cursor.size * 8; i++) {
        memcpy (text, cursor.data, cursor.size);
        text[i / 8] ^= (uint8_t) (1 << i % 8);
        assert_int_equal (cursor_open (key, listing, bytes_of (text, cursor.size), &back),
                          E_BAD_CURSOR);
    }
    for (size_t size = 0; size < cursor.size; size++) {
        assert_int_equal (cursor_open (key, listing, bytes_of (cursor.data, size), &back),
                          E_BAD_CURSOR);
        assert_int_equal (
            cursor_open (key, listing, bytes_of (cursor.data + cursor.size - size, size), &back),
            E_BAD_CURSOR);
    }
    arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_round),
                                       cmocka_unit_test (test_altered)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
