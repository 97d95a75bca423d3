/* log_test.c - message logs on a temporary store: every filter, by cursor and by offset, against a list kept beside. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { FILLED = 150 };

static const id16_t other_org = {{99}};
static const id16_t other_app = {{98}};

static envelope_t admin (void)
{
    return (envelope_t){.org = world_org, .principal = PRINCIPAL_ADMIN_KEY};
}

static int page_ask (optest_t *test, const messaging_log_page_in_t *in,
                     messaging_log_page_out_t *out, failure_t *failure)
{
    envelope_t header = admin ();
    *out = (messaging_log_page_out_t){0};
    return optest_ask (test, "log_page", &header, in, out, failure);
}

typedef struct model {
    messaging_message_t rows[FILLED];
    size_t count;
} model_t;

static const int32_t directions[] = {MESSAGING_DIRECTION_INBOUND, MESSAGING_DIRECTION_OUTBOUND};

/* One message; `n` decides what it is, so that the directions come in clumps. */
static int fill (turn_t *t, void *context)
{
    model_t *model = context;
    static const char *to[] = {WORLD_PERSON};
    model->count = 0; /* also when the turn is run again */
    for (unsigned n = 0; n < FILLED; n++) {
        bool live = n * 7 % 3 == 0;
        messaging_message_t *row = &model->rows[model->count++];
        *row = (messaging_message_t){.id = turn_id (t),
                                     .org = n % 31 == 30 ? other_org : world_org,
                                     .log_app = live ? world_live_app : world_app,
                                     .channel = ACCOUNTS_CHANNEL_SMS,
                                     .kind = MESSAGING_KIND_SMS,
                                     .direction = directions[n * n / 50 % 2],
                                     .test = !live,
                                     .from = WORLD_SMS,
                                     .to = {to, 1},
                                     .text = "x",
                                     .created_at = t->now};
        if (n % 31 == 30)
            row->log_app = other_app;
        int code = store_insert (t->txn, &messaging_message_record, row, NULL);
        if (code)
            return code;
    }
    return 0;
}

static bool fits (const messaging_message_t *row, const messaging_log_page_in_t *in)
{
    return id_equal (row->org, world_org) && (!in->direction || row->direction == in->direction) &&
           (id_is_nil (in->app) || id_equal (row->log_app, in->app));
}

/* Those that fit, newest first. */
static size_t model_list (const model_t *model, const messaging_log_page_in_t *in, id16_t *out)
{
    size_t count = 0;
    for (size_t i = model->count; i-- > 0;)
        if (fits (&model->rows[i], in))
            out[count++] = model->rows[i].id;
    return count;
}

static void assert_page (const messaging_log_page_out_t *page, const id16_t *ids, size_t count)
{
    const messaging_log_message_t *shown = page->messages.items;
    assert_int_equal (page->messages.count, count);
    for (size_t i = 0; i < count; i++)
        assert_true (id_equal (shown[i].id, ids[i]));
}

/* From each offset one page, and from the start all pages. */
static void walk (optest_t *test, const model_t *model, messaging_log_page_in_t in)
{
    id16_t ids[FILLED];
    messaging_log_page_out_t page;
    size_t all = model_list (model, &in, ids), seen = 0;
    in.limit = 7;
    do {
        assert_int_equal (page_ask (test, &in, &page, NULL), 0);
        assert_int_equal (page.total, all);
        assert_page (&page, ids + seen, all - seen < 7 ? all - seen : 7);
        seen += page.messages.count;
        in.cursor = page.next;
        in.offset = 3; /* does not count beside a cursor */
    } while (!id_is_nil (page.next));
    assert_int_equal (seen, all);
    in.cursor = id_nil ();
    for (size_t offset = 0; offset <= all + 2; offset += offset % 5 ? 1 : 4) {
        size_t left = offset < all ? all - offset : 0;
        in.offset = (int64_t) offset;
        assert_int_equal (page_ask (test, &in, &page, NULL), 0);
        assert_page (&page, ids + all - left, left < 7 ? left : 7);
        assert_int_equal (id_is_nil (page.next), left <= 7);
    }
}

static void test_every_filter_by_cursor_and_offset (void **state)
{
    static model_t model;
    model.count = 0;
    assert_int_equal (optest_run (*state, fill, &model), 0);
    for (int32_t direction = 0; direction <= MESSAGING_DIRECTION_OUTBOUND; direction++) {
        messaging_log_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .direction = direction};
        walk (*state, &model, in);
        in.app = world_app;
        in.app_test = true;
        walk (*state, &model, in);
        in.app = world_live_app;
        in.app_test = false;
        walk (*state, &model, in);
    }
}

static void test_what_is_not_ours_is_not_shown (void **state)
{
    static model_t model;
    model.count = 0;
    assert_int_equal (optest_run (*state, fill, &model), 0);
    const messaging_log_page_in_t rows[] = {
        {.channel = ACCOUNTS_CHANNEL_SMS, .app = other_app},
        {.channel = ACCOUNTS_CHANNEL_SMS, .app = world_app}, /* in the other mode */
        {.channel = ACCOUNTS_CHANNEL_WHATSAPP},
    };
    messaging_log_page_out_t page;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal (page_ask (*state, &rows[i], &page, NULL), 0);
        assert_int_equal (page.total, 0);
        assert_page (&page, NULL, 0);
    }
}

static void test_far_offset_is_refused (void **state)
{
    messaging_log_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .offset = 10001};
    messaging_log_page_out_t page;
    failure_t failure = {0};
    assert_int_equal (page_ask (*state, &in, &page, &failure), E_BAD_REQUEST);
    assert_string_equal (failure.field, "offset");
    assert_non_null (strstr (failure.text, "cursor"));
    in.offset = 10000;
    assert_int_equal (page_ask (*state, &in, &page, NULL), 0);
}

static int message_remove (turn_t *t, void *context)
{
    return store_del (t->txn, &messaging_message_record, *(const id16_t *) context);
}

static void test_cursor_may_be_gone (void **state)
{
    static model_t model;
    model.count = 0;
    assert_int_equal (optest_run (*state, fill, &model), 0);
    id16_t ids[FILLED];
    messaging_log_page_in_t in = {.channel = ACCOUNTS_CHANNEL_SMS, .limit = 5};
    messaging_log_page_out_t page;
    size_t all = model_list (&model, &in, ids);
    in.cursor = ids[9];
    assert_int_equal (optest_run (*state, message_remove, &ids[9]), 0);
    assert_int_equal (page_ask (*state, &in, &page, NULL), 0);
    assert_page (&page, ids + 10, 5);
    assert_int_equal (page.total, all - 1);
}

static void test_recipients_have_their_own_status (void **state)
{
    const char *to[] = {"+15551230001", "+999140008"};
    messaging_sms_send_in_t in = {.from = WORLD_SMS, .to = {to, 2}, .text = "Hello"};
    messaging_sms_send_out_t sent = {0};
    envelope_t header = world_caller ();
    assert_int_equal (optest_ask (*state, "sms_send", &header, &in, &sent, NULL), 0);
    messaging_log_page_in_t list = {
        .channel = ACCOUNTS_CHANNEL_SMS, .app = world_app, .app_test = true};
    messaging_log_page_out_t page;
    assert_int_equal (page_ask (*state, &list, &page, NULL), 0);
    const messaging_log_message_t *shown = page.messages.items;
    const messaging_log_recipient_t *people = shown->recipients.items;
    assert_int_equal (shown->recipients.count, 2);
    assert_int_equal (people[0].status, MESSAGING_LOG_STATUS_QUEUED);
    assert_int_equal (shown->completed_at, 0);
    world_run_out (*state);
    assert_int_equal (page_ask (*state, &list, &page, NULL), 0);
    shown = page.messages.items;
    people = shown->recipients.items;
    assert_int_equal (people[0].status, MESSAGING_LOG_STATUS_DELIVERED);
    assert_int_equal (people[1].status, MESSAGING_LOG_STATUS_FAILED);
    assert_non_null (people[1].error_code);
    assert_true (shown->completed_at >= shown->sent_at && shown->sent_at > 0);
    assert_true (id_equal (shown->number_id, world_number));
}

static void test_inbound_stands_with_the_app_of_its_number (void **state)
{
    provider_event_t event = {.org = world_org,
                              .number = world_whatsapp_number,
                              .whatsapp = true,
                              .from = WORLD_PERSON,
                              .to = WORLD_WHATSAPP,
                              .text = "Hi",
                              .provider_id = "in-1"};
    world_inbound (*state, ACCOUNTS_CARRIER_LOOPBACK, &event);
    messaging_log_page_in_t list = {.channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                    .app = world_app,
                                    .app_test = true,
                                    .direction = MESSAGING_DIRECTION_INBOUND};
    messaging_log_page_out_t page;
    assert_int_equal (page_ask (*state, &list, &page, NULL), 0);
    assert_int_equal (page.total, 1);
    const messaging_log_message_t *shown = page.messages.items;
    assert_string_equal (shown->number, WORLD_WHATSAPP);
    assert_string_equal (shown->from, WORLD_PERSON);
    messaging_log_get_in_t in = {
        .channel = ACCOUNTS_CHANNEL_WHATSAPP, .id = shown->id, .id_test = true};
    messaging_log_message_t one = {0};
    envelope_t header = admin (), other = admin ();
    assert_int_equal (optest_ask (*state, "log_get", &header, &in, &one, NULL), 0);
    assert_string_equal (one.text, "Hi");
    other.org = other_org;
    assert_int_equal (optest_ask (*state, "log_get", &other, &in, &one, NULL), E_NOT_FOUND);
    in.id_test = false;
    assert_int_equal (optest_ask (*state, "log_get", &header, &in, &one, NULL), E_NOT_FOUND);
    in.id_test = true;
    in.channel = ACCOUNTS_CHANNEL_SMS;
    assert_int_equal (optest_ask (*state, "log_get", &header, &in, &one, NULL), E_NOT_FOUND);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_every_filter_by_cursor_and_offset, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_what_is_not_ours_is_not_shown, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_far_offset_is_refused, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_cursor_may_be_gone, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown (test_recipients_have_their_own_status, world_setup,
                                         world_teardown),
        cmocka_unit_test_setup_teardown (test_inbound_stands_with_the_app_of_its_number,
                                         world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
