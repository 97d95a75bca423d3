/* erase_test.c - the erase walk on the test services: nothing tells of an erased person in any table, everybody else is untouched, followers' positions hold, and a restart
 * goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mirror.h"
#include "svc/inner.h"
#include "svc/optest.h"
#include "tally.h"

static const char phone[] = "+4917012345678";
static const char other_phone[] = "+4917012345679";
static const char marker[] = "MARKER-of-a-person";

static id16_t id_of (uint8_t n)
{
    id16_t id;
    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = (uint8_t) (n * 17 + i * 3);
    return id;
}

/* ---- looking at everything ---- */

/* Rows of all tables in which a text stands. */
static int64_t rows_with (optest_t *test, const char *text)
{
    int64_t found = optest_rows_with (test, text, "svc.erase");
    assert_true (found >= 0);
    return found;
}

static uint64_t pending (optest_t *test)
{
    txn_t *txn;
    uint64_t count = 0;
    store_t *store = optest_store (test);
    assert_int_equal (txn_begin (store, TXN_READ, &txn), 0);
    assert_int_equal (kv_count (txn, store_table (store, "svc.erase"), &count), 0);
    txn_abort (&txn);
    return count;
}

static void receipt (optest_t *test, id16_t id, int code, bool done)
{
    txn_t *txn;
    int64_t asked = 0, at = 0;
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (erase_receipt (optest_svc (test), txn, id, &asked, &at), code);
    txn_abort (&txn);
    assert_int_equal (asked > 0, code == 0);
    assert_int_equal (at > 0, done);
}

/* Long enough for a walk, and for texts of erase events to go without anybody who follows. */
static void quiet (optest_t *test)
{
    for (int i = 0; i < 60 && pending (test); i++)
        assert_int_equal (optest_advance (test, 3000), 0);
    assert_int_equal (pending (test), 0);
}

static int note (optest_t *test, id16_t about, const char *number, const char *text,
                 const char *key, bool refuse, failure_t *failure)
{
    tally_note_in_t in = {
        .about = about, .number = id_of (9), .phone = number, .text = text, .refuse = refuse};
    tally_note_out_t out = {0};
    envelope_t header = {.idem = {.dialect = "d", .route = "POST /n", .key = key}};
    int rc = optest_ask (test, "note", &header, &in, &out, failure);
    if (!rc)
        assert_string_equal (out.text, text);
    return rc;
}

static void forget (optest_t *test, id16_t about, const char *number)
{
    tally_forget_in_t in = {.about = about, .number = id_of (9), .phone = number};
    tally_forget_out_t out;
    assert_int_equal (optest_advance (test, 10), 0); /* later than what is forgotten */
    assert_int_equal (optest_ask (test, "forget", NULL, &in, &out, NULL), 0);
}

static void test_nothing_tells (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    failure_t failure = {0};
    id16_t erased = id_of (1), stays = id_of (2);
    assert_int_equal (note (test, erased, phone, marker, "k1", false, NULL), 0);
    assert_int_equal (note (test, stays, other_phone, "somebody else", "k2", false, NULL), 0);
    assert_int_equal (note (test, stays, phone, "who speaks of them", NULL, false, NULL), 0);
    assert_int_equal (note (test, stays, phone, "no", "k3", true, &failure), E_CONFLICT);
    assert_non_null (strstr (failure.text, phone));
    const common_event_t *events;
    assert_int_equal (optest_events (test, 0, &events), 3);
    assert_true (rows_with (test, marker) >= 3);
    forget (test, erased, phone);
    receipt (test, erased, 0, false);
    receipt (test, stays, E_NOT_FOUND, false);
    quiet (test);
    assert_int_equal (rows_with (test, marker), 0);
    assert_int_equal (rows_with (test, phone + 1), 0);
    receipt (test, erased, 0, true);
    /* The journal: the same places, empty; the one that says so keeps its ids. */
    assert_int_equal (optest_events (test, 0, &events), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal (events[i].sequence, i + 1);
    assert_int_equal (events[0].number, EVENT_BLANK);
    assert_int_equal (events[1].number, tally_noted_event.number);
    assert_int_equal (events[2].number, EVENT_BLANK); /* of the same number of ours */
    tally_forgotten_t told;
    assert_int_equal (optest_event_body (test, &events[3], &tally_forgotten_event, &told), 0);
    assert_true (id_equal (told.about, erased));
    assert_null (told.phone);
    /* Keys act once, and answer without content. */
    assert_int_equal (note (test, erased, phone, marker, "k1", false, &failure), E_NOT_FOUND);
    assert_int_equal (note (test, stays, other_phone, "somebody else", "k2", false, NULL), 0);
    assert_int_equal (note (test, stays, phone, "no", "k3", true, &failure), E_CONFLICT);
    assert_null (strstr (failure.text, phone));
    assert_int_equal (optest_events (test, 0, &events), 4);
    assert_true (rows_with (test, "somebody else") >= 2);
    optest_destroy (&test);
}

/* The same person on another number of ours, or who comes again, is not meant. */
static void test_others_stay (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    tally_note_in_t in = {
        .about = id_of (3), .number = id_of (8), .phone = phone, .text = "on another number"};
    tally_note_out_t out;
    assert_int_equal (optest_ask (test, "note", NULL, &in, &out, NULL), 0);
    assert_int_equal (optest_advance (test, 1000), 0);
    forget (test, id_of (1), phone);
    assert_int_equal (optest_advance (test, 1), 0);
    assert_int_equal (note (test, id_of (4), phone, "came again", "k", false, NULL), 0);
    quiet (test);
    const common_event_t *events;
    assert_int_equal (optest_events (test, 0, &events), 3);
    assert_int_equal (events[0].number, tally_noted_event.number);
    assert_int_equal (events[2].number, tally_noted_event.number);
    assert_int_equal (note (test, id_of (4), phone, "came again", "k", false, NULL), 0);
    optest_destroy (&test);
}

/* A row that may not go yet holds the receipt open, not the service. */
static void test_held (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    id16_t erased = id_of (1);
    assert_int_equal (note (test, erased, phone, "held", NULL, false, NULL), 0);
    assert_int_equal (note (test, erased, phone, marker, NULL, false, NULL), 0);
    forget (test, erased, phone);
    for (int i = 0; i < 8; i++)
        assert_int_equal (optest_advance (test, 70000), 0);
    assert_int_equal (pending (test), 1);
    receipt (test, erased, 0, false);
    assert_int_equal (rows_with (test, marker), 0);
    assert_int_equal (rows_with (test, "held"), 1);
    optest_destroy (&test);
}

/* More than a step's rows, with restarts in between: the walk goes on where it was, and ids that come meanwhile get a pass of their own. */
static void test_restarts (void **state)
{
    (void) state;
    optest_t *test = optest_new (&tally);
    tally_forget_in_t in = {.about = id_of (1), .number = id_of (9), .phone = phone};
    tally_forget_out_t out;
    enum { ROWS = 3000 };
    for (int i = 0; i < ROWS; i += 100) {
        optest_put_t *puts[100];
        for (int n = 0; n < 100; n++) {
            bool mine = n % 2 == 0;
            tally_note_in_t row = {.about = mine ? id_of (1) : id_of (2),
                                   .number = id_of (9),
                                   .phone = mine ? phone : other_phone,
                                   .text = mine ? marker : "somebody else"};
            puts[n] = optest_put (test, "note", NULL, &row);
        }
        assert_int_equal (optest_turn (test), 0);
        for (int n = 0; n < 100; n++)
            assert_int_equal (optest_take (test, puts[n], NULL, NULL), 0);
    }
    optest_clock (test, 10); /* later than what is forgotten */
    assert_int_equal (optest_ask (test, "forget", NULL, &in, &out, NULL), 0);
    int64_t before = rows_with (test, marker);
    for (int i = 0; i < 2; i++) {
        assert_int_equal (optest_advance (test, 1000), 0);
        assert_int_equal (optest_turn (test), 0);
        assert_int_equal (optest_restart (test), 0);
    }
    int64_t now = rows_with (test, marker);
    assert_true (now > 0 && now < before);
    forget (test, id_of (5), NULL);
    for (int i = 0; i < 200 && pending (test); i++)
        assert_int_equal (optest_advance (test, 1000), 0);
    assert_int_equal (pending (test), 0);
    assert_int_equal (rows_with (test, marker), 0);
    receipt (test, id_of (1), 0, true);
    receipt (test, id_of (5), 0, true);
    const common_event_t *events;
    size_t count = optest_events (test, 0, &events);
    assert_int_equal (count, ROWS + 2);
    size_t stay = 0;
    for (size_t i = 0; i < count; i++)
        stay += events[i].number == tally_noted_event.number;
    assert_int_equal (stay, ROWS / 2);
    optest_destroy (&test);
}

/* ---- a follower: jobs, parked asks ---- */

static int follow_forgotten (optest_t *test, id16_t about)
{
    tally_forgotten_t told = {.about = about, .number = id_of (9), .phone = phone};
    assert_int_equal (optest_advance (test, 10), 0);
    return optest_follow (test, &tally_forgotten_event, &(event_about_t){.record = about}, &told,
                          NULL);
}

static void call (optest_t *test, id16_t about, const char *to, int64_t due)
{
    mirror_call_in_t in = {.about = about, .phone = to, .number = id_of (9), .due = due};
    mirror_call_out_t out;
    assert_int_equal (optest_ask (test, "call", NULL, &in, &out, NULL), 0);
}

static void test_jobs (void **state)
{
    (void) state;
    optest_t *test = optest_new (&mirror);
    int64_t now = clock_now_ms (), later = now + 3600000;
    call (test, id_of (1), phone, 0); /* under way */
    outward_t *outward = optest_job (test);
    assert_non_null (outward);
    call (test, id_of (1), phone, later); /* behind it */
    call (test, id_of (1), phone, later);
    call (test, id_of (2), other_phone, later);
    assert_true (rows_with (test, phone) >= 3);
    assert_int_equal (follow_forgotten (test, id_of (1)), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal (optest_advance (test, 2000), 0);
    assert_int_equal (pending (test), 1); /* for the one under way */
    assert_int_equal (optest_job_answered (test, outward, 200, ""), 0);
    quiet (test);
    assert_int_equal (rows_with (test, phone), 0);
    assert_null (optest_job (test));
    /* A lane of its own whose first job waits: gone with its name; the other person's goes out. */
    call (test, id_of (6), phone, clock_now_ms () + 3600000);
    assert_int_equal (follow_forgotten (test, id_of (6)), 0);
    quiet (test);
    assert_int_equal (rows_with (test, phone), 0);
    assert_int_equal (optest_advance (test, 2 * 3600000), 0);
    outward = optest_job (test);
    assert_non_null (outward);
    assert_int_equal (optest_job_answered (test, outward, 200, ""), 0);
    assert_null (optest_job (test));
    optest_destroy (&test);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_nothing_tells), cmocka_unit_test (test_others_stay),
        cmocka_unit_test (test_held),          cmocka_unit_test (test_restarts),
        cmocka_unit_test (test_jobs),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
