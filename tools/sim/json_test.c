/* json_test.c - JSON helpers: what Meta escapes, field lists, unknown members. */
#include "json.h"
#include "test.h"

#include <stdlib.h>

static void prints_ascii (void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"\"a/b\"", "\"a\\/b\""},
        {"\"\xc3\xa9\"", "\"\\u00e9\""},
        {"\"\xe2\x82\xac\"", "\"\\u20ac\""},
        {"\"\xf0\x9f\x91\x8d\"", "\"\\ud83d\\udc4d\""},
        {"{\"k\":[1,true,null,1689556908129835]}", "{\"k\":[1,true,null,1689556908129835]}"},
        {"\"\xff\"", "\"\\ufffd\""},
        {"\"\xed\xa0\x80\"", "\"\\ufffd\\ufffd\\ufffd\""},
        {"\"\xf4\xbf\xbf\xbf\"", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
        {"\"\xe2\x82\"", "\"\\ufffd\\ufffd\""}};
    (void) state;
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        cJSON *value = json_of (rows[i].in);
        char *text = json_print_ascii (value);
        assert_string_equal (text, rows[i].want);
        free (text);
        cJSON_Delete (value);
    }
}

static void parses_whole_texts_only (void **state)
{
    static const struct {
        const char *in;
        bool good;
    } rows[] = {{"{}", true}, {" [1] \n", true}, {"{} x", false},
                {"", false},  {"{", false},      {"1", true}};
    (void) state;
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        cJSON *value = json_parse (bytes_of_str (rows[i].in));
        assert_int_equal (value != NULL, rows[i].good);
        cJSON_Delete (value);
    }
}

static void finds_words_and_members (void **state)
{
    (void) state;
    assert_true (word_in ("id,name,a{b,c},d", "d"));
    assert_true (word_in ("id,name,a{b,c}", "a"));
    assert_false (word_in ("id,name,a{b,c}", "b"));
    assert_false (word_in ("idx", "id"));
    assert_false (word_in ("", ""));
    cJSON *object = json_of ("{\"id\":\"1\",\"a\":{\"b\":{\"c\":2}},\"n\":null,\"t\":true}");
    char word[8];
    assert_int_equal (json_number (json_at (object, "a.b"), "c", 0), 2);
    assert_null (json_at (object, "a.x.c"));
    assert_null (json_get (object, "n"));
    assert_string_equal (json_word (object, "t", word, sizeof word), "true");
    assert_string_equal (json_unknown (object, "id a n")->string, "t");
    assert_null (json_unknown (object, "id a n t"));
    cJSON *picked = json_fields (object, "t");
    char *text = json_print (picked);
    assert_string_equal (text, "{\"id\":\"1\",\"t\":true}");
    free (text);
    cJSON_Delete (picked);
    cJSON_Delete (object);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (prints_ascii),
                                       cmocka_unit_test (parses_whole_texts_only),
                                       cmocka_unit_test (finds_words_and_members)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
