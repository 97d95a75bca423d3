/* nth_timers_test.c - messaging's timers and sweeps with every fault in every place. */
#include "messaging_world.h"
#include "svc/optest_nth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(list) (sizeof (list) / sizeof *(list))

static const int64_t day_ms = 24 * 3600 * INT64_C (1000);

/* What goes with time, made by use: a message with its receipt's callback, a window, a file. */
static void things_make (optest_t *test)
{
    const provider_event_t event = world_hi ("w-1", false);
    messaging_sms_send_out_t out = {0};
    assert_int_equal (world_sms (test, WORLD_PERSON, "Hello", &out, NULL), 0);
    world_run_out (test);
    world_inbound (test, ACCOUNTS_CARRIER_LOOPBACK, &event);
    world_file (test, world_app, MESSAGING_KIND_IMAGE);
}

/* A refused callback, and a receipt for which no send came. */
static int rows_insert (turn_t *t, void *context)
{
    (void) context;
    const messaging_refusal_t refusal = {.id = turn_id (t), .account = world_meta, .at = t->now};
    const messaging_parked_receipt_t receipt = {.id = turn_id (t),
                                                .carrier = ACCOUNTS_CARRIER_LOOPBACK,
                                                .provider_id = "m-none",
                                                .until = t->now + day_ms};
    int code = store_insert (t->txn, &messaging_refusal_record, &refusal, NULL);
    return code ? code : store_insert (t->txn, &messaging_parked_receipt_record, &receipt, NULL);
}

/* What an upload left that was never told of. */
static id16_t stray;

static int row_drop (turn_t *t, void *context)
{
    return store_del (t->txn, &messaging_media_record, *(id16_t *) context);
}

static int year_begin (optest_t *test)
{
    stray = world_file (test, world_app, MESSAGING_KIND_IMAGE);
    int code = optest_run (test, row_drop, &stray);
    return code ? code : optest_run (test, rows_insert, NULL);
}

static bool year_is_done (optest_t *test)
{
    blobs_t *folder = ((messaging_context_t *) svc_context (optest_svc (test)))->media;
    blob_reader_t *reader = NULL;
    bool there = blob_reader_new (folder, stray, &reader, NULL) == 0;
    blob_reader_destroy (&reader);
    return !there && optest_rows (test, "message") == 0 && optest_rows (test, "recipient") == 0 &&
           optest_rows (test, "window") == 0 && optest_rows (test, "media") == 0;
}

/* A message as it was kept before there were threads. */
static int old_insert (turn_t *t, void *context)
{
    static const char *const ours[] = {WORLD_WHATSAPP};
    id16_t fill = {.b = {[15] = 1}};
    const messaging_message_t row = {.id = turn_id (t),
                                     .org = world_org,
                                     .number = world_whatsapp_number,
                                     .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                     .direction = MESSAGING_DIRECTION_INBOUND,
                                     .kind = MESSAGING_KIND_TEXT,
                                     .test = true,
                                     .from = "+15559998888",
                                     .to = {(void *) (uintptr_t) ours, 1},
                                     .text = "old",
                                     .created_at = t->now};
    (void) context;
    int code = store_del (t->txn, &messaging_thread_fill_record, fill);
    return code ? code : store_insert (t->txn, &messaging_message_record, &row, NULL);
}

static int old_begin (optest_t *test)
{
    return optest_run (test, old_insert, NULL);
}

static void test_timers (void **state)
{
    static const char *const sweep[] = {"messaging.media_sweep", NULL},
                             *const fill[] = {"messaging.thread_fill", NULL},
                             *const kinds[] = {"messages", "callbacks", "refusals", "windows",
                                               "receipts", "media",     "journal",  NULL};
    const nth_timer_t samples[] = {
        {"a year goes by", sweep, kinds, year_begin, 400 * day_ms, year_is_done},
        {"threads of old messages", fill, NULL, old_begin, 0, NULL},
    };
    things_make (*state);
    assert_int_equal (nth_timers (*state, samples, COUNT (samples)), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_timers, world_setup, world_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
