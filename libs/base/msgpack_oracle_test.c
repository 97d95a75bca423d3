/* msgpack_oracle_test.c - our writer and reader against libmsgpack, on random values and on random
 * bytes. */
#include "base/msgpack.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* Not <msgpack.h>: in this folder that name finds our own header. */
#include <msgpack/object.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>
#include <msgpack/unpack.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3000, DEPTH = 5 };

static int64_t random_int (void)
{
    uint64_t bits = 0;
    for (int i = 0; i < 5; i++)
        bits = bits << 15 ^ (uint64_t) rand ();
    return (int64_t) bits >> rand () % 64;
}

/* The same random value into both. */
static void write_both (buf_t *ours, msgpack_packer *theirs, int depth)
{
    char text[600];
    size_t size = (size_t) rand () % (rand () % 8 == 0 ? sizeof text : 40);
    memset (text, 'a' + rand () % 26, sizeof text);
    int64_t number = random_int ();
    uint32_t count = (uint32_t) rand () % (rand () % 8 == 0 ? 20 : 4);

    switch (rand () % (depth ? 7 : 5)) {
    case 0:
        mp_nil (ours);
        msgpack_pack_nil (theirs);
        break;
    case 1:
        mp_bool (ours, number & 1);
        (void) (number & 1 ? msgpack_pack_true (theirs) : msgpack_pack_false (theirs));
        break;
    case 2:
        mp_int (ours, number);
        msgpack_pack_int64 (theirs, number);
        break;
    case 3:
        mp_strn (ours, text, size);
        msgpack_pack_str (theirs, size);
        msgpack_pack_str_body (theirs, text, size);
        break;
    case 4:
        mp_bin (ours, text, size);
        msgpack_pack_bin (theirs, size);
        msgpack_pack_bin_body (theirs, text, size);
        break;
    case 5:
        mp_array (ours, count);
        msgpack_pack_array (theirs, count);
        for (uint32_t i = 0; i < count; i++)
            write_both (ours, theirs, depth - 1);
        break;
    default:
        mp_map (ours, count);
        msgpack_pack_map (theirs, count);
        for (uint32_t i = 0; i < 2 * count; i++)
            write_both (ours, theirs, depth - 1);
    }
}

static void test_writes_the_same (void **state)
{
    (void) state;
    srand (11);
    for (int i = 0; i < ROUNDS; i++) {
        buf_t ours = {0};
        msgpack_sbuffer theirs;
        msgpack_packer packer;
        msgpack_sbuffer_init (&theirs);
        msgpack_packer_init (&packer, &theirs, msgpack_sbuffer_write);
        write_both (&ours, &packer, DEPTH);
        assert_int_equal (ours.size, theirs.size);
        assert_memory_equal (ours.data, theirs.data, theirs.size);
        mp_reader_t in = mp_read (buf_bytes (&ours));
        assert_int_equal (mp_skip (&in).size, ours.size);
        msgpack_sbuffer_destroy (&theirs);
        buf_free (&ours);
    }
}

static void test_reads_floats (void **state)
{
    (void) state;
    srand (12);
    for (int i = 0; i < ROUNDS; i++) {
        double value = (double) random_int () / (i % 3 ? 1024 : 1000);
        buf_t ours = {0};
        mp_float (&ours, value);
        msgpack_unpacked got;
        msgpack_unpacked_init (&got);
        assert_int_equal (msgpack_unpack_next (&got, (const char *) ours.data, ours.size, NULL),
                          MSGPACK_UNPACK_SUCCESS);
        assert_true (got.data.via.f64 == value);
        msgpack_unpacked_destroy (&got);
        buf_free (&ours);
    }
}

/* Walks both; fails the test where they differ. */
static void compare (mp_reader_t *in, const msgpack_object *want)
{
    switch (want->type) {
    case MSGPACK_OBJECT_NIL:
        assert_true (mp_read_nil (in));
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        assert_int_equal (mp_read_bool (in), want->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (want->via.u64 <= INT64_MAX) {
            assert_true (mp_read_int (in) == (int64_t) want->via.u64);
        } else {
            assert_int_equal (mp_peek (in), MP_UINT);
            mp_skip (in);
        }
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        assert_true (mp_read_int (in) == want->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: {
        double got = mp_read_float (in);
        assert_true (got == want->via.f64 || (got != got && want->via.f64 != want->via.f64));
        break;
    }
    case MSGPACK_OBJECT_STR:
        assert_true (
            bytes_equal (mp_read_str (in), bytes_of (want->via.str.ptr, want->via.str.size)));
        break;
    case MSGPACK_OBJECT_BIN:
        assert_true (
            bytes_equal (mp_read_bin (in), bytes_of (want->via.bin.ptr, want->via.bin.size)));
        break;
    case MSGPACK_OBJECT_EXT:
        assert_int_equal (mp_peek (in), MP_EXT);
        mp_skip (in);
        break;
    case MSGPACK_OBJECT_ARRAY:
        assert_int_equal (mp_read_array (in), want->via.array.size);
        for (uint32_t i = 0; i < want->via.array.size; i++)
            compare (in, &want->via.array.ptr[i]);
        break;
    case MSGPACK_OBJECT_MAP:
        assert_int_equal (mp_read_map (in), want->via.map.size);
        for (uint32_t i = 0; i < want->via.map.size; i++) {
            compare (in, &want->via.map.ptr[i].key);
            compare (in, &want->via.map.ptr[i].val);
        }
        break;
    default:
        fail_msg ("type %d", (int) want->type);
    }
    assert_false (in->failed);
}

/* A random byte with at least these bits, but not the head of an array or map with a 32-bit count:
 * libmsgpack allocates what that claims. */
static uint8_t random_byte (uint8_t bits)
{
    uint8_t byte = (uint8_t) rand () | bits;
    return byte == 0xdd || byte == 0xdf ? (uint8_t) (byte - 1) : byte;
}

/* Random bytes: both accept the same and see the same in it. */
static void test_reads_the_same (void **state)
{
    (void) state;
    srand (13);
    int accepted = 0;
    for (int i = 0; i < 20 * ROUNDS; i++) {
        uint8_t data[40];
        size_t size = 1 + (size_t) rand () % sizeof data;
        for (size_t j = 0; j < size; j++)
            data[j] = random_byte (0);
        if (i % 2)
            data[0] = random_byte (0x80);
        mp_reader_t in = mp_read (bytes_of (data, size));
        size_t taken = mp_skip (&in).size;

        msgpack_unpacked want;
        msgpack_unpacked_init (&want);
        size_t offset = 0;
        bool ok = msgpack_unpack_next (&want, (const char *) data, size, &offset) ==
                  MSGPACK_UNPACK_SUCCESS;
        assert_int_equal (taken != 0, ok);
        if (ok) {
            assert_int_equal (taken, offset);
            in = mp_read (bytes_of (data, size));
            compare (&in, &want.data);
            accepted++;
        }
        msgpack_unpacked_destroy (&want);
    }
    assert_true (accepted > ROUNDS);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_writes_the_same),
        cmocka_unit_test (test_reads_floats),
        cmocka_unit_test (test_reads_the_same),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
