/* rules_test.c - rules: what is refused, what matches, how often. */
#include "rules.h"
#include "test.h"

#include <stdio.h>

static const rule_t *add (rules_t *rules, const char *json, char error[200])
{
    cJSON *in = json_of (json);
    const rule_t *rule = rules_add (rules, in, error, 200);
    cJSON_Delete (in);
    return rule;
}

static void names_what_is_wrong (void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {{"[]", "body"},
                {"{\"tims\":1}", "tims"},
                {"{}", "action"},
                {"{\"action\":{}}", "action"},
                {"{\"action\":{\"sttus\":1}}", "action.sttus"},
                {"{\"action\":{\"status\":\"503\"}}", "action.status"},
                {"{\"action\":{\"status\":600}}", "action.status"},
                {"{\"action\":{\"error_code\":\"x\"}}", "action.error_code"},
                {"{\"action\":{\"delay_ms\":-1}}", "action.delay_ms"},
                {"{\"action\":{\"delay_ms\":1.5}}", "action.delay_ms"},
                {"{\"action\":{\"drop_answer\":1}}", "action.drop_answer"},
                {"{\"action\":{\"duplicate_callbacks\":11}}", "action.duplicate_callbacks"},
                {"{\"provider\":\"x\",\"action\":{\"status\":503}}", "provider"},
                {"{\"times\":0,\"action\":{\"status\":503}}", "times"},
                {"{\"to\":\"\",\"action\":{\"status\":503}}", "to"},
                {"{\"path\":1,\"action\":{\"status\":503}}", "path"}};
    rules_t rules;
    char error[200];
    (void) state;
    rules_init (&rules);
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        assert_null (add (&rules, rows[i].in, error));
        size_t length = strlen (rows[i].want);
        assert_memory_equal (error, rows[i].want, length);
        assert_int_equal (error[length], ':');
    }
    assert_int_equal (rules.count, 0);
}

static void matches_what_it_says (void **state)
{
    static const struct {
        const char *rule, *path, *to;
        provider_t provider;
        bool want;
    } rows[] = {
        {"{\"action\":{\"status\":503}}", "/x", NULL, PROVIDER_META, true},
        {"{\"provider\":\"telnyx\",\"action\":{\"status\":503}}", "/x", NULL, PROVIDER_META, false},
        {"{\"path\":\"/messages\",\"action\":{\"status\":503}}", "/v23.0/1/messages", "1",
         PROVIDER_META, true},
        {"{\"path\":\"/v*/messages\",\"action\":{\"status\":503}}", "/v23.0/1/messages", "1",
         PROVIDER_META, true},
        {"{\"path\":\"/v2/*\",\"action\":{\"status\":503}}", "/v23.0/1/messages", "1",
         PROVIDER_META, false},
        {"{\"to\":\"+1 (415) 555-0123\",\"action\":{\"status\":503}}", "/m", "14155550123",
         PROVIDER_META, true},
        {"{\"to\":\"*7\",\"action\":{\"status\":503}}", "/m", "14155550127", PROVIDER_TELNYX, true},
        {"{\"to\":\"*7\",\"action\":{\"status\":503}}", "/m", "14155550123", PROVIDER_TELNYX,
         false},
        {"{\"to\":\"14155550123\",\"action\":{\"status\":503}}", "/m", NULL, PROVIDER_META, false},
        {"{\"action\":{\"fail_with_code\":131026}}", "/media", NULL, PROVIDER_META, false},
        {"{\"action\":{\"fail_with_code\":131026}}", "/messages", "1", PROVIDER_META, true},
        {"{\"action\":{\"no_callbacks\":true,\"delay_ms\":5}}", "/media", NULL, PROVIDER_META,
         true}};
    char error[200];
    (void) state;
    for (size_t i = 0; i < COUNT_OF (rows); i++) {
        rules_t rules;
        rules_init (&rules);
        assert_non_null (add (&rules, rows[i].rule, error));
        char number[24] = "";
        char *to[] = {number};
        if (rows[i].to != NULL)
            snprintf (number, sizeof number, "%s", rows[i].to);
        rule_subject_t subject = {rows[i].provider, rows[i].path, to, rows[i].to != NULL};
        assert_int_equal (rules_match (&rules, &subject) != NULL, rows[i].want);
        rules_clear (&rules);
    }
}

static void counts_and_goes_on (void **state)
{
    rules_t rules;
    char error[200];
    rule_subject_t subject = {PROVIDER_META, "/x", NULL, 0};
    (void) state;
    rules_init (&rules);
    int64_t first = add (&rules, "{\"times\":2,\"action\":{\"status\":503}}", error)->id;
    int64_t second = add (&rules, "{\"action\":{\"error_code\":\"100\"}}", error)->id;
    assert_int_equal (rules_match (&rules, &subject)->id, first);
    assert_int_equal (rules_match (&rules, &subject)->id, first);
    const rule_t *rule = rules_match (&rules, &subject);
    assert_int_equal (rule->id, second);
    assert_true (rule_refuses (&rule->action));
    assert_true (rules_drop (&rules, second));
    assert_false (rules_drop (&rules, second));
    assert_null (rules_match (&rules, &subject));
    assert_int_equal (add (&rules, "{\"action\":{\"status\":200}}", error)->id, 3);
    assert_false (rule_refuses (&rules_match (&rules, &subject)->action));
    rules_clear (&rules);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (names_what_is_wrong),
                                       cmocka_unit_test (matches_what_it_says),
                                       cmocka_unit_test (counts_and_goes_on)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
