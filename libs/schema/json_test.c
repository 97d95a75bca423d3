/* json_test.c - JSON in through views, out through views and core types. */
#include "schema/schema.h"

#include "testgen/bird.h"
#include "testgen/zoo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID       "01890a5d-ac96-774b-bcce-b302099a8057"
#define UUID_OTHER "01890a5d-ac96-774b-bcce-b302099a8058"

/* prefix_[test_]uuid; an upper-case uuid is an alias. */
static int id_read (const char *prefix, const char *text, size_t length, id16_t *out, bool *test)
{
    size_t at = strlen (prefix);
    if (length < at + 1 || memcmp (text, prefix, at) != 0 || text[at] != '_')
        return 2;
    at++;
    *test = length > at + 5 && memcmp (text + at, "test_", 5) == 0;
    at += *test ? 5 : 0;
    if (length - at == 5 && memcmp (text + at, "alias", 5) == 0) {
        memset (out, 0xEE, sizeof *out);
        return 1;
    }
    return id_read_uuid (text + at, length - at, out) ? 0 : 2;
}

static void id_write (const char *prefix, bool test, id16_t id, char out[64])
{
    char uuid[ID_UUID_LENGTH + 1];
    id_write_uuid (id, uuid);
    snprintf (out, 64, "%s_%s%.36s", prefix, test ? "test_" : "", uuid);
}

static const schema_ctx_t birds = {.id_read = id_read, .id_write = id_write};

/* {json} read by `type`, packed, unpacked and written by the core type `core`. */
typedef struct json_row {
    const char *json;
    int code;
    const char *field;
    const char *want; /* JSON by the core type; when failed: the sentence, NULL = any */
} json_row_t;

static void check_row (const schema_type_t *type, const schema_type_t *core, const json_row_t *row)
{
    arena_t *arena = arena_new (1 << 20);
    failure_t failure = {0};
    void *in = arena_alloc (arena, type->size), *copy = arena_alloc (arena, type->size);
    /* an exact copy on the heap, so that a sanitizer sees a read past the end */
    size_t size = strlen (row->json);
    char *json = malloc (size ? size : 1);
    memcpy (json, row->json, size);
    int code = schema_json_read (type, &birds, bytes_of (json, size), arena, in, &failure);
    free (json);
    if (code != row->code || strcmp (failure.field, row->field ? row->field : "") != 0)
        print_error ("%s: %d at '%s': %s\n", row->json, code, failure.field, failure.text);
    assert_int_equal (code, row->code);
    assert_string_equal (failure.field, row->field ? row->field : "");
    if (code) {
        assert_int_equal (failure.code, code);
        if (row->want)
            assert_string_equal (failure.text, row->want);
    } else {
        buf_t packed = buf_in (arena), out = buf_in (arena);
        schema_pack (core, in, &packed);
        assert_int_equal (schema_unpack (core, buf_bytes (&packed), arena, copy, &failure), 0);
        schema_json_write (core, NULL, copy, &out);
        assert_string_equal (buf_text (&out), row->want);
    }
    arena_destroy (&arena);
}

#define U  "\"url\":\"http://a.b\""
#define UL "\"url\":\"http://a.b\",\"legs\":2}"

static void test_read (void **state)
{
    (void) state;
    static const json_row_t rows[] = {
        {"{" U "}", 0, NULL, "{\"kind\":\"owl\"," UL},
        {" \t\r\n{ \"url\" : \"http://a.b\" , \"type\" : \"CAT\", \"text\":{\"body\":\"x\"} } \n",
         0, NULL, "{\"kind\":\"cat\",\"text\":\"x\"," UL},
        {"{\"type\":\"KITTEN\",\"text\":{\"body\":\"\\u00e9\\n\\ud83d\\ude00\\\"\\/\",\"preview\":false}," U
         "}",
         0, NULL, "{\"kind\":\"cat\",\"text\":\"\u00e9\\n\U0001F600\\\"/\",\"preview\":false," UL},
        {"{\"phone\":\"+4930123\"}", 0, NULL,
         "{\"kind\":\"owl\",\"phone\":\"+4930123\",\"legs\":2}"},
        {"{\"phone\":null," U ",\"labels\":null}", 0, NULL, "{\"kind\":\"owl\"," UL},
        {"{\"phones\":[\"+491\",\"+492\"]}", 0, NULL,
         "{\"kind\":\"owl\",\"phones\":[\"+491\",\"+492\"],\"legs\":2}"},
        {"{\"\\u0070hone\":\"+491\"}", 0, NULL, "{\"kind\":\"owl\",\"phone\":\"+491\",\"legs\":2}"},
        {"{" U ",\"labels\":{\"b\":\"1\",\"a\":\"\"}}", 0, NULL,
         "{\"kind\":\"owl\",\"url\":\"http://a.b\",\"labels\":{\"b\":\"1\",\"a\":\"\"},\"legs\":2}"},
        {"{" U ",\"legCount\":0}", 0, NULL, "{\"kind\":\"owl\",\"url\":\"http://a.b\",\"legs\":0}"},
        {"{" U ",\"legCount\":80e-1}", 0, NULL,
         "{\"kind\":\"owl\",\"url\":\"http://a.b\",\"legs\":8}"},
        {"{" U ",\"parentId\":\"ani_" UUID "\"}", 0, NULL,
         "{\"kind\":\"owl\"," U ",\"legs\":2,\"parent\":\"" UUID "\"}"},
        {"{" U ",\"parentId\":\"ani_test_" UUID "\"}", 0, NULL,
         "{\"kind\":\"owl\"," U ",\"legs\":2,\"parent\":\"ffffffff-ffff-ffff-ffff-ffffffffffff\"}"},
        {"{" U ",\"parentId\":\"ani_alias\"}", 0, NULL,
         "{\"kind\":\"owl\"," U ",\"legs\":2,\"parent\":\"eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee\"}"},
        {"{" U ",\"extra\":{\"z\":[1,-2.5,1e300,true,null,\"\\u0041\"],\"a\":{}}}", 0, NULL,
         "{\"kind\":\"owl\"," U
         ",\"legs\":2,\"extra\":{\"z\":[1,-2.5,1e+300,true,null,\"A\"],\"a\":{}}}"},
        {"{" U ",\"chip\":\"AQID\"}", 0, NULL,
         "{\"kind\":\"owl\"," U ",\"legs\":2,\"chip\":\"AQID\"}"},
        {"{" U ",\"born\":\"2026-03-02T09:14:07.218Z\"}", 0, NULL,
         "{\"kind\":\"owl\"," U ",\"legs\":2,\"born\":\"2026-03-02T09:14:07.218Z\"}"},
        {"{" U ",\"made\":17,\"object\":[],\"other\":{\"deep\":[{}]}}", 0, NULL,
         "{\"kind\":\"owl\"," UL},
        {"{" U ",\"weight\":99.5,\"code\":\"-7\"}", 0, NULL,
         "{\"kind\":\"owl\"," U ",\"legs\":2,\"weight\":99.5,\"code\":-7}"},
        {"{" U ",\"tags\":[{\"word\":\"a\"},{\"word\":\"b\",\"keeper\":\"kpr_" UUID "\"}]}", 0,
         NULL,
         "{\"kind\":\"owl\"," U
         ",\"legs\":2,\"tags\":[{\"word\":\"a\"},{\"word\":\"b\",\"keeper\":\"" UUID "\"}]}"},
        {"{" U
         ",\"home\":{\"title\":\"A\",\"inside\":{\"title\":\"B\",\"latitude\":-1}},\"legCount\":1,\"words\":[]}",
         0, NULL,
         "{\"kind\":\"owl\"," U
         ",\"home\":{\"name\":\"A\",\"inner\":{\"name\":\"B\",\"lat\":-1}},\"legs\":1,\"words\":[]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row (&bird_AddRequest_view, &zoo_add_in_type, &rows[i]);
}

static const json_row_t refused[] = {
    {"", E_BAD_REQUEST, NULL, "the body must be a JSON object"},
    {"[]", E_BAD_REQUEST, NULL, "the body must be an object"},
    {"null", E_BAD_REQUEST, NULL, "the body must be an object"},
    {"\xEF\xBB\xBF{}", E_BAD_REQUEST, NULL, "the body must be an object"},
    {"{}", E_MISSING_FIELD, "phone", "phone is required, or phones, url"},
    {"{\"phone\":null}", E_MISSING_FIELD, "phone", NULL},
    {"{\"type\":\"CAT\"," U "}", E_MISSING_FIELD, "text", "text is required with this type"},
    {"{\"home\":{\"title\":\"A\"}," U "}", E_MISSING_FIELD, "day",
     "day is required with this home, or words"},
    {"{" U ",\"text\":{}}", E_MISSING_FIELD, "text.body", "text.body is required"},
    {"{" U ",\"text\":{\"body\":\"\"}}", E_BAD_REQUEST, "text.body", "text.body must not be empty"},
    {"{" U ",\"text\":{\"body\":\"123456\"}}", E_BAD_REQUEST, "text.body",
     "text.body must have at most 5 characters"},
    {"{" U ",\"text\":null}", E_BAD_REQUEST, "text", "text must not be null"},
    {"{" U ",\"text\":\"x\"}", E_BAD_REQUEST, "text", "text must be an object"},
    {"{" U ",\"type\":\"DOG\"}", E_BAD_REQUEST, "type", "type must be one of OWL, CAT, KITTEN"},
    {"{" U ",\"type\":1}", E_BAD_REQUEST, "type", "type must be a string"},
    {"{\"url\":null}", E_BAD_REQUEST, "url", NULL},
    {"{\"url\":\"ftp://a\"}", E_BAD_REQUEST, "url", "url is not an http or https URL"},
    {"{\"phone\":\"12\"}", E_INVALID_PHONE_NUMBER, "phone", "phone is not an E.164 number"},
    {"{\"phones\":[\"+491\",\"x\"]}", E_INVALID_PHONE_NUMBER, "phones[1]",
     "phones[1] is not an E.164 number"},
    {"{\"phones\":[\"+491\",\"+492\",\"+491\"]}", E_BAD_REQUEST, "phones[2]",
     "phones[2] repeats an earlier item"},
    {"{\"phones\":[]}", E_BAD_REQUEST, "phones", "phones must have at least 1 item"},
    {"{\"phones\":[null]}", E_BAD_REQUEST, "phones[0]", "phones[0] must be a string"},
    {"{\"phones\":\"+491\"}", E_BAD_REQUEST, "phones", "phones must be an array"},
    {"{\"phones\":[\"+491\",]}", E_BAD_REQUEST, "phones[1]", NULL},
    {"{" U "," U "}", E_BAD_REQUEST, "url", "url is given twice"},
    {"{" U ",\"legCount\":9}", E_BAD_REQUEST, "legCount", "legCount must be at most 8"},
    {"{" U ",\"legCount\":-1}", E_BAD_REQUEST, "legCount", "legCount must be at least 0"},
    {"{" U ",\"legCount\":1.5}", E_BAD_REQUEST, "legCount", "legCount must be a whole number"},
    {"{" U ",\"legCount\":9223372036854775808}", E_BAD_REQUEST, "legCount",
     "legCount must be a whole number"},
    {"{" U ",\"legCount\":\"1\"}", E_BAD_REQUEST, "legCount", "legCount must be a whole number"},
    {"{" U ",\"legCount\":01}", E_BAD_REQUEST, NULL, NULL},
    {"{" U ",\"legCount\":1.}", E_BAD_REQUEST, NULL, NULL},
    {"{" U ",\"legCount\":-}", E_BAD_REQUEST, NULL, NULL},
    {"{" U ",\"legCount\":1e}", E_BAD_REQUEST, NULL, NULL},
    {"{" U ",\"weight\":1e999}", E_BAD_REQUEST, "weight", "weight must be a number within range"},
    {"{" U ",\"weight\":100.1}", E_BAD_REQUEST, "weight", "weight must be at most 100"},
    {"{" U ",\"code\":\"7x\"}", E_BAD_REQUEST, "code", NULL},
    {"{" U ",\"parentId\":\"org_" UUID "\"}", E_BAD_REQUEST, "parentId",
     "parentId is not a valid id"},
    {"{" U ",\"parentId\":7}", E_BAD_REQUEST, "parentId", "parentId must be an id as a string"},
    {"{" U ",\"born\":\"yesterday\"}", E_BAD_REQUEST, "born", NULL},
    {"{" U ",\"day\":\"2026-02-29\"}", E_BAD_REQUEST, "day", NULL},
    {"{" U ",\"chip\":\"AQIDBAU=\"}", E_BAD_REQUEST, "chip", "chip must have 0 to 4 bytes"},
    {"{" U ",\"chip\":\"?\"}", E_BAD_REQUEST, "chip", "chip must be base64"},
    {"{" U ",\"labels\":{\"a\":\"1\",\"a\":\"2\"}}", E_BAD_REQUEST, "labels.a",
     "labels.a is given twice"},
    {"{" U ",\"labels\":{\"a\":1}}", E_BAD_REQUEST, "labels.a", "labels.a must be a string"},
    {"{" U ",\"labels\":{\"a\":\"12345\"}}", E_BAD_REQUEST, "labels.a",
     "labels.a must have at most 4 characters"},
    {"{" U ",\"words\":[\"a\",\"1234\"]}", E_BAD_REQUEST, "words[1]",
     "words[1] must have at most 3 characters"},
    {"{" U ",\"tags\":[{\"word\":\"a\"},{\"word\":\"\"}]}", E_BAD_REQUEST, "tags[1].word", NULL},
    {"{" U ",\"tags\":[{}]}", E_MISSING_FIELD, "tags[0].word", "tags[0].word is required"},
    {"{" U ",\"tags\":[{\"word\":\"a\"},{\"word\":\"a\"},{\"word\":\"a\"},{\"word\":\"a\"}]}",
     E_BAD_REQUEST, "tags", "tags must have at most 3 items"},
    {"{" U ",\"extra\":{\"a\":1,\"b\":2,\"a\":3}}", E_BAD_REQUEST, NULL, NULL},
    {"{" U ",\"home\":{\"title\":\"A\",\"inside\":{\"title\":3}}}", E_BAD_REQUEST,
     "home.inside.title", NULL},
    {"{" U "} x", E_BAD_REQUEST, NULL,
     "the body is not valid JSON at byte 21: something follows the value"},
    {"{" U, E_BAD_REQUEST, NULL, NULL},
    {"{" U ",}", E_BAD_REQUEST, NULL, NULL},
    {"{\"url\" \"x\"}", E_BAD_REQUEST, NULL, NULL},
    {"{url:1}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":tru}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"\\x\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"\\u0000\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"\\ud800\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"\\udc00\\ud800\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"\\ud800\\u0041\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"\xC0\x80\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"\xED\xA0\x80\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"12345678\xFF\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"a\nb\"}", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"abc", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"abc\\", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":\"abc\\u12", E_BAD_REQUEST, NULL, NULL},
    {"{\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", E_BAD_REQUEST, NULL, NULL},
    {"{\"extra\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", E_BAD_REQUEST, NULL, NULL},
};

static void test_refuse (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        check_row (&bird_AddRequest_view, &zoo_add_in_type, &refused[i]);
    static const json_row_t deepest = {"{" U ",\"extra\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", 0, NULL,
                                       "{\"kind\":\"owl\"," U
                                       ",\"legs\":2,\"extra\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}"};
    check_row (&bird_AddRequest_view, &zoo_add_in_type, &deepest);
}

/* More than 16 items: the sorting way finds the same. */
static void test_unique_many (void **state)
{
    (void) state;
    char json[1024] = "{\"phones\":[";
    for (int i = 0; i < 30; i++)
        sprintf (json + strlen (json), "%s\"+49%d\"", i ? "," : "",
                 i == 27   ? 105
                 : i == 29 ? 101
                           : 100 + i);
    strcat (json, "]}");
    json_row_t row = {json, E_BAD_REQUEST, "phones[27]", NULL};
    check_row (&bird_AddRequest_view, &zoo_add_in_type, &row);
    strcpy (json, "{" U ",\"labels\":{");
    for (int i = 0; i < 20; i++)
        sprintf (json + strlen (json), "%s\"k%d\":\"\"", i ? "," : "", i == 19 ? 3 : i);
    strcat (json, "}}");
    row.field = "labels.k3";
    check_row (&bird_AddRequest_view, &zoo_add_in_type, &row);
}

/* A failure without anyone to tell, and with every allocation failing in turn. */
static void test_no_memory (void **state)
{
    (void) state;
    const char *json =
        "{" U
        ",\"labels\":{\"a\":\"b\"},\"tags\":[{\"word\":\"\\u0041\"}],\"phones\":[\"+491\"],\"home\":{\"title\":\"A\"},"
        "\"extra\":[1],\"chip\":\"AQID\",\"words\":[\"a\"]}";
    int code = E_NO_MEMORY;
    for (unsigned n = 1; code; n++) {
        arena_t *arena = arena_new (1 << 16);
        zoo_add_in_t *in = arena_new_of (arena, zoo_add_in_t);
        arena_fail_nth (arena, n);
        code =
            schema_json_read (&bird_AddRequest_view, &birds, bytes_of_str (json), arena, in, NULL);
        assert_true (code == 0 || code == E_NO_MEMORY);
        arena_destroy (&arena);
        assert_true (n < 100);
    }
}

static void test_write (void **state)
{
    (void) state;
    id16_t id, other;
    assert_true (id_read_uuid (UUID, ID_UUID_LENGTH, &id));
    assert_true (id_read_uuid (UUID_OTHER, ID_UUID_LENGTH, &other));
    zoo_tag_t tags[] = {{.word = "x", .keeper = other}, {.word = "\x01\x7f\\\""}};
    zoo_place_t home = {.name = "H", .id = other};
    zoo_animal_t full = {.id = id,
                         .name = "Ann\u00e9",
                         .kind = ZOO_KIND_CAT,
                         .state = ZOO_STATE_LIVING,
                         .legs = -4,
                         .born = 1,
                         .home = &home,
                         .tags = {tags, 2},
                         .labels = {(schema_pair_t[]){{"k", "v"}}, 1},
                         .test = true,
                         .chip = bytes_of ("\x01\x02", 2)};
    zoo_animal_t bare = {0};
    static const struct {
        bool bare, mask, reveal;
        const char *want;
    } rows[] = {
        {false, false, false,
         "{\"object\":\"animal\",\"id\":\"ani_test_" UUID
         "\",\"name\":\"Ann\u00e9\",\"type\":\"CAT\",\"state\":\"ALIVE\",\"legs\":\"-4\","
         "\"born\":\"1970-01-01T00:00:00.001Z\",\"bornMs\":1,\"home\":{\"title\":\"H\",\"placeId\":\"plc_" UUID_OTHER
         "\"},"
         "\"tags\":[{\"word\":\"x\",\"keeper\":\"kpr_test_" UUID_OTHER
         "\"},{\"word\":\"\\u0001\x7f\\\\\\\"\"}],\"labels\":{\"k\":\"v\"},"
         "\"chip\":\"AQI=\"}"},
        {true, false, false,
         "{\"object\":\"animal\",\"id\":null,\"name\":null,\"type\":null,\"legs\":\"0\",\"born\":null,\"tags\":[],\"labels\":{}}"},
        {false, true, false,
         "{\"object\":\"animal\",\"id\":\"ani_test_" UUID
         "\",\"name\":\"***\",\"type\":\"CAT\",\"state\":\"ALIVE\",\"legs\":\"-4\","
         "\"born\":\"1970-01-01T00:00:00.001Z\",\"bornMs\":1,\"home\":{\"title\":\"H\",\"placeId\":\"plc_" UUID_OTHER
         "\"},"
         "\"tags\":[{\"word\":\"x\",\"keeper\":\"kpr_test_" UUID_OTHER
         "\"},{\"word\":\"\\u0001\x7f\\\\\\\"\"}],\"labels\":{\"k\":\"v\"},"
         "\"chip\":\"***\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        schema_ctx_t ctx = birds;
        ctx.mask = rows[i].mask;
        ctx.reveal = rows[i].reveal;
        buf_t out = {0};
        schema_json_write (&bird_Animal_view, &ctx, rows[i].bare ? &bare : &full, &out);
        assert_string_equal (buf_text (&out), rows[i].want);
        buf_free (&out);
    }
}

/* Secrets stay masked when personal fields are revealed. */
static void test_reveal (void **state)
{
    (void) state;
    zoo_animal_t animal = {.name = "Ann", .chip = bytes_of ("x", 1)};
    schema_ctx_t ctx = {.mask = true, .reveal = true};
    buf_t out = {0};
    schema_json_write (&zoo_animal_type, &ctx, &animal, &out);
    assert_string_equal (buf_text (&out), "{\"chip\":\"***\",\"name\":\"Ann\"}");
    buf_free (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_read),        cmocka_unit_test (test_refuse),
        cmocka_unit_test (test_unique_many), cmocka_unit_test (test_no_memory),
        cmocka_unit_test (test_write),       cmocka_unit_test (test_reveal),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
