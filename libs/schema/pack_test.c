/* pack_test.c - structs to msgpack and back, by field number. */
#define _GNU_SOURCE
#include "schema/schema.h"

#include "base/msgpack.h"
#include "testgen/zoo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define UUID "01890a5d-ac96-774b-bcce-b302099a8057"

static const char full_json[] =
    "{\"id\":\"" UUID "\",\"org\":\"" UUID
    "\",\"kind\":\"fish\",\"state\":\"new\",\"alive\":false,\"legs\":0,\"weight\":-0.1,"
    "\"born\":\"2026-03-02T09:14:07.218Z\",\"chip\":\"AAEC\",\"home\":{\"name\":\"A\",\"lat\":1.5,\"inner\":{\"test\":true}},"
    "\"names\":[\"a\",\"\"],\"parents\":[\"" UUID
    "\"],\"counts\":[1,-9223372036854775808,9223372036854775807],"
    "\"kinds\":[\"owl\",\"cat\"],\"tags\":[{\"word\":\"w\"},{}],\"labels\":{\"b\":\"1\",\"a\":\"2\"},\"extra\":[1,{\"x\":null}],"
    "\"test\":true,\"name\":\"N\",\"default\":[true,false],\"weights\":[0.5,3]}";

static void test_round (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    zoo_animal_t in = {0}, out = {0};
    failure_t failure = {0};
    int code =
        schema_json_read (&zoo_animal_type, NULL, bytes_of_str (full_json), arena, &in, &failure);
    assert_string_equal (failure.text, "");
    assert_int_equal (code, 0);
    buf_t packed = buf_in (arena), again = buf_in (arena), json = buf_in (arena);
    schema_pack (&zoo_animal_type, &in, &packed);
    assert_int_equal (schema_unpack (&zoo_animal_type, buf_bytes (&packed), arena, &out, &failure),
                      0);
    assert_int_equal (in.has, out.has);
    schema_json_write (&zoo_animal_type, NULL, &out, &json);
    assert_string_equal (buf_text (&json), full_json);
    schema_pack (&zoo_animal_type, &out, &again);
    assert_true (bytes_equal (buf_bytes (&packed), buf_bytes (&again)));
    /* cut anywhere, it is refused and nothing is read past the end */
    for (size_t size = 0; size < packed.size; size++) {
        zoo_animal_t cut = {0};
        uint8_t *exact = arena_memdup (arena, packed.data, size ? size : 1);
        assert_int_equal (
            schema_unpack (&zoo_animal_type, bytes_of (exact, size), arena, &cut, NULL),
            E_BAD_REQUEST);
    }
    arena_destroy (&arena);
}

static void test_absent (void **state)
{
    (void) state;
    zoo_animal_t in = {0};
    buf_t packed = {0};
    schema_pack (&zoo_animal_type, &in, &packed);
    assert_int_equal (packed.size, 1);
    assert_int_equal (packed.data[0], 0x80);
    buf_clear (&packed);
    in.has = ZOO_ANIMAL_HAS_LEGS | ZOO_ANIMAL_HAS_NAME | ZOO_ANIMAL_HAS_ID |
             ZOO_ANIMAL_HAS_NAMES; /* NULL and nil stay absent */
    schema_pack (&zoo_animal_type, &in, &packed);
    static const uint8_t want[] = {0x82, 7, 0, 12, 0x90};
    assert_int_equal (packed.size, sizeof want);
    assert_memory_equal (packed.data, want, sizeof want);
    buf_free (&packed);
}

/* What a newer program wrote survives a rewrite by this one. */
static void test_unknown (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    buf_t packed = buf_in (arena), again = buf_in (arena);
    mp_map (&packed, 4);
    mp_int (&packed, 999);
    mp_str (&packed, "new");
    mp_int (&packed, 7);
    mp_int (&packed, 4);
    mp_int (&packed, 1000);
    mp_array (&packed, 1);
    mp_nil (&packed);
    mp_int (&packed, 20);
    mp_str (&packed, "N");
    zoo_animal_t row = {0}, back = {0};
    assert_int_equal (schema_unpack (&zoo_animal_type, buf_bytes (&packed), arena, &row, NULL), 0);
    assert_int_equal (row.legs, 4);
    row.legs = 5;
    schema_pack (&zoo_animal_type, &row, &again);
    assert_int_equal (again.data[0], 0x84);
    assert_int_equal (schema_unpack (&zoo_animal_type, buf_bytes (&again), arena, &back, NULL), 0);
    assert_int_equal (back.legs, 5);
    assert_string_equal (back.name, "N");
    assert_true (bytes_equal (row.unknown, back.unknown));
    assert_int_equal (back.unknown.size, 3 + 4 + 3 + 2);
    arena_destroy (&arena);
}

typedef struct refuse_row {
    const char *bytes;
    size_t size;
    const char *field;
} refuse_row_t;
#define ROW(bytes, field)                \
    {                                    \
        bytes, sizeof (bytes) - 1, field \
    }

static void test_refuse (void **state)
{
    (void) state;
    static const refuse_row_t rows[] = {
        ROW ("", ""),
        ROW ("\x90", ""),
        ROW ("\xC0", ""),
        ROW ("\x80\x80", ""),                                         /* something follows */
        ROW ("\x81\xA1x\x01", ""),                                    /* key is no number */
        ROW ("\x81\x00\x01", ""),                                     /* no field 0 */
        ROW ("\x81\xFF\x01", ""),                                     /* negative */
        ROW ("\x82\x07\x01\x07\x02", "legs"),                         /* twice */
        ROW ("\x81\x07\xA1x", "legs"),                                /* text for a number */
        ROW ("\x81\x07\xCB\x3F\xF0\x00\x00\x00\x00\x00\x00", "legs"), /* a float for an int */
        ROW ("\x81\x14\x01", "name"),
        ROW ("\x81\x14\xA1\xFF", "name"), /* not UTF-8 */
        ROW ("\x81\x14\xA1\x00", "name"), /* NUL inside */
        ROW ("\x81\x01\xC4\x01x", "id"),  /* id of one byte */
        ROW ("\x81\x06\x01", "alive"),
        ROW ("\x81\x04\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "kind"),
        ROW ("\x81\x04\xCE\xFF\xFF\xFF\xFF", "kind"),  /* over 31 bits */
        ROW ("\x81\x0C\xDD\xFF\xFF\xFF\xFF", "names"), /* more items than bytes */
        ROW ("\x81\x0C\x92\xA1x\x01", "names[1]"),
        ROW ("\x81\x11\xDF\xFF\xFF\xFF\xFF", "labels"),
        ROW ("\x81\x0B\x81\x01\x02", "home.name"),
        ROW ("\x81\x10\x91\x81\x01\x02", "tags[0].word"),
        ROW ("\x81\x0B\x07", "home"),
        ROW ("\x81\x0A\x07", "chip"),
        ROW ("\x81\xCD\x03\xE7", ""), /* unknown without a value */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena_t *arena = arena_new (1 << 16);
        zoo_animal_t row = {0};
        failure_t failure = {0};
        uint8_t *exact = arena_memdup (arena, rows[i].bytes, rows[i].size + 1);
        int code =
            schema_unpack (&zoo_animal_type, bytes_of (exact, rows[i].size), arena, &row, &failure);
        if (code != E_BAD_REQUEST || strcmp (failure.field, rows[i].field) != 0)
            print_error ("row %zu: %d %s\n", i, code, failure.text);
        assert_int_equal (code, E_BAD_REQUEST);
        assert_string_equal (failure.field, rows[i].field);
        arena_destroy (&arena);
    }
}

/* Objects in objects without end: a type that holds itself. */
static void test_depth (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    uint8_t bytes[400];
    for (size_t i = 0; i < sizeof bytes; i += 2) {
        bytes[i] = 0x81;
        bytes[i + 1] = 4;
    }
    zoo_place_t place = {0};
    assert_int_equal (
        schema_unpack (&zoo_place_type, bytes_of (bytes, sizeof bytes), arena, &place, NULL),
        E_BAD_REQUEST);
    arena_destroy (&arena);
}

/* An op's input: what must be there is there, defaults are filled in. */
static void test_input (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    zoo_add_in_t in = {0};
    failure_t failure = {0};
    assert_int_equal (schema_unpack (&zoo_add_in_type, bytes_of ("\x80", 1), arena, &in, &failure),
                      E_BAD_REQUEST);
    assert_string_equal (failure.text, "kind is required");
    assert_int_equal (
        schema_unpack (&zoo_add_in_type, bytes_of ("\x81\x01\x09", 3), arena, &in, &failure), 0);
    assert_int_equal (in.kind, ZOO_KIND_FISH);
    assert_int_equal (in.legs, 4);
    zoo_add_in_t other = {0};
    assert_int_equal (schema_unpack (&zoo_add_in_type, bytes_of ("\x82\x01\x63\x09\x00", 5), arena,
                                     &other, &failure),
                      0);
    assert_int_equal (other.kind, 99); /* of a newer program */
    assert_int_equal (other.legs, 0);
    arena_destroy (&arena);
}

static void test_no_memory (void **state)
{
    (void) state;
    arena_t *source = arena_new (1 << 20);
    zoo_animal_t in = {0};
    assert_int_equal (
        schema_json_read (&zoo_animal_type, NULL, bytes_of_str (full_json), source, &in, NULL), 0);
    buf_t packed = buf_in (source);
    schema_pack (&zoo_animal_type, &in, &packed);
    int code = E_NO_MEMORY;
    for (unsigned n = 1; code; n++) {
        arena_t *arena = arena_new (1 << 16);
        zoo_animal_t out = {0};
        arena_fail_nth (arena, n);
        code = schema_unpack (&zoo_animal_type, buf_bytes (&packed), arena, &out, NULL);
        assert_true (code == 0 || code == E_NO_MEMORY);
        arena_destroy (&arena);
        assert_true (n < 100);
    }
    arena_destroy (&source);
}

static void test_show (void **state)
{
    (void) state;
    schema_ctx_t masked = {.mask = true};
    buf_t out = {0};
    schema_show (&zoo_animal_type, &masked, bytes_of ("\x82\x07\x04\x14\xA1N", 6), &out);
    assert_string_equal (buf_text (&out), "{\"legs\":4,\"name\":\"***\"}");
    buf_clear (&out);
    schema_show (&zoo_animal_type, NULL, bytes_of ("\x01\x02\x03", 3), &out);
    assert_string_equal (buf_text (&out), "{\"?\":\"AQID\"}");
    buf_clear (&out);
    schema_show (&zoo_animal_type, &masked, bytes_of ("\x01\x02\x03", 3), &out);
    assert_string_equal (buf_text (&out), "{\"?\":\"*** 3 bytes\"}");
    buf_free (&out);
}

/* Some fields alone: the others are left, whatever they hold, and what is unknown is kept. */
static void test_some (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    zoo_animal_t full = {0};
    assert_int_equal (
        schema_json_read (&zoo_animal_type, NULL, bytes_of_str (full_json), arena, &full, NULL), 0);
    full.unknown = bytes_of ("\xCD\x03\xE7\x01", 4); /* 999: 1 */
    buf_t packed = buf_in (arena), have = buf_in (arena);
    schema_pack (&zoo_animal_type, &full, &packed);
    for (size_t i = 0; i < zoo_animal_type.field_count; i++) {
        zoo_animal_t out = {0}, none = {0};
        const schema_field_t *field = &zoo_animal_type.fields[i];
        assert_int_equal (schema_unpack_some (&zoo_animal_type, UINT64_C (1) << i,
                                              buf_bytes (&packed), arena, &out),
                          0);
        assert_int_equal (out.has, UINT64_C (1) << field->has_bit);
        assert_true (bytes_equal (out.unknown, full.unknown));
        for (size_t k = 0; k < zoo_animal_type.field_count; k++)
            if (k != i)
                assert_false (schema_field_given (&zoo_animal_type.fields[k], &out));
        /* alone in a struct it packs as it does among the others */
        memcpy (&none, &out, sizeof none);
        none.unknown = bytes_of (NULL, 0);
        buf_clear (&have);
        schema_pack (&zoo_animal_type, &none, &have);
        assert_non_null (memmem (packed.data, packed.size, have.data + 1, have.size - 1));
    }
    uint64_t all = (UINT64_C (1) << zoo_animal_type.field_count) - 1;
    zoo_animal_t out = {0};
    assert_int_equal (schema_unpack_some (&zoo_animal_type, all, buf_bytes (&packed), arena, &out),
                      0);
    buf_clear (&have);
    schema_pack (&zoo_animal_type, &out, &have);
    assert_true (bytes_equal (buf_bytes (&packed), buf_bytes (&have)));
    /* what is passed over must be whole all the same */
    for (size_t size = 0; size < packed.size; size++)
        assert_int_equal (
            schema_unpack_some (&zoo_animal_type, 0, bytes_of (packed.data, size), arena, &out),
            E_BAD_REQUEST);
    arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_round),     cmocka_unit_test (test_absent),
        cmocka_unit_test (test_unknown),   cmocka_unit_test (test_refuse),
        cmocka_unit_test (test_depth),     cmocka_unit_test (test_input),
        cmocka_unit_test (test_no_memory), cmocka_unit_test (test_show),
        cmocka_unit_test (test_some),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
