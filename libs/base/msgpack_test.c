/* msgpack_test.c - exact bytes, there and back, and a reader that trusts nothing. */
#include "base/msgpack.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_bytes (buf_t *buf, const void *want, size_t size)
{
    assert_false (buf_failed (buf));
    assert_int_equal (buf->size, size);
    assert_memory_equal (buf->data, want, size);
    mp_reader_t in = mp_read (buf_bytes (buf));
    assert_true (bytes_equal (mp_skip (&in), bytes_of (want, size)));
    assert_true (mp_done (&in));
}

static void test_ints (void **state)
{
    static const struct {
        int64_t value;
        size_t size;
        const char *packed;
    } rows[] = {
        {0, 1, "\x00"},
        {127, 1, "\x7f"},
        {128, 2, "\xcc\x80"},
        {255, 2, "\xcc\xff"},
        {256, 3, "\xcd\x01\x00"},
        {65535, 3, "\xcd\xff\xff"},
        {65536, 5, "\xce\x00\x01\x00\x00"},
        {4294967295, 5, "\xce\xff\xff\xff\xff"},
        {4294967296, 9, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00"},
        {INT64_MAX, 9, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"},
        {-1, 1, "\xff"},
        {-32, 1, "\xe0"},
        {-33, 2, "\xd0\xdf"},
        {-128, 2, "\xd0\x80"},
        {-129, 3, "\xd1\xff\x7f"},
        {-32768, 3, "\xd1\x80\x00"},
        {-32769, 5, "\xd2\xff\xff\x7f\xff"},
        {INT32_MIN, 5, "\xd2\x80\x00\x00\x00"},
        {(int64_t) INT32_MIN - 1, 9, "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"},
        {INT64_MIN, 9, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t buf = {0};
        mp_int (&buf, rows[i].value);
        check_bytes (&buf, rows[i].packed, rows[i].size);
        mp_reader_t in = mp_read (buf_bytes (&buf));
        assert_int_equal (mp_peek (&in), MP_INT);
        assert_true (mp_read_int (&in) == rows[i].value);
        assert_true (mp_done (&in));
        in = mp_read (buf_bytes (&buf));
        assert_true (mp_read_float (&in) == (double) rows[i].value);
        buf_free (&buf);
    }
}

static void test_floats (void **state)
{
    static const struct {
        double value;
        size_t size;
    } rows[] = {
        {0.0, 5},    {-0.0, 5},     {1.5, 5},       {0.1, 9},        {1e300, 9}, {-1e300, 9},
        {1e-300, 9}, {INFINITY, 5}, {-INFINITY, 5}, {16777217.0, 9}, {0.5, 5},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_t buf = {0};
        mp_float (&buf, rows[i].value);
        assert_int_equal (buf.size, rows[i].size);
        mp_reader_t in = mp_read (buf_bytes (&buf));
        assert_int_equal (mp_peek (&in), MP_FLOAT);
        double back = mp_read_float (&in);
        assert_memory_equal (&back, &rows[i].value, sizeof back);
        assert_true (mp_done (&in));
        buf_free (&buf);
    }
    buf_t one = {0}, two = {0};
    mp_float (&one, NAN);
    mp_float (&two, -NAN);
    assert_true (bytes_equal (buf_bytes (&one), buf_bytes (&two)));
    mp_reader_t in = mp_read (buf_bytes (&one));
    assert_true (isnan (mp_read_float (&in)));
    buf_free (&one);
    buf_free (&two);
}

static void test_lengths (void **state)
{
    static const struct {
        size_t size, str_head, bin_head;
    } rows[] = {
        {0, 1, 2},   {31, 1, 2},    {32, 2, 2},    {255, 2, 2},
        {256, 3, 3}, {65535, 3, 3}, {65536, 5, 5}, {100000, 5, 5},
    };
    (void) state;
    char *text = calloc (1, 100001);
    assert_non_null (text);
    memset (text, 'x', 100000);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bytes_t want = bytes_of (text, rows[i].size);
        buf_t buf = {0};
        mp_strn (&buf, text, rows[i].size);
        assert_int_equal (buf.size, rows[i].str_head + rows[i].size);
        mp_bin (&buf, text, rows[i].size);
        assert_int_equal (buf.size, rows[i].str_head + rows[i].bin_head + 2 * rows[i].size);
        mp_reader_t in = mp_read (buf_bytes (&buf));
        assert_int_equal (mp_peek (&in), MP_STR);
        assert_true (bytes_equal (mp_read_str (&in), want));
        assert_int_equal (mp_peek (&in), MP_BIN);
        assert_true (bytes_equal (mp_read_bin (&in), want));
        assert_int_equal (mp_peek (&in), MP_END);
        assert_true (mp_done (&in));
        buf_free (&buf);
    }
    free (text);
}

static void test_counts (void **state)
{
    static const uint32_t rows[] = {0, 1, 15, 16, 65535, 65536};
    static const size_t heads[] = {1, 1, 1, 3, 3, 5};
    (void) state;
    for (size_t i = 0; i < 6; i++) {
        buf_t buf = {0};
        mp_array (&buf, rows[i]);
        assert_int_equal (buf.size, heads[i]);
        for (uint32_t j = 0; j < rows[i]; j++)
            mp_nil (&buf);
        mp_map (&buf, rows[i]);
        for (uint32_t j = 0; j < 2 * rows[i]; j++)
            mp_bool (&buf, j & 1);
        mp_reader_t in = mp_read (buf_bytes (&buf));
        assert_int_equal (mp_peek (&in), MP_ARRAY);
        assert_int_equal (mp_read_array (&in), rows[i]);
        for (uint32_t j = 0; j < rows[i]; j++)
            assert_true (mp_read_nil (&in));
        assert_int_equal (mp_peek (&in), MP_MAP);
        assert_int_equal (mp_read_map (&in), rows[i]);
        for (uint32_t j = 0; j < 2 * rows[i]; j++)
            assert_int_equal (mp_read_bool (&in), j & 1);
        assert_true (mp_done (&in));
        in = mp_read (buf_bytes (&buf));
        mp_skip (&in);
        assert_int_equal (mp_skip (&in).size, heads[i] + 2 * rows[i]);
        assert_true (mp_done (&in));
        buf_free (&buf);
    }
}

static void test_small_kinds (void **state)
{
    (void) state;
    id16_t id = {{1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, 15, 16}};
    buf_t buf = {0};
    mp_nil (&buf);
    mp_bool (&buf, true);
    mp_str (&buf, NULL);
    mp_str (&buf, "wren");
    mp_id (&buf, id);
    mp_id (&buf, id_nil ());
    mp_raw (&buf, bytes_of ("\xc2", 1));
    mp_reader_t in = mp_read (buf_bytes (&buf));
    assert_true (mp_read_nil (&in));
    assert_false (mp_read_nil (&in));
    assert_true (mp_read_bool (&in));
    assert_true (mp_read_nil (&in));
    assert_true (bytes_equal (mp_read_str (&in), bytes_of_str ("wren")));
    assert_true (id_equal (mp_read_id (&in), id));
    assert_true (id_is_nil (mp_read_id (&in)));
    assert_false (mp_read_bool (&in));
    assert_true (mp_done (&in));
    assert_false (mp_read_nil (&in));
    assert_true (mp_done (&in));
    mp_skip (&in);
    assert_false (mp_done (&in));
    buf_free (&buf);
}

typedef void read_fn (mp_reader_t *in);

static void read_bool (mp_reader_t *in)
{
    assert_false (mp_read_bool (in));
}
static void read_int (mp_reader_t *in)
{
    assert_int_equal (mp_read_int (in), 0);
}
static void read_float (mp_reader_t *in)
{
    assert_true (mp_read_float (in) == 0);
}
static void read_str (mp_reader_t *in)
{
    assert_int_equal (mp_read_str (in).size, 0);
}
static void read_bin (mp_reader_t *in)
{
    assert_int_equal (mp_read_bin (in).size, 0);
}
static void read_id (mp_reader_t *in)
{
    assert_true (id_is_nil (mp_read_id (in)));
}
static void read_array (mp_reader_t *in)
{
    assert_int_equal (mp_read_array (in), 0);
}
static void read_map (mp_reader_t *in)
{
    assert_int_equal (mp_read_map (in), 0);
}
static void read_any (mp_reader_t *in)
{
    assert_int_equal (mp_skip (in).size, 0);
}

static void test_refusals (void **state)
{
    static const struct {
        read_fn *read;
        size_t size;
        const char *packed;
    } rows[] = {
        {read_bool, 0, ""},
        {read_bool, 1, "\x01"},
        {read_int, 1, "\xc0"},
        {read_int, 1, "\xcc"},
        {read_int, 8, "\xcf\x00\x00\x00\x00\x00\x00\x00"},
        {read_int, 9, "\xcf\x80\x00\x00\x00\x00\x00\x00\x00"}, /* above INT64_MAX */
        {read_int, 5, "\xca\x00\x00\x00\x00"},
        {read_float, 4, "\xca\x00\x00\x00"},
        {read_float, 1, "\xa0"},
        {read_str, 1, "\xa1"},
        {read_str, 1, "\xd9"},
        {read_str, 5, "\xdb\xff\xff\xff\xff"},
        {read_str, 3, "\xc4\x01x"},
        {read_bin, 2, "\xa1x"},
        {read_bin, 6, "\xc6\x00\x00\x00\x02x"},
        {read_id, 17,
         "\xc4\x0f"
         "0123456789abcde"},
        {read_id, 1, "\x01"},
        {read_array, 1, "\x91"},
        {read_array, 5, "\xdd\xff\xff\xff\xff"},
        {read_array, 2, "\x81\x01"},
        {read_map, 2, "\x81\x01"},
        {read_map, 6, "\xdf\xff\xff\xff\xff\x01"},
        {read_any, 0, ""},
        {read_any, 1, "\xc1"},
        {read_any, 2, "\x92\x01"},
        {read_any, 3, "\x92\x01\xc1"},
        {read_any, 2, "\xd4\x01"},
        {read_any, 3, "\xc7\x01\x05"},
        {read_any, 6, "\xc9\xff\xff\xff\xff\x00"},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* On the heap and of the exact size, so that the sanitizer sees a byte too far. */
        uint8_t *copy = malloc (rows[i].size ? rows[i].size : 1);
        assert_non_null (copy);
        memcpy (copy, rows[i].packed, rows[i].size);
        mp_reader_t in = mp_read (bytes_of (copy, rows[i].size));
        rows[i].read (&in);
        assert_true (in.failed);
        assert_false (mp_done (&in));
        assert_int_equal (mp_peek (&in), MP_BAD);
        read_int (&in); /* sticks */
        assert_false (mp_read_nil (&in));
        free (copy);
    }
}

static void test_ext_and_uint (void **state)
{
    static const char packed[] = "\xd4\x01"
                                 "a\xd5\x01"
                                 "ab\xd8\x01"
                                 "0123456789abcdef\xc7\x03\x07xyz"
                                 "\xc8\x00\x01\x07x\xcf\xff\xff\xff\xff\xff\xff\xff\xff";
    static const size_t sizes[] = {3, 4, 18, 6, 5, 9};
    (void) state;
    mp_reader_t in = mp_read (bytes_of (packed, sizeof packed - 1));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal (mp_peek (&in), MP_EXT);
        assert_int_equal (mp_skip (&in).size, sizes[i]);
    }
    assert_int_equal (mp_peek (&in), MP_UINT);
    assert_true (mp_read_float (&in) == (double) UINT64_MAX);
    assert_true (mp_done (&in));
}

static void test_depth (void **state)
{
    (void) state;
    for (size_t depth = 1; depth < 40; depth++) {
        buf_t buf = {0};
        for (size_t i = 0; i < depth; i++)
            mp_array (&buf, 1);
        mp_nil (&buf);
        mp_reader_t in = mp_read (buf_bytes (&buf));
        assert_int_equal (mp_skip (&in).size, depth <= MP_DEPTH_MAX ? depth + 1 : 0);
        assert_int_equal (mp_done (&in), depth <= MP_DEPTH_MAX);
        buf_free (&buf);
    }
}

static void test_empty_and_failed_buf (void **state)
{
    (void) state;
    mp_reader_t in = mp_read (bytes_of (NULL, 0));
    assert_int_equal (mp_peek (&in), MP_END);
    assert_true (mp_done (&in));
    buf_t buf = {.limit = 4};
    mp_int (&buf, INT64_MAX);
    mp_nil (&buf);
    assert_true (buf_failed (&buf));
    buf_clear (&buf);
    mp_strn (&buf, "", (size_t) UINT32_MAX + 1);
    assert_true (buf_failed (&buf));
    buf_free (&buf);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_ints),
        cmocka_unit_test (test_floats),
        cmocka_unit_test (test_lengths),
        cmocka_unit_test (test_counts),
        cmocka_unit_test (test_small_kinds),
        cmocka_unit_test (test_refusals),
        cmocka_unit_test (test_ext_and_uint),
        cmocka_unit_test (test_depth),
        cmocka_unit_test (test_empty_and_failed_buf),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
