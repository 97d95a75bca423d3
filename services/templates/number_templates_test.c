/* number_templates_test.c - templates as an organization's callers list and find them: of a Meta account, and the samples of test numbers. */
#include "svc/optest.h"
#include "provider/json.h"
#include "templates.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const id16_t org = {{1}};
static const id16_t account = {{21}};
#define META "106540352242922"
#define TEST "100200300400"

static int number_tell (optest_t *test, id16_t id, const char *ref, id16_t of, uint64_t version,
                        bool deleted)
{
    accounts_number_changed_t body = {.id = id,
                                      .org = org,
                                      .number = "+15550001111",
                                      .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                      .account = of,
                                      .ref = ref,
                                      .deleted = deleted};
    event_about_t about = {.record = id, .version = version, .org = org};
    return optest_follow (test, &accounts_number_changed_event, &about, &body, NULL);
}

static const struct {
    const char *name, *language;
    int32_t status;
} rows[] = {
    {"news", "en", TEMPLATES_STATUS_APPROVED},  {"news", "de", TEMPLATES_STATUS_PENDING},
    {"offer", "en", TEMPLATES_STATUS_REJECTED}, {"offer", "de", TEMPLATES_STATUS_PAUSED},
    {"gone", "en", TEMPLATES_STATUS_DELETED},   {"offer", "fr", TEMPLATES_STATUS_DISABLED},
};

static int fill (turn_t *t, void *context)
{
    int code = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && code == 0; i++) {
        bytes_t components = {0};
        templates_template_t row = {.id = turn_id (t),
                                    .org = org,
                                    .account = account,
                                    .name = rows[i].name,
                                    .language = rows[i].language,
                                    .key = template_key (t->arena, rows[i].name, rows[i].language),
                                    .status = rows[i].status,
                                    .provider_id = "77",
                                    .created_at = t->now,
                                    .updated_at = t->now};
        jval_read (t->arena,
                   bytes_of_str ("[{\"type\":\"HEADER\",\"format\":\"TEXT\",\"text\":\"{{9}}\"},"
                                 "{\"type\":\"BODY\",\"text\":\"Hi {{1}}, {{name}} and {{1}}\"}]"),
                   &components, NULL);
        templates_content_t content = {.id = row.id, .components = components};
        code = store_insert (t->txn, &templates_template_record, &row, NULL);
        if (code == 0)
            code = store_put (t->txn, &templates_content_record, &content, NULL);
    }
    (void) context;
    return code;
}

static int setup (void **state)
{
    *state = optest_new (&templates_tables);
    assert_non_null (*state);
    assert_int_equal (number_tell (*state, (id16_t){{3}}, META, account, 1, false), 0);
    assert_int_equal (number_tell (*state, (id16_t){{4}}, TEST, id_nil (), 1, false), 0);
    assert_int_equal (optest_run (*state, fill, NULL), 0);
    return 0;
}

static int teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

static int page (optest_t *test, const templates_number_page_in_t *in,
                 templates_number_page_out_t *out)
{
    envelope_t header = {.org = org, .principal = PRINCIPAL_ORG_KEY};
    *out = (templates_number_page_out_t){0};
    return optest_ask (test, "number_page", &header, in, out, NULL);
}

static const char *names (optest_t *test, const templates_number_page_out_t *out)
{
    const templates_template_shown_t *items = out->templates.items;
    buf_t text = buf_in (optest_arena (test));
    buf_add_str (&text, "");
    for (size_t i = 0; i < out->templates.count; i++)
        buf_printf (&text, "%s/%s:%s ", items[i].name, items[i].language,
                    schema_enum_word (&templates_shown_status_enum, items[i].status));
    return buf_text (&text);
}

static void test_pages (void **state)
{
    static const struct {
        templates_number_page_in_t in;
        const char *want;
    } asks[] = {
        {{.number_ref = META, .limit = 25},
         "offer/fr:rejected offer/de:pending offer/en:rejected news/de:pending news/en:approved "},
        {{.number_ref = META, .limit = 25, .status = TEMPLATES_STATUS_FILTER_APPROVED},
         "news/en:approved "},
        {{.number_ref = META, .limit = 25, .language = "de"}, "offer/de:pending news/de:pending "},
        {{.number_ref = TEST, .limit = 25},
         "order_update/en_US:approved hello_world/en_US:approved "},
        {{.number_ref = TEST, .limit = 25, .status = TEMPLATES_STATUS_FILTER_PENDING}, ""},
        {{.number_ref = TEST, .limit = 25, .language = "de"}, ""},
    };
    templates_number_page_out_t out;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        assert_int_equal (page (*state, &asks[i].in, &out), 0);
        assert_string_equal (names (*state, &out), asks[i].want);
        assert_int_equal (out.next.size, 0);
    }
}

static void test_pages_go_on (void **state)
{
    static const struct {
        const char *ref;
        int pages, items;
    } rows_of[] = {{META, 3, 5}, {TEST, 1, 2}};
    for (size_t i = 0; i < 2; i++) {
        templates_number_page_in_t in = {.number_ref = rows_of[i].ref, .limit = 2};
        templates_number_page_out_t out;
        int pages = 0, items = 0;
        do {
            assert_int_equal (page (*state, &in, &out), 0);
            pages++;
            items += (int) out.templates.count;
            in.after = out.next;
        } while (out.next.size && pages < 10);
        assert_int_equal (pages, rows_of[i].pages);
        assert_int_equal (items, rows_of[i].items);
    }
    templates_number_page_in_t bad = {
        .number_ref = META, .limit = 2, .after = bytes_of_str ("nonsense")};
    templates_number_page_out_t out;
    assert_int_equal (page (*state, &bad, &out), E_BAD_CURSOR);
    bad = (templates_number_page_in_t){.number_ref = "5", .limit = 2};
    assert_int_equal (page (*state, &bad, &out), E_NOT_FOUND);
    assert_int_equal (number_tell (*state, (id16_t){{4}}, TEST, id_nil (), 2, true), 0);
    bad.number_ref = TEST;
    assert_int_equal (page (*state, &bad, &out), E_NOT_FOUND);
}

static void test_by_name (void **state)
{
    static const struct {
        const char *ref, *name, *language, *want;
    } asks[] = {
        {META, "news", NULL, "en"},     {META, "news", "de", "de"},
        {META, "offer", NULL, "fr"},    {META, "gone", NULL, NULL},
        {META, "news", "it", NULL},     {TEST, "order_update", NULL, "en_US"},
        {TEST, "order", NULL, NULL},    {TEST, "hello_world", "de", NULL},
        {"5", "hello_world", "", NULL},
    };
    envelope_t header = {.org = org, .principal = PRINCIPAL_ORG_KEY};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        templates_number_template_in_t in = {
            .number_ref = asks[i].ref, .name = asks[i].name, .language = asks[i].language};
        templates_template_shown_t out = {0};
        header.id = id_nil ();
        int code = optest_ask (*state, "number_template", &header, &in, &out, NULL);
        assert_int_equal (code, asks[i].want ? 0 : E_NOT_FOUND);
        if (asks[i].want)
            assert_string_equal (out.language, asks[i].want);
    }
    templates_number_template_in_t in = {.number_ref = META, .name = "news"};
    templates_template_shown_t out = {0};
    header.id = id_nil ();
    assert_int_equal (optest_ask (*state, "number_template", &header, &in, &out, NULL), 0);
    assert_string_equal (out.content, "Hi {{1}}, {{name}} and {{1}}");
    assert_int_equal (out.variables.count, 2);
    assert_string_equal (((const char *const *) out.variables.items)[1], "name");
    assert_string_equal (out.number, "+15550001111");
    assert_true (jval_list (out.components, "").left > 0);
    header.org = (id16_t){{9}};
    header.id = id_nil ();
    assert_int_equal (optest_ask (*state, "number_template", &header, &in, &out, NULL),
                      E_NOT_FOUND);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_pages, setup, teardown),
        cmocka_unit_test_setup_teardown (test_pages_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown (test_by_name, setup, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
