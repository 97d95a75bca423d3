/* messages_list_test.c - messages_list on a temporary store, against a list kept beside: random messages, every filter and many of their combinations, page by
 * page; and a store that was written without the indexes that it walks. */
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FILLED = 900, TURN = 30, DAYS = FILLED / TURN, RECIPIENTS = 3, WALKS = 150 };
static const int64_t day_ms = 86400000;
static const id16_t other_org = {{99}};
static const id16_t other_app = {{98}};

typedef struct kept {
    messaging_message_t message;
    int32_t statuses[RECIPIENTS];
    size_t recipients;
} kept_t;

typedef struct model {
    kept_t rows[FILLED];
    size_t count;
    size_t stored; /* before the turn that adds */
    uint64_t seed;
    const schema_record_t *messages, *recipients;
} model_t;

static unsigned dice (model_t *model, unsigned sides)
{
    model->seed = model->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned) (model->seed >> 33) % sides;
}

/* ---- filling ---- */

static int recipients_add (turn_t *t, model_t *model, kept_t *row)
{
    int code = 0;
    row->recipients = dice (model, 4) ? 1 : RECIPIENTS;
    for (size_t i = 0; i < row->recipients && code == 0; i++) {
        messaging_recipient_t recipient = {.id = turn_id (t),
                                           .org = row->message.org,
                                           .message = row->message.id,
                                           .to = WORLD_PERSON,
                                           .status = MESSAGING_STATUS_QUEUED,
                                           .version = 1};
        row->statuses[i] = recipient.status;
        code = store_insert (t->txn, model->recipients, &recipient, NULL);
        if (code || !dice (model, 5))
            continue;
        row->statuses[i] = recipient.status = 1 + (int32_t) dice (model, 8);
        code = store_put (t->txn, model->recipients, &recipient, NULL);
    }
    return code;
}

static int message_add (turn_t *t, model_t *model)
{
    static const char *to[] = {WORLD_PERSON};
    const id16_t numbers[][2] = {{world_number, world_whatsapp_number},
                                 {world_live_number, world_live_whatsapp_number}};
    bool live = !dice (model, 3), whatsapp = !dice (model, 3), outbound = dice (model, 3) > 0;
    bool ours = dice (model, 12) > 0, shared = dice (model, 9) == 0;
    kept_t *row = &model->rows[model->count++];
    row->recipients = 0;
    row->message = (messaging_message_t){
        .id = turn_id (t),
        .org = ours ? world_org : other_org,
        .log_app = !ours  ? other_app
                   : live ? world_live_app
                          : world_app,
        .number = ours ? numbers[live != shared][whatsapp] : (id16_t){{97}},
        .channel = whatsapp ? ACCOUNTS_CHANNEL_WHATSAPP : ACCOUNTS_CHANNEL_SMS,
        .kind = MESSAGING_KIND_SMS,
        .direction = outbound ? MESSAGING_DIRECTION_OUTBOUND : MESSAGING_DIRECTION_INBOUND,
        .test = !live,
        .from = WORLD_SMS,
        .to = {to, 1},
        .text = "x",
        .created_at = t->now};
    int code = store_insert (t->txn, model->messages, &row->message, NULL);
    return code || !outbound ? code : recipients_add (t, model, row);
}

static int turn_fill (turn_t *t, void *context)
{
    model_t *model = context;
    int code = 0;
    model->count = model->stored; /* also when the turn is run again */
    for (unsigned i = 0; i < TURN && code == 0; i++)
        code = message_add (t, model);
    return code;
}

static void fill (optest_t *test, model_t *model, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        model->stored = model->count;
        assert_int_equal (optest_run (test, turn_fill, model), 0);
        assert_int_equal (optest_advance (test, day_ms), 0);
    }
}

static model_t *model_new (optest_t *test, uint64_t seed)
{
    model_t *model = arena_new_of (optest_arena (test), model_t);
    *model = (model_t){.seed = seed,
                       .messages = &messaging_message_record,
                       .recipients = &messaging_recipient_record};
    return model;
}

/* ---- what there should be ---- */

static bool status_fits (const kept_t *row, int32_t status)
{
    bool found = false;
    if (!status || status == MESSAGING_LOG_STATUS_RECEIVED)
        return !status || row->message.direction == MESSAGING_DIRECTION_INBOUND;
    for (size_t i = 0; i < row->recipients; i++) {
        int32_t is = row->statuses[i];
        found = found || is == status ||
                (status == MESSAGING_LOG_STATUS_SENDING && is == MESSAGING_STATUS_UNKNOWN) ||
                (status == MESSAGING_LOG_STATUS_FAILED && is == MESSAGING_STATUS_UNCONFIRMED);
    }
    return found;
}

static bool number_fits (const kept_t *row, const char *number)
{
    id16_t id = row->message.number;
    return !number || (strcmp (number, WORLD_SMS) == 0 && id_equal (id, world_number)) ||
           (strcmp (number, WORLD_LIVE_WHATSAPP) == 0 && id_equal (id, world_live_whatsapp_number));
}

static bool fits (const kept_t *row, const messaging_messages_list_in_t *in)
{
    const messaging_message_t *m = &row->message;
    return id_equal (m->org, world_org) &&
           (id_is_nil (in->app) || id_equal (m->log_app, in->app)) &&
           number_fits (row, in->number) && status_fits (row, in->status) &&
           (!in->channel || m->channel == in->channel) &&
           (!in->direction || m->direction == in->direction) && m->created_at >= in->since &&
           (!in->until || m->created_at < in->until);
}

static int ask (optest_t *test, const messaging_messages_list_in_t *in,
                messaging_messages_list_out_t *out, failure_t *failure)
{
    envelope_t header = {.sender = "cli"};
    *out = (messaging_messages_list_out_t){0};
    return optest_ask (test, "messages_list", &header, in, out, failure);
}

/* All pages against the list; the answers say how many there are where a counter stands for them. */
static void walk (optest_t *test, const model_t *model, messaging_messages_list_in_t in)
{
    size_t want = 0, at = model->count, seen = 0;
    messaging_messages_list_out_t page;
    for (size_t i = 0; i < model->count; i++)
        want += fits (&model->rows[i], &in);
    bool counted = !in.since && !in.until && (id_is_nil (in.app) || !in.number) &&
                   (!in.status || in.status == MESSAGING_LOG_STATUS_RECEIVED);
    do {
        assert_int_equal (ask (test, &in, &page, NULL), 0);
        assert_int_equal (page.counted, counted);
        assert_int_equal (page.total, counted ? want : 0);
        const messaging_log_message_t *shown = page.messages.items;
        assert_true (page.messages.count <= (size_t) in.limit);
        for (size_t i = 0; i < page.messages.count; i++) {
            while (at > 0 && !fits (&model->rows[at - 1], &in))
                at--;
            assert_true (at > 0);
            assert_true (id_equal (shown[i].id, model->rows[--at].message.id));
            assert_int_equal (shown[i].channel, model->rows[at].message.channel);
            seen++;
        }
        in.after = page.next;
    } while (!id_is_nil (page.next));
    assert_int_equal (seen, want);
}

static messaging_messages_list_in_t filters_draw (model_t *model, int64_t first)
{
    static const char *const numbers[] = {WORLD_SMS, WORLD_LIVE_WHATSAPP};
    messaging_messages_list_in_t in = {.org = world_org, .limit = 1 + dice (model, 60)};
    if (!dice (model, 3))
        in.app = dice (model, 2) ? world_app : world_live_app;
    if (!dice (model, 3))
        in.number = numbers[dice (model, 2)];
    if (dice (model, 2))
        in.status = 1 + (int32_t) dice (model, 7);
    if (!dice (model, 3) && !in.number)
        in.channel = 1 + (int32_t) dice (model, 2);
    if (!dice (model, 3) && !in.status)
        in.direction = 1 + (int32_t) dice (model, 2);
    if (!dice (model, 3))
        in.since = first + dice (model, DAYS) * day_ms;
    if (!dice (model, 3))
        in.until = first + dice (model, DAYS) * day_ms;
    return in;
}

static void statuses_walk (optest_t *test, const model_t *model)
{
    for (int32_t status = 0; status <= MESSAGING_LOG_STATUS_RECEIVED; status++)
        walk (test, model,
              (messaging_messages_list_in_t){.org = world_org, .status = status, .limit = 50});
}

static void test_filters_against_a_list (void **state)
{
    model_t *model = model_new (*state, 7);
    fill (*state, model, DAYS);
    int64_t first = model->rows[0].message.created_at;
    statuses_walk (*state, model);
    for (unsigned i = 0; i < WALKS; i++)
        walk (*state, model, filters_draw (model, first));
}

static void test_places (void **state)
{
    model_t *model = model_new (*state, 9);
    fill (*state, model, 2);
    messaging_messages_list_in_t in = {.org = world_org, .limit = 5};
    messaging_messages_list_out_t page;
    in.after.b[15] = 1; /* before the first message */
    assert_int_equal (ask (*state, &in, &page, NULL), 0);
    assert_int_equal (page.messages.count, 0);
    assert_true (id_is_nil (page.next));
    in.after.b[0] = 0xff; /* nobody has it */
    assert_int_equal (ask (*state, &in, &page, NULL), 0);
    assert_int_equal (page.messages.count, 5);
    in = (messaging_messages_list_in_t){.org = world_org,
                                        .status = MESSAGING_LOG_STATUS_RECEIVED,
                                        .direction = MESSAGING_DIRECTION_OUTBOUND,
                                        .limit = 5};
    assert_int_equal (ask (*state, &in, &page, NULL), 0); /* nothing is both */
    assert_int_equal (page.messages.count, 0);
}

static void test_refusals (void **state)
{
    const struct {
        messaging_messages_list_in_t in;
        int code;
        const char *field;
    } rows[] = {
        {{.limit = 1}, E_BAD_REQUEST, "org"},
        {{.limit = 1, .app = other_app}, E_NOT_FOUND, "app"},
        {{.limit = 1, .app = world_app, .org = other_org}, E_NOT_FOUND, "app"},
        {{.limit = 1, .org = world_org, .number = "+15559999999"}, E_NOT_FOUND, "number"},
        {{.limit = 1, .org = other_org, .number = WORLD_SMS}, E_NOT_FOUND, "number"},
        {{.limit = 1, .app = world_app}, 0, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        messaging_messages_list_out_t page;
        failure_t failure = {0};
        assert_int_equal (ask (*state, &rows[i].in, &page, &failure), rows[i].code);
        if (rows[i].code)
            assert_string_equal (failure.field, rows[i].field);
    }
}

static void test_number_that_was_given_up (void **state)
{
    messaging_sms_send_out_t sent = {0};
    assert_int_equal (world_sms (*state, WORLD_PERSON, "Hello", &sent, NULL), 0);
    world_run_out (*state);
    assert_int_equal (world_assign (*state, (id16_t){{5}}, world_app, world_number, WORLD_SMS,
                                    ACCOUNTS_CHANNEL_SMS, 2, true),
                      0);
    messaging_messages_list_in_t in = {.org = world_org, .number = WORLD_SMS, .limit = 5};
    messaging_messages_list_out_t page;
    for (int32_t status = 0; status <= MESSAGING_LOG_STATUS_RECEIVED; status++) {
        in.status = status;
        assert_int_equal (ask (*state, &in, &page, NULL), 0);
        assert_int_equal (page.messages.count,
                          status == 0 || status == MESSAGING_LOG_STATUS_DELIVERED);
    }
}

/* ---- a store from before the indexes ---- */

enum { RECORDS_MOST = 64 };

typedef struct old_house {
    schema_service_t schema;
    svc_service_t service;
    schema_record_t messages, recipients;
    const schema_record_t *records[RECORDS_MOST];
} old_house_t;

static schema_record_t without (const schema_record_t *record, const char *index)
{
    schema_record_t old = *record;
    assert_string_equal (record->indexes[record->index_count - 1].name, index);
    old.index_count--;
    return old;
}

static void old_house_make (old_house_t *self)
{
    self->schema = messaging_service;
    self->messages = without (&messaging_message_record, "log_of_number");
    self->recipients = without (&messaging_recipient_record, "by_status");
    assert_true (messaging_service.record_count <= RECORDS_MOST);
    for (size_t i = 0; i < messaging_service.record_count; i++) {
        const schema_record_t *record = messaging_service.records[i];
        self->records[i] = record == &messaging_message_record     ? &self->messages
                           : record == &messaging_recipient_record ? &self->recipients
                                                                   : record;
    }
    self->schema.records = self->records;
    self->service = messaging_tables;
    self->service.schema = &self->schema;
    self->service.follow_count = self->service.job_count = self->service.timer_count = 0;
}

static void test_store_from_before_the_indexes (void **state)
{
    old_house_t *old = arena_new_of (optest_arena (*state), old_house_t);
    model_t *model = model_new (*state, 11);
    old_house_make (old);
    fill (*state, model, 2);
    assert_int_equal (optest_restart_as (*state, &old->service), 0);
    model->messages = &old->messages;
    model->recipients = &old->recipients;
    fill (*state, model, 3);
    assert_int_equal (optest_restart_as (*state, &messaging_tables), 0);
    statuses_walk (*state, model);
    walk (*state, model,
          (messaging_messages_list_in_t){.org = world_org, .number = WORLD_SMS, .limit = 3});
    for (unsigned i = 0; i < 30; i++) {
        messaging_messages_list_in_t in = filters_draw (model, 0);
        in.since = in.until =
            0; /* a restart goes on above the greatest id, and this world has some of no time */
        walk (*state, model, in);
    }
}

int main (void)
{
#define T(t) cmocka_unit_test_setup_teardown (t, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T (test_filters_against_a_list), T (test_places),
                                       T (test_refusals), T (test_number_that_was_given_up),
                                       T (test_store_from_before_the_indexes)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
