/* shape_test.c - components as Meta lists them, and what they take. */
#include "provider/json.h"
#include "templates.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Slots as words: "header text 1, body text 2 (first last), button 0 text 1 <https://x/>". */
static const char *told (arena_t *arena, schema_list_t slots)
{
    const templates_slot_t *all = slots.items;
    buf_t out = buf_in (arena);
    for (size_t i = 0; i < slots.count; i++) {
        const char *const *names = all[i].names.items;
        buf_printf (&out, "%s%s", i ? ", " : "",
                    schema_enum_word (&templates_part_enum, all[i].part));
        if (all[i].part == TEMPLATES_PART_BUTTON)
            buf_printf (&out, " %d", (int) all[i].index);
        buf_printf (&out, " %s %d", schema_enum_word (&templates_slot_kind_enum, all[i].kind),
                    (int) all[i].count);
        for (size_t k = 0; k < all[i].names.count; k++)
            buf_printf (&out, "%s%s%s", k ? " " : " (", names[k],
                        k + 1 == all[i].names.count ? ")" : "");
        if (all[i].prefix)
            buf_printf (&out, " <%s>", all[i].prefix);
    }
    return buf_text (&out);
}

static void test_slots (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        int32_t category;
        int32_t format;
        const char *components;
        const char *want;
    } rows[] = {
        {"nothing", 0, 0,
         "[{'type':'HEADER','format':'TEXT','text':'Hello'},{'type':'BODY','text':'Hi'},{'type':'FOOTER','text':'x'}]",
         ""},
        {"body", 0, 0, "[{'type':'BODY','text':'Hello {{1}}, it ships {{2}}, {{1}}.'}]",
         "body text 2"},
        {"spaces, and what is no placeholder", 0, 0,
         "[{'type':'BODY','text':'{{ 1 }} {{}} {{a b}} {{ {{{2}}} }} {'}]", "body text 2"},
        {"header and buttons", 0, 0,
         "[{'type':'HEADER','format':'TEXT','text':'Order {{1}}'},{'type':'BODY','text':'{{1}} {{2}}'},"
         "{'type':'BUTTONS','buttons':[{'type':'QUICK_REPLY','text':'Thanks'},{'type':'URL','text':'Track','url':'https://example.org/t/{{1}}'},"
         "{'type':'URL','text':'Home','url':'https://example.org'},{'type':'COPY_CODE','example':'X'}]}]",
         "header text 1, body text 2, button 1 text 1 <https://example.org/t/>, button 3 coupon_code 1"},
        {"named", 0, TEMPLATES_PARAMETER_FORMAT_NAMED,
         "[{'type':'BODY','text':'{{first_name}}, {{ date }} {{first_name}}'}]",
         "body text 2 (first_name date)"},
        {"files", 0, 0, "[{'type':'HEADER','format':'IMAGE'},{'type':'BODY','text':'x'}]",
         "header image 1"},
        {"gif is sent as video", 0, 0, "[{'type':'header','format':'gif'}]", "header video 1"},
        {"place", 0, 0, "[{'type':'HEADER','format':'LOCATION'}]", "header location 1"},
        {"one-time code, as listed", TEMPLATES_CATEGORY_AUTHENTICATION, 0,
         "[{'type':'BODY','text':'*{{1}}* is your code.'},{'type':'BUTTONS','buttons':[{'type':'URL','url':'https://www.whatsapp.com/otp/code/?code=otp{{1}}'}]}]",
         "body text 1, button 0 code 1"},
        {"one-time code, as made", TEMPLATES_CATEGORY_AUTHENTICATION, 0,
         "[{'type':'BODY','add_security_recommendation':true},{'type':'BUTTONS','buttons':[{'type':'OTP','otp_type':'COPY_CODE'}]}]",
         "body text 1, button 0 code 1"},
        {"offer and cards", 0, 0,
         "[{'type':'LIMITED_TIME_OFFER','limited_time_offer':{'text':'x','has_expiration':true}},{'type':'CAROUSEL','cards':[{},{},{}]}]",
         "offer offer 1, carousel cards 3"},
        {"products", 0, 0, "[{'type':'BUTTONS','buttons':[{'type':'MPM','text':'See'}]}]",
         "button 0 products 1"},
        {"odd", 0, 0,
         "[7,{'type':5},{'type':'BODY','text':9},{'type':'BUTTONS','buttons':'x'},{'type':'NEW','text':'{{1}}'}]",
         ""},
        {"no list", 0, 0, "{'type':'BODY','text':'{{1}}'}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena_t *arena = arena_new (1 << 20);
        char *json = arena_strdup (arena, rows[i].components);
        for (char *at = json; *at; at++)
            *at = *at == '\'' ? '"' : *at;
        bytes_t packed;
        assert_int_equal (jval_read (arena, bytes_of_str (json), &packed, NULL), 0);
        const char *have =
            told (arena, slots_read (arena, packed, rows[i].category, rows[i].format));
        if (strcmp (have, rows[i].want) != 0)
            fprintf (stderr, "%s\n", rows[i].name);
        assert_string_equal (have, rows[i].want);
        arena_destroy (&arena);
    }
}

static void test_too_many_buttons_and_names_are_cut (void **state)
{
    (void) state;
    arena_t *arena = arena_new (4 << 20);
    buf_t json = buf_in (arena);
    bytes_t packed;
    buf_add_str (&json, "[{\"type\":\"BODY\",\"text\":\"");
    for (int i = 1; i <= 500; i++)
        buf_printf (&json, "{{%d}} ", i);
    buf_add_str (&json, "\"},{\"type\":\"BUTTONS\",\"buttons\":[");
    for (int i = 0; i < 500; i++)
        buf_printf (&json, "%s{\"type\":\"OTP\"}", i ? "," : "");
    buf_add_str (
        &json,
        "]},{\"type\":\"BODY\",\"text\":\"{{1}}\"},{\"type\":\"BODY\",\"text\":\"{{1}}\"},{\"type\":\"BODY\",\"text\":\"{{1}}\"},"
        "{\"type\":\"BODY\",\"text\":\"{{1}}\"},{\"type\":\"BODY\",\"text\":\"{{1}}\"},{\"type\":\"BODY\",\"text\":\"{{1}}\"},"
        "{\"type\":\"BODY\",\"text\":\"{{1}}\"},{\"type\":\"BODY\",\"text\":\"{{1}}\"},{\"type\":\"BODY\",\"text\":\"{{1}}\"}]");
    assert_int_equal (jval_read (arena, buf_bytes (&json), &packed, NULL), 0);
    schema_list_t slots = slots_read (arena, packed, 0, 0);
    assert_in_range (slots.count, 33, 40);
    assert_int_equal (((templates_slot_t *) slots.items)[0].count, 100);
    arena_destroy (&arena);
}

static void test_a_listed_template (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 20);
    templates_template_t row;
    bytes_t packed, components;
    static const char listed[] =
        "{\"id\":\"594425479261596\",\"name\":\"order_update\",\"language\":\"en_US\",\"status\":\"PENDING_DELETION\","
        "\"category\":\"UTILITY\",\"rejected_reason\":\"NONE\",\"quality_score\":{\"score\":\"GREEN\",\"date\":1},"
        "\"components\":[{\"type\":\"BODY\",\"text\":\"{{1}}\"}]}";
    assert_int_equal (jval_read (arena, bytes_of_str (listed), &packed, NULL), 0);
    assert_true (template_read (arena, packed, &row, &components));
    assert_string_equal (row.provider_id, "594425479261596");
    assert_int_equal (row.status, TEMPLATES_STATUS_PENDING_DELETION);
    assert_int_equal (row.category, TEMPLATES_CATEGORY_UTILITY);
    assert_int_equal (row.parameter_format, TEMPLATES_PARAMETER_FORMAT_POSITIONAL);
    assert_int_equal (row.quality, TEMPLATES_QUALITY_GREEN);
    assert_null (row.rejected_reason);
    assert_int_equal (row.slots.count, 1);
    assert_true (id_equal (row.key, template_key (arena, "order_update", "en_US")));
    assert_false (id_equal (row.key, template_key (arena, "order_updat", "een_US")));
    assert_int_equal (
        jval_read (
            arena,
            bytes_of_str (
                "{\"id\":5,\"name\":\"x\",\"language\":\"en\",\"status\":\"SOMETHING_NEW\"}"),
            &packed, NULL),
        0);
    assert_true (template_read (arena, packed, &row, &components));
    assert_int_equal (row.status, TEMPLATES_STATUS_UNKNOWN);
    assert_int_equal (jval_read (arena,
                                 bytes_of_str ("{\"id\":5,\"name\":\"x\",\"status\":\"APPROVED\"}"),
                                 &packed, NULL),
                      0);
    assert_false (template_read (arena, packed, &row, &components));
    arena_destroy (&arena);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_slots),
        cmocka_unit_test (test_too_many_buttons_and_names_are_cut),
        cmocka_unit_test (test_a_listed_template),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
