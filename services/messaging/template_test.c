/* template_test.c - sends of templates: samples of test apps, known and unknown accounts, variables and components. */
#include "gen/templates.h"
#include "messaging_world.h"
#include "provider/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const id16_t first = {{0x60}};
static const id16_t second = {{0x61}};

/* ---- what templates tells ---- */

static void synced (optest_t *test, uint64_t version, int64_t at)
{
    templates_account_synced_t body = {.account = world_meta, .org = world_org, .at = at};
    event_about_t about = {.record = world_meta, .version = version, .org = world_org};
    assert_int_equal (optest_follow (test, &templates_account_synced_event, &about, &body, NULL),
                      0);
}

static void template_tell (optest_t *test, id16_t id, uint64_t version, int32_t status,
                           const templates_slot_t *slots, size_t count)
{
    templates_template_changed_t body = {
        .id = id,
        .org = world_org,
        .account = world_meta,
        .name = "order",
        .language = "en",
        .status = status,
        .slots = {arena_memdup (optest_arena (test), slots, count * sizeof *slots), count}};
    event_about_t about = {.record = id, .version = version, .org = world_org};
    assert_int_equal (optest_follow (test, &templates_template_changed_event, &about, &body, NULL),
                      0);
}

/* ---- sending ---- */

/* "1=Ada,2=today" as variables. */
static schema_map_t variables (arena_t *arena, const char *text)
{
    schema_map_t map = {arena_array_of (arena, schema_pair_t, 8), 0};
    for (const char *at = text; *at;) {
        size_t key = strcspn (at, "="), value = strcspn (at + key + 1, ",");
        map.pairs[map.count++] = (schema_pair_t){arena_strndup (arena, at, key),
                                                 arena_strndup (arena, at + key + 1, value)};
        at += key + 1 + value;
        at += *at == ',';
    }
    return map;
}

static int template_send (optest_t *test, envelope_t header, const char *name, const char *language,
                          const char *given, failure_t *failure)
{
    messaging_template_content_t content = {
        .name = name, .language = language, .variables = variables (optest_arena (test), given)};
    messaging_whatsapp_send_in_t in = {
        .to = WORLD_PERSON, .kind = MESSAGING_KIND_TEMPLATE, .template = &content};
    messaging_whatsapp_send_out_t out = {0};
    return world_whatsapp (test, header, &in, &out, failure);
}

static void test_samples_of_test_apps (void **state)
{
    static const struct {
        const char *name;
        const char *language;
        const char *variables;
        int want;
        const char *field;
    } rows[] = {
        {"hello_world", "en_US", "", 0, NULL},
        {"order_update", "en_US", "1=Ada,2=today", 0, NULL},
        {"order_update", "en_US", "2=today,1=Ada", 0, NULL},
        {"hello_world", "en_US", "1=x", E_TEMPLATE_PARAMETER_MISMATCH, "template.variables"},
        {"order_update", "en_US", "", E_TEMPLATE_PARAMETER_MISMATCH, "template.variables"},
        {"order_update", "en_US", "1=Ada", E_TEMPLATE_PARAMETER_MISMATCH, "template.variables"},
        {"order_update", "en_US", "1=Ada,2=", E_TEMPLATE_PARAMETER_MISMATCH, "template.variables"},
        {"order_update", "en_US", "1=Ada,2=x,3=y", E_TEMPLATE_PARAMETER_MISMATCH,
         "template.variables"},
        {"order_update", "en_US", "1=Ada,02=x", E_TEMPLATE_PARAMETER_MISMATCH,
         "template.variables"},
        {"order_update", "en_US", "1=Ada,name=x", E_TEMPLATE_PARAMETER_MISMATCH,
         "template.variables"},
        {"order_update", "en", "1=Ada,2=x", E_TEMPLATE_NOT_FOUND, "template.name"},
        {"nothing", "en_US", "", E_TEMPLATE_NOT_FOUND, "template.name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        failure_t failure = {0};
        int code = template_send (*state, world_caller (), rows[i].name, rows[i].language,
                                  rows[i].variables, &failure);
        if (code != rows[i].want)
            fprintf (stderr, "row %zu: %s\n", i, failure.text);
        assert_int_equal (code, rows[i].want);
        if (rows[i].field)
            assert_string_equal (failure.field, rows[i].field);
    }
    world_run_out (*state);
    assert_non_null (strstr (world_story (*state), "delivered"));
}

static void test_a_live_account (void **state)
{
    templates_slot_t two = {
        .part = TEMPLATES_PART_BODY, .kind = TEMPLATES_SLOT_KIND_TEXT, .count = 2};
    failure_t failure = {0};
    /* Nothing is known of the account yet: Meta says. */
    assert_int_equal (template_send (*state, world_live_caller (), "order", "en", "1=x", &failure),
                      0);
    synced (*state, 1, 5000);
    assert_int_equal (template_send (*state, world_live_caller (), "order", "en", "1=x", &failure),
                      E_TEMPLATE_NOT_FOUND);
    template_tell (*state, first, 1, TEMPLATES_STATUS_PENDING, &two, 1);
    assert_int_equal (
        template_send (*state, world_live_caller (), "order", "en", "1=x,2=y", &failure),
        E_TEMPLATE_NOT_FOUND);
    assert_non_null (strstr (failure.text, "pending"));
    template_tell (*state, first, 2, TEMPLATES_STATUS_APPROVED, &two, 1);
    assert_int_equal (
        template_send (*state, world_live_caller (), "order", "en", "1=x,2=y", &failure), 0);
    assert_int_equal (template_send (*state, world_live_caller (), "order", "en", "1=x", &failure),
                      E_TEMPLATE_PARAMETER_MISMATCH);
    template_tell (*state, first, 1, TEMPLATES_STATUS_PENDING, &two, 1); /* told again */
    assert_int_equal (
        template_send (*state, world_live_caller (), "order", "en", "1=x,2=y", &failure), 0);
    template_tell (*state, first, 3, TEMPLATES_STATUS_PAUSED, &two, 1);
    assert_int_equal (
        template_send (*state, world_live_caller (), "order", "en", "1=x,2=y", &failure),
        E_TEMPLATE_NOT_FOUND);
    template_tell (*state, first, 4, TEMPLATES_STATUS_DELETED, &two, 1);
    assert_int_equal (
        template_send (*state, world_live_caller (), "order", "en", "1=x,2=y", &failure),
        E_TEMPLATE_NOT_FOUND);
    /* The store of templates was made anew: the same under another id. */
    template_tell (*state, second, 1, TEMPLATES_STATUS_APPROVED, &two, 1);
    assert_int_equal (
        template_send (*state, world_live_caller (), "order", "en", "1=x,2=y", &failure), 0);
    /* Another account at Meta: nothing is known again. */
    synced (*state, 2, 0);
    assert_int_equal (template_send (*state, world_live_caller (), "other", "en", "", &failure), 0);
    synced (*state, 1, 5000);
    assert_int_equal (template_send (*state, world_live_caller (), "other", "en", "", &failure), 0);
    /* The samples are of test apps only. */
    synced (*state, 3, 6000);
    assert_int_equal (
        template_send (*state, world_live_caller (), "hello_world", "en_US", "", &failure),
        E_TEMPLATE_NOT_FOUND);
}

/* ---- filling ---- */

typedef struct filling {
    messaging_template_t template;
    messaging_template_content_t content;
    const char *given; /* components as JSON, or NULL */
    int code;
    buf_t json; /* outlives the turn */
    char failed[256];
} filling_t;

static int fill_run (turn_t *t, void *context)
{
    filling_t *self = context;
    bytes_t packed;
    if (self->given) {
        assert_int_equal (jval_read (t->arena, bytes_of_str (self->given), &packed, NULL), 0);
        self->code = template_given_check (t, &self->template, packed);
    } else {
        self->code = template_fill (t, &self->template, &self->content);
        if (self->content.components.size)
            schema_any_write (self->content.components, &self->json);
    }
    snprintf (self->failed, sizeof self->failed, "%s", self->code ? t->failure.text : "");
    return 0;
}

static const char *const names[] = {"first_name", "date"};
static const char *const header_name[] = {"date"};

#define SLOT(p, k, n, ...)                                                                   \
    {                                                                                        \
        .part = TEMPLATES_PART_##p, .kind = TEMPLATES_SLOT_KIND_##k, .count = n, __VA_ARGS__ \
    }
#define NAMES(list) .names = {(void *) (uintptr_t) (list), sizeof (list) / sizeof *(list)}

static void test_filling (void **state)
{
    static const templates_slot_t body2[] = {SLOT (BODY, TEXT, 2, .index = 0)};
    static const templates_slot_t whole[] = {
        SLOT (HEADER, TEXT, 1, .index = 0), SLOT (BODY, TEXT, 2, .index = 0),
        SLOT (BUTTON, TEXT, 1, .index = 1, .prefix = "https://x.org/t/"),
        SLOT (BUTTON, COUPON_CODE, 1, .index = 2)};
    static const templates_slot_t named[] = {SLOT (HEADER, TEXT, 1, NAMES (header_name)),
                                             SLOT (BODY, TEXT, 2, NAMES (names))};
    static const templates_slot_t code[] = {SLOT (BODY, TEXT, 1, .index = 0),
                                            SLOT (BUTTON, CODE, 1, .index = 0)};
    static const templates_slot_t image[] = {SLOT (HEADER, IMAGE, 1, .index = 0),
                                             SLOT (BODY, TEXT, 1, .index = 0)};
    static const struct {
        const templates_slot_t *slots;
        size_t count;
        const char *variables;
        const char *want; /* components made, "" = none, NULL = a mismatch */
    } rows[] = {
        {NULL, 0, "", ""},
        {body2, 1, "1=a,2=b", ""},
        {body2, 1, "1=a,3=b", NULL},
        {whole, 4, "1=A-17,2=Ada,3=today,4=https://x.org/t/17,5=OFF",
         "[{'type':'header','parameters':[{'type':'text','text':'A-17'}]},"
         "{'type':'body','parameters':[{'type':'text','text':'Ada'},{'type':'text','text':'today'}]},"
         "{'type':'button','sub_type':'url','index':'1','parameters':[{'type':'text','text':'17'}]},"
         "{'type':'button','sub_type':'copy_code','index':'2','parameters':[{'type':'coupon_code','coupon_code':'OFF'}]}]"},
        {whole, 4, "1=A-17,2=Ada,3=today", NULL},
        {whole, 4, "1=A-17,2=Ada,3=today,4=https://x.org/t/,5=OFF", NULL},
        {named, 2, "first_name=Ada,date=today",
         "[{'type':'header','parameters':[{'type':'text','parameter_name':'date','text':'today'}]},"
         "{'type':'body','parameters':[{'type':'text','parameter_name':'first_name','text':'Ada'},{'type':'text','parameter_name':'date','text':'today'}]}]"},
        {named, 2, "1=today,2=Ada",
         "[{'type':'header','parameters':[{'type':'text','parameter_name':'date','text':'today'}]},"
         "{'type':'body','parameters':[{'type':'text','parameter_name':'first_name','text':'Ada'},{'type':'text','parameter_name':'date','text':'today'}]}]"},
        {named, 2, "first_name=Ada", NULL},
        {named, 2, "first_name=Ada,date=today,2=Eve", NULL},
        {named, 2, "first_name=Ada,when=today", NULL},
        {code, 2, "1=123456",
         "[{'type':'body','parameters':[{'type':'text','text':'123456'}]},"
         "{'type':'button','sub_type':'url','index':'0','parameters':[{'type':'text','text':'123456'}]}]"},
        {code, 2, "", NULL},
        {code + 1, 1, "", NULL},
        {image, 2, "1=x", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena_t *arena = optest_arena (*state);
        filling_t self = {.content = {.name = "x",
                                      .language = "en",
                                      .variables = variables (arena, rows[i].variables)}};
        self.template.slots = (schema_list_t){(void *) (uintptr_t) rows[i].slots, rows[i].count};
        self.json = buf_in (arena);
        assert_int_equal (optest_run (*state, fill_run, &self), 0);
        if (self.code != (rows[i].want ? 0 : E_TEMPLATE_PARAMETER_MISMATCH))
            fprintf (stderr, "row %zu: %s\n", i, self.failed);
        assert_int_equal (self.code, rows[i].want ? 0 : E_TEMPLATE_PARAMETER_MISMATCH);
        if (!rows[i].want)
            continue;
        for (size_t k = 0; k < self.json.size; k++)
            self.json.data[k] = self.json.data[k] == '"' ? '\'' : self.json.data[k];
        assert_string_equal (buf_text (&self.json), rows[i].want);
    }
}

static void test_components_given (void **state)
{
    static const templates_slot_t whole[] = {
        SLOT (HEADER, IMAGE, 1, .index = 0), SLOT (BODY, TEXT, 1, NAMES (header_name)),
        SLOT (BUTTON, TEXT, 1, .index = 1), SLOT (CAROUSEL, CARDS, 2, .index = 0)};
#define HEADER \
    "{\"type\":\"header\",\"parameters\":[{\"type\":\"image\",\"image\":{\"id\":\"1\"}}]}"
#define BODY \
    "{\"type\":\"body\",\"parameters\":[{\"type\":\"text\",\"parameter_name\":\"date\",\"text\":\"x\"}]}"
#define BUTTON \
    "{\"type\":\"button\",\"sub_type\":\"url\",\"index\":\"1\",\"parameters\":[{\"type\":\"text\",\"text\":\"x\"}]}"
#define CARDS "{\"type\":\"carousel\",\"cards\":[{},{}]}"
    static const struct {
        const templates_slot_t *slots;
        size_t count;
        const char *components;
        bool fits;
    } rows[] = {
        {whole, 4, "[" HEADER "," BODY "," BUTTON "," CARDS "]", true},
        {whole, 4,
         "[" HEADER "," BODY
         ",{\"type\":\"button\",\"sub_type\":\"quick_reply\",\"index\":0,\"parameters\":[{\"type\":\"payload\"}]}," BUTTON
         "," CARDS "]",
         true},
        {whole, 4, "[" HEADER "," BODY "," BUTTON "]", false},
        {whole, 3, "[" HEADER "," BODY "]", false},
        {whole, 1, "[" HEADER "," BODY "]", false},
        {whole, 2,
         "[" HEADER
         ",{\"type\":\"body\",\"parameters\":[{\"type\":\"text\",\"parameter_name\":\"day\",\"text\":\"x\"}]}]",
         false},
        {whole, 2,
         "[" HEADER ",{\"type\":\"body\",\"parameters\":[{\"type\":\"text\",\"text\":\"x\"}]}]",
         false},
        {whole, 1,
         "[{\"type\":\"header\",\"parameters\":[{\"type\":\"video\",\"video\":{\"id\":\"1\"}}]}]",
         false},
        {whole, 1, "[{\"type\":\"header\",\"parameters\":[7]}]", false},
        {whole, 1, "7", false},
        {NULL, 0, "[]", true},
        {NULL, 0,
         "[{\"type\":\"body\",\"parameters\":[]},{\"type\":\"button\",\"index\":0,\"parameters\":[{\"type\":\"payload\"}]}]",
         true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        filling_t self = {.given = rows[i].components};
        self.template.slots = (schema_list_t){(void *) (uintptr_t) rows[i].slots, rows[i].count};
        assert_int_equal (optest_run (*state, fill_run, &self), 0);
        if (self.code != (rows[i].fits ? 0 : E_TEMPLATE_PARAMETER_MISMATCH))
            fprintf (stderr, "row %zu: %s\n", i, self.failed);
        assert_int_equal (self.code, rows[i].fits ? 0 : E_TEMPLATE_PARAMETER_MISMATCH);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, world_setup, world_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_samples_of_test_apps),
        TEST (test_a_live_account),
        TEST (test_filling),
        TEST (test_components_given),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
