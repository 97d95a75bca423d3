/* tap_test.c - sieves, the tap against a broker's mirror, and against one of before: an XPUB that sends all, one envelope a message. */
#include "bus/mirror.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { SOON_MS = 3000 };

/* ---- sieves ---- */

static bytes_t text (const char *of)
{
    return bytes_of_str (of);
}

static void sieves_come_back (void **state)
{
    (void) state;
    sieve_t in = {.number = 7,
                  .service = text ("messaging"),
                  .op = text ("sms_send"),
                  .without = {text ("ping"), text ("journal_read")},
                  .without_count = 2,
                  .org = {{1, 2, 3}},
                  .trace = text ("0af7"),
                  .subjects = {text ("+14155550101")},
                  .subject_count = 1};
    sieve_t out;
    buf_t topic = {0}, again = {0};
    sieve_write (&in, &topic);
    assert_int_equal (sieve_read (buf_bytes (&topic), &out), 0);
    sieve_write (&out, &again);
    assert_true (bytes_equal (buf_bytes (&topic), buf_bytes (&again)));
    for (size_t i = 0; i < topic.size; i++)
        assert_int_equal (sieve_read (bytes_of (topic.data, i), &out), E_BAD_REQUEST);
    buf_add_byte (&topic, 0xc0);
    assert_int_equal (sieve_read (buf_bytes (&topic), &out), E_BAD_REQUEST);
    assert_int_equal (sieve_read (text ("messaging"), &out), E_BAD_REQUEST);
    in.subject_count = 0; /* a point more than this version knows */
    buf_clear (&topic);
    sieve_write (&in, &topic);
    topic.data[1]++;
    buf_add_byte (&topic, 0xc0);
    assert_int_equal (sieve_read (buf_bytes (&topic), &out), E_BAD_REQUEST);
    buf_free (&topic);
    buf_free (&again);
}

static void sieves_take_targets (void **state)
{
    (void) state;
    static const struct {
        const char *service, *op, *without, *target, *name;
        bool common, takes;
    } rows[] = {
        {"", "", "", "messaging.sms_send", "sms_send", false, true},
        {"messaging", "", "", "messaging.sms_send", "sms_send", false, true},
        {"messaging", "", "", "messaging#2.sms_send", "sms_send", false, true},
        {"messaging", "", "", "messagings.sms_send", "sms_send", false, false},
        {"messaging", "", "", "messaging", "", false, false},
        {"messaging", "", "", "accounts.key_find", "key_find", false, false},
        {"messaging", "sms_send", "", "messaging#1.sms_send", "sms_send", false, true},
        {"messaging", "sms_send", "", "messaging.sms_get", "sms_get", false, false},
        {"", "", "ping", "messaging.ping", "ping", true, false},
        {"", "", "ping", "messaging.ping", "ping", false, true},
        {"", "", "ping", "messaging.pings", "pings", true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sieve_t sieve = {.service = text (rows[i].service),
                         .op = text (rows[i].op),
                         .without = {text (rows[i].without)},
                         .without_count = *rows[i].without ? 1 : 0};
        if (sieve_takes_target (&sieve, text (rows[i].target), text (rows[i].name),
                                rows[i].common) != rows[i].takes)
            fail_msg ("row %zu", i);
    }
}

static void sieves_take_asks (void **state)
{
    (void) state;
    static const char *const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    static const char *const tail = "2qa7yEeeby3abP3E2Zs8IQ9Y7aJ";
    static const struct {
        uint8_t org;
        const char *trace, *subject;         /* wanted */
        const char *has_trace, *has_subject; /* of the ask, whose organization is 1 */
        bool takes;
    } rows[] = {
        {0, "", NULL, NULL, NULL, true},
        {1, "", NULL, NULL, NULL, true},
        {2, "", NULL, NULL, NULL, false},
        {0, "8448eb", NULL, trace, NULL, true},
        {0, "8448ec", NULL, trace, "x", false},
        {0, "8448eb", NULL, NULL, "x", false},
        {0, "", "+14155550101", NULL, "+14155550101", true},
        {0, "", "+14155550101", trace, "+14155550102", false},
        {0, "", "+14155550101", NULL, "+1415555010", false},
        {0, "", "+14155550101", NULL, NULL, false},
        {0, "", tail, NULL, tail, true},
        {0, "", tail, NULL, "msg_sms_2qa7yEeeby3abP3E2Zs8IQ9Y7aJ", true},
        {0, "", tail, NULL, "msg_sms2qa7yEeeby3abP3E2Zs8IQ9Y7aJ", false},
        {0, "", tail, NULL, "msg_sms_2qa7yEeeby3abP3E2Zs8IQ9Y7aK", false},
        {1, "8448eb", "x", trace, "x", true},
        {2, "8448eb", "x", trace, "x", false},
        {1, "8448eb", "y", trace, "x", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sieve_t sieve = {.org = {{rows[i].org}}, .trace = text (rows[i].trace)};
        if (rows[i].subject)
            sieve.subjects[sieve.subject_count++] = text (rows[i].subject);
        envelope_t ask = {.kind = ENV_ASK,
                          .id = {{9}},
                          .target = "alpha.echo",
                          .org = {{1}},
                          .subject = rows[i].has_subject,
                          .trace = rows[i].has_trace};
        envelope_route_t route;
        buf_t header = {0};
        envelope_write (&ask, &header);
        assert_int_equal (envelope_route_read (buf_bytes (&header), &route, NULL), 0);
        if (sieve_takes_ask (&sieve, &route) != rows[i].takes)
            fail_msg ("row %zu", i);
        buf_free (&header);
    }
}

static void pairs_come_back (void **state)
{
    (void) state;
    tap_meta_t meta = {1700000000000, 3, 12};
    bytes_t body = text ("body");
    buf_t train = {0};
    tap_pair_t pair;
    tap_pair_write (&meta, text ("header"), &body, &train);
    tap_pair_write (&meta, text ("other"), NULL, &train);
    mp_reader_t in = mp_read (buf_bytes (&train));
    assert_int_equal (tap_pair_read (&in, &pair), 0);
    assert_memory_equal (&pair.meta, &meta, sizeof meta);
    assert_true (bytes_equal (pair.header, text ("header")) && bytes_equal (pair.body, body));
    assert_false (pair.apart);
    assert_int_equal (tap_pair_read (&in, &pair), 0);
    assert_true (pair.apart && mp_done (&in));
    assert_int_equal (tap_pair_read (&in, &pair), E_BAD_REQUEST);
    for (size_t i = 1; i < 12; i++) { /* within the first */
        in = mp_read (bytes_of (train.data, i));
        assert_int_equal (tap_pair_read (&in, &pair), E_BAD_REQUEST);
    }
    buf_free (&train);
}

/* ---- a broker of one thread ---- */

typedef struct stage {
    char folder[64], endpoint[96];
    void *context;
    mirror_t *mirror;
    void *before; /* the socket of a broker that does not sieve */
    arena_t *arena;
    uint8_t sent;
} stage_t;

static void stage_open (stage_t *self)
{
    *self = (stage_t){.folder = "/tmp/aviary-tap-XXXXXX"};
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->endpoint, sizeof self->endpoint, "ipc://%s/tap", self->folder);
    self->context = zmq_ctx_new ();
    self->arena = arena_new (16 << 20);
}

static void stage_close (stage_t *self)
{
    mirror_destroy (&self->mirror);
    if (self->before)
        zmq_close (self->before);
    zmq_ctx_term (self->context);
    arena_destroy (&self->arena);
    unlink (self->endpoint + 6);
    rmdir (self->folder);
}

static void mirror_open (stage_t *self)
{
    assert_int_equal (mirror_new (self->context, self->endpoint, &self->mirror, NULL), 0);
}

static void before_open (stage_t *self)
{
    int linger = 0;
    self->before = zmq_socket (self->context, ZMQ_XPUB);
    zmq_setsockopt (self->before, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal (zmq_bind (self->before, self->endpoint), 0);
}

/* An ask about a subject with a number of its own, and its answer; as today and as it was. */
static mirror_set_t pass (stage_t *self, const char *subject, size_t body_size)
{
    envelope_t e = {.kind = ENV_ASK, .id = {{++self->sent}}, .target = "alpha.echo"};
    mirror_target_t target = {text ("alpha.echo"), text ("echo"), false};
    tap_meta_t meta = {.time_ms = clock_now_ms ()};
    uint8_t *large = calloc (1, body_size + 1);
    buf_t header = {0}, packed = {0};
    frame_t body;
    envelope_route_t route;
    mirror_set_t asked = 0;
    assert_int_equal (frame_fill (&body, bytes_of (large, body_size)), 0);
    tap_meta_write (&meta, &packed);
    for (int i = 0; i < 2; i++) {
        e.kind = i ? ENV_ANSWER : ENV_ASK;
        e.subject = i ? NULL : subject;
        buf_clear (&header);
        envelope_write (&e, &header);
        assert_int_equal (envelope_route_read (buf_bytes (&header), &route, NULL), 0);
        if (self->before) {
            zmq_send (self->before, "alpha.echo", 10, ZMQ_SNDMORE);
            zmq_send (self->before, packed.data, packed.size, ZMQ_SNDMORE);
            zmq_send (self->before, header.data, header.size, ZMQ_SNDMORE);
            zmq_send (self->before, large, body_size, 0);
            continue;
        }
        mirror_set_t to = i ? mirror_of_answer (self->mirror, &target, asked)
                            : mirror_of_ask (self->mirror, &target, &route);
        asked = i ? asked : to;
        mirror_send (self->mirror, to, &meta, target.target, buf_bytes (&header), &body);
    }
    frame_close (&body);
    free (large);
    buf_free (&header);
    buf_free (&packed);
    return asked;
}

/* Turns of the broker with asks about a subject until the tap has shown one; its number. */
static uint8_t until_shown (stage_t *self, tap_t *tap, const char *subject)
{
    tap_message_t got;
    for (int64_t end = clock_mono_ms () + SOON_MS; clock_mono_ms () < end;) {
        if (self->mirror)
            mirror_look (self->mirror);
        pass (self, subject, 4);
        if (self->mirror)
            mirror_turn (self->mirror);
        arena_reset (self->arena);
        if (tap_next (tap, 20, self->arena, &got))
            return got.envelope.id.b[0];
    }
    fail_msg ("nothing of %s came", subject);
    return 0;
}

static tap_t *tap_of (const stage_t *self, const char *subject)
{
    tap_t *tap;
    sieve_t sieve = {.subjects = {text (subject)}, .subject_count = 1};
    assert_int_equal (tap_new_sieved (self->endpoint, &sieve, &tap, NULL), 0);
    return tap;
}

static void drain (stage_t *self, tap_t *tap)
{
    tap_message_t got;
    do
        arena_reset (self->arena);
    while (tap_next (tap, 100, self->arena, &got));
}

static void next_is (stage_t *self, tap_t *tap, envelope_kind_t kind, uint8_t id, size_t size)
{
    tap_message_t got = {0};
    assert_true (tap_next (tap, SOON_MS, self->arena, &got));
    assert_int_equal (got.envelope.kind, kind);
    assert_int_equal (got.envelope.id.b[0], id);
    assert_int_equal (got.body.size, size);
    assert_string_equal (got.target, "alpha.echo");
}

static void only_what_is_wanted_is_sent (void **state)
{
    (void) state;
    stage_t stage;
    tap_message_t got;
    stage_open (&stage);
    mirror_open (&stage);
    tap_t *one = tap_of (&stage, "one"), *two = tap_of (&stage, "two");
    until_shown (&stage, one, "one");
    until_shown (&stage, two, "two");
    drain (&stage, one);
    drain (&stage, two);
    uint64_t sent = mirror_sent (stage.mirror);
    assert_int_equal (pass (&stage, "three", 4), 0);
    assert_int_equal (pass (&stage, "two_o", 4), 0);
    assert_int_equal (mirror_sent (stage.mirror), sent);
    uint8_t first = (uint8_t) (stage.sent + 1);
    for (int i = 0; i < 3; i++) /* a large body is a frame of its own */
        assert_int_not_equal (pass (&stage, "one", i == 1 ? 100000 : 4), 0);
    mirror_turn (stage.mirror);
    assert_int_equal (mirror_sent (stage.mirror), sent + 6);
    for (uint8_t i = 0; i < 3; i++) {
        next_is (&stage, one, ENV_ASK, (uint8_t) (first + i), i == 1 ? 100000 : 4);
        next_is (&stage, one, ENV_ANSWER, (uint8_t) (first + i), i == 1 ? 100000 : 4);
    }
    assert_false (tap_next (one, 50, stage.arena, &got));
    assert_false (tap_next (two, 50, stage.arena, &got));
    tap_destroy (&one);
    tap_destroy (&two);
    for (int64_t end = clock_mono_ms () + SOON_MS;
         mirror_is_watched (stage.mirror) && clock_mono_ms () < end; usleep (5000))
        mirror_look (stage.mirror);
    assert_false (mirror_is_watched (stage.mirror));
    stage_close (&stage);
}

/* Who has waited for a word in vain looks for himself, and leaves that when the word comes: nothing is missed or doubled in between. */
static void a_tap_goes_from_one_broker_to_another (void **state)
{
    (void) state;
    stage_t stage;
    stage_open (&stage);
    before_open (&stage);
    tap_t *tap = tap_of (&stage, "one");
    until_shown (&stage, tap, "other"); /* all of it: there is no sieve */
    until_shown (&stage, tap, "one");
    zmq_close (stage.before);
    stage.before = NULL;
    drain (&stage, tap);
    mirror_open (&stage);
    uint8_t first = until_shown (&stage, tap, "one");
    uint8_t last = stage.sent;
    for (uint8_t id = first; id <= last; id++) { /* the first ask was taken */
        if (id > first)
            next_is (&stage, tap, ENV_ASK, id, 4);
        next_is (&stage, tap, ENV_ANSWER, id, 4);
    }
    for (int64_t end = clock_mono_ms () + SOON_MS;
         pass (&stage, "other", 4) != 0 && clock_mono_ms () < end; usleep (5000))
        mirror_look (stage.mirror);
    assert_int_equal (pass (&stage, "other", 4), 0); /* it is sieved now */
    mirror_destroy (&stage.mirror);
    before_open (&stage);
    bool back = false;
    for (int64_t end = clock_mono_ms () + 6000; !back && clock_mono_ms () < end;) {
        tap_message_t got;
        pass (&stage, "other", 4);
        arena_reset (stage.arena);
        back = tap_next (tap, 100, stage.arena, &got);
    }
    assert_true (back);
    tap_destroy (&tap);
    stage_close (&stage);
}

/* One that knows no sieves gets each envelope once, beside one with a sieve that takes all. */
static void plain_taps_get_no_trains (void **state)
{
    (void) state;
    stage_t stage;
    tap_message_t got;
    tap_t *plain, *other, *sieved;
    sieve_t all = {0};
    stage_open (&stage);
    mirror_open (&stage);
    assert_int_equal (tap_new (stage.endpoint, "", &plain, NULL), 0);
    assert_int_equal (tap_new (stage.endpoint, "beta", &other, NULL), 0);
    assert_int_equal (tap_new_sieved (stage.endpoint, &all, &sieved, NULL), 0);
    until_shown (&stage, plain, "one");
    until_shown (&stage, sieved, "one");
    drain (&stage, plain);
    drain (&stage, sieved);
    assert_int_not_equal (pass (&stage, "one", 4), 0);
    mirror_beat (stage.mirror, clock_mono_ms () + 10000);
    for (int i = 0; i < 2; i++) {
        tap_t *tap = i ? sieved : plain;
        next_is (&stage, tap, ENV_ASK, stage.sent, 4);
        next_is (&stage, tap, ENV_ANSWER, stage.sent, 4);
        assert_false (tap_next (tap, 50, stage.arena, &got));
    }
    assert_false (tap_next (other, 50, stage.arena, &got));
    tap_destroy (&plain);
    tap_destroy (&other);
    tap_destroy (&sieved);
    stage_close (&stage);
}

/* More than have a place of their own. */
static void many_listen (void **state)
{
    (void) state;
    enum { MANY = 70 };
    stage_t stage;
    tap_t *taps[MANY];
    stage_open (&stage);
    mirror_open (&stage);
    for (int i = 0; i < MANY; i++) {
        char subject[16];
        snprintf (subject, sizeof subject, "s%d", i);
        taps[i] = tap_of (&stage, subject);
    }
    for (int i = 0; i < MANY; i++) {
        char subject[16];
        snprintf (subject, sizeof subject, "s%d", i);
        until_shown (&stage, taps[i], subject);
    }
    for (int i = 0; i < MANY; i++)
        tap_destroy (&taps[i]);
    for (int64_t end = clock_mono_ms () + SOON_MS;
         mirror_is_watched (stage.mirror) && clock_mono_ms () < end; usleep (5000))
        mirror_look (stage.mirror);
    assert_false (mirror_is_watched (stage.mirror));
    stage_close (&stage);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (sieves_come_back),
        cmocka_unit_test (sieves_take_targets),
        cmocka_unit_test (sieves_take_asks),
        cmocka_unit_test (pairs_come_back),
        cmocka_unit_test (only_what_is_wanted_is_sent),
        cmocka_unit_test (a_tap_goes_from_one_broker_to_another),
        cmocka_unit_test (plain_taps_get_no_trains),
        cmocka_unit_test (many_listen),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
