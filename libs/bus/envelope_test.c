/* envelope_test.c - headers, targets and failures: round trips, and everything that must be refused. */
#include "bus/envelope.h"

#include "base/msgpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static id16_t id_of (uint8_t byte)
{
    id16_t id;
    memset (id.b, byte, sizeof id.b);
    return id;
}

static envelope_t whole (void)
{
    envelope_t e = {
        .kind = ENV_ASK,
        .id = id_of (1),
        .target = "messaging.sms_send",
        .sender = "edge",
        .ttl_ms = 5000,
        .org = id_of (2),
        .count = 3,
        .principal = PRINCIPAL_APP_KEY,
        .principal_id = id_of (4),
        .app = id_of (5),
        .test = true,
        .subject = "+4917012345678",
        .trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        .request_id = "req_1",
        .idem = {.dialect = "chirp",
                 .scope = id_of (6),
                 .route = "POST /v1/sms",
                 .key = "k\xc3\xa4y",
                 .request_id = "req_0"},
        .replayed = true,
        .first_request_id = "req_0",
    };
    memset (e.idem.fingerprint, 7, sizeof e.idem.fingerprint);
    return e;
}

/* What is forgotten and how long to wait, in a header that without them has its old form. */
static void idempotency_of_dialects (void **state)
{
    (void) state;
    uint8_t forgets[IDEM_FORGETS / 8] = {1, 2, 3};
    arena_t *arena = arena_new (1 << 16);
    envelope_t in = whole (), out;
    buf_t buf = {0};
    envelope_write (&in, &buf);
    assert_int_equal (envelope_read (buf_bytes (&buf), arena, &out, NULL), 0);
    assert_int_equal (out.idem.wait_ms, 0);
    assert_null (out.idem.forgets);
    buf_free (&buf);
    in.principal = PRINCIPAL_ORG_KEY;
    in.idem.wait_ms = IDEM_WAIT_NOT;
    envelope_write (&in, &buf);
    assert_int_equal (envelope_read (buf_bytes (&buf), arena, &out, NULL), 0);
    assert_int_equal (out.principal, PRINCIPAL_ORG_KEY);
    assert_int_equal (out.idem.wait_ms, IDEM_WAIT_NOT);
    assert_null (out.idem.forgets);
    buf_free (&buf);
    in.idem.forgets = forgets;
    envelope_write (&in, &buf);
    assert_int_equal (envelope_read (buf_bytes (&buf), arena, &out, NULL), 0);
    assert_memory_equal (out.idem.forgets, forgets, sizeof forgets);
    buf_free (&buf);
    arena_destroy (&arena);
}

static void whole_envelope_comes_back (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    envelope_t in = whole (), out;
    buf_t buf = {0};
    envelope_write (&in, &buf);
    assert_int_equal (envelope_read (buf_bytes (&buf), arena, &out, NULL), 0);
    assert_int_equal (out.kind, in.kind);
    assert_true (id_equal (out.id, in.id));
    assert_string_equal (out.target, in.target);
    assert_string_equal (out.sender, in.sender);
    assert_int_equal (out.ttl_ms, in.ttl_ms);
    assert_true (id_equal (out.org, in.org));
    assert_int_equal (out.count, in.count);
    assert_int_equal (out.principal, in.principal);
    assert_true (id_equal (out.principal_id, in.principal_id));
    assert_true (id_equal (out.app, in.app));
    assert_true (out.test);
    assert_string_equal (out.subject, in.subject);
    assert_string_equal (out.trace, in.trace);
    assert_string_equal (out.request_id, in.request_id);
    assert_string_equal (out.idem.dialect, in.idem.dialect);
    assert_true (id_equal (out.idem.scope, in.idem.scope));
    assert_string_equal (out.idem.route, in.idem.route);
    assert_string_equal (out.idem.key, in.idem.key);
    assert_memory_equal (out.idem.fingerprint, in.idem.fingerprint, 32);
    assert_string_equal (out.idem.request_id, in.idem.request_id);
    assert_true (out.replayed);
    assert_string_equal (out.first_request_id, in.first_request_id);
    buf_free (&buf);
    arena_destroy (&arena);
}

static void short_envelope_is_short (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    envelope_t beat = {.kind = ENV_BEAT}, out;
    buf_t buf = {0};
    envelope_write (&beat, &buf);
    assert_int_equal (buf.size, 3);
    assert_int_equal (envelope_read (buf_bytes (&buf), arena, &out, NULL), 0);
    assert_int_equal (out.kind, ENV_BEAT);
    assert_string_equal (out.target, "");
    assert_string_equal (out.sender, "");
    assert_null (out.idem.key);
    assert_null (out.subject);
    buf_free (&buf);
    arena_destroy (&arena);
}

/* Both readers must refuse, each for what it reads; `routed` says whether the routing reader must. */
static void refused (const char *field, bool routed, bytes_t header)
{
    arena_t *arena = arena_new (1 << 16);
    envelope_t out = {.ttl_ms = 77};
    envelope_route_t route;
    failure_t failure = {0};
    assert_int_equal (envelope_read (header, arena, &out, &failure), E_BAD_REQUEST);
    assert_string_equal (failure.field, field);
    assert_int_equal (out.ttl_ms, 77);
    assert_int_equal (envelope_route_read (header, &route, NULL), routed ? E_BAD_REQUEST : 0);
    arena_destroy (&arena);
}

static void refused_envelope (const char *field, const envelope_t *e)
{
    buf_t buf = {0};
    envelope_write (e, &buf);
    refused (field,
             !strcmp (field, "kind") || !strcmp (field, "target") || !strcmp (field, "sender"),
             buf_bytes (&buf));
    buf_free (&buf);
}

static void bytes_that_are_no_header (void **state)
{
    (void) state;
    static const struct {
        const char *field;
        const char *bytes;
        size_t size;
        bool routed;
    } rows[] = {
        {"header", "", 0, true},
        {"header", "\xc0", 1, true},
        {"header", "\x80", 1, true},
        {"header", "\x91\x01", 2, true},
        {"header", "\xdd\xff\xff\xff\xff\x01\x01", 7, true},
        {"version", "\x92\x02\x01", 3, true},
        {"version", "\x92\xa1x\x01", 4, true},
        {"kind", "\x92\x01\x00", 3, true},
        {"kind", "\x92\x01\x09", 3, true},
        {"kind", "\x92\x01\xff", 3, true},
        {"kind", "\x92\x01\xa1x", 4, true},
        {"id", "\x93\x01\x01\xc4\x02xx", 7, true},
        {"id", "\x93\x01\x01\x05", 4, true},
        {"target", "\x94\x01\x01\xc0\x07", 5, true},
        {"target", "\x94\x01\x01\xc0\xa5x", 6, true},
        {"ttl_ms", "\x95\x01\x01\xc0\xc0\xff", 6, true},
        {"ttl_ms", "\x95\x01\x01\xc0\xc0\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 14, true},
        {"end", "\x92\x01\x01\x01", 4, true},
        {"principal", "\x99\x01\x01\xc0\xc0\xc0\xc0\xc0\xc0\x06", 10, false},
        {"test", "\x9c\x01\x01\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\x01", 13, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused (rows[i].field, rows[i].routed, bytes_of (rows[i].bytes, rows[i].size));
}

static void fields_beyond_their_limits (void **state)
{
    (void) state;
    char text[1100];
    memset (text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    envelope_t e = whole ();
    e.target = text + sizeof text - 1 - 129;
    refused_envelope ("target", &e);
    e = whole ();
    e.sender = text + sizeof text - 1 - 33;
    refused_envelope ("sender", &e);
    e = whole ();
    e.subject = text + sizeof text - 1 - 256;
    refused_envelope ("subject", &e);
    e = whole ();
    e.subject = "bad \xc3";
    refused_envelope ("subject", &e);
    e = whole ();
    e.idem.key = text + sizeof text - 1 - 256;
    refused_envelope ("idempotency", &e);
    e = whole ();
    e.idem.key = "";
    refused_envelope ("idempotency", &e);
    e = whole ();
    e.idem.route = NULL;
    refused_envelope ("idempotency", &e);
    e = whole ();
    e.idem.key = text + sizeof text - 1 - 255;
    buf_t buf = {0};
    arena_t *arena = arena_new (1 << 16);
    envelope_write (&e, &buf);
    assert_int_equal (envelope_read (buf_bytes (&buf), arena, &e, NULL), 0);
    buf_free (&buf);
    arena_destroy (&arena);
}

static void header_beyond_its_size (void **state)
{
    (void) state;
    buf_t buf = {0};
    mp_array (&buf, 20);
    mp_int (&buf, ENVELOPE_VERSION);
    mp_int (&buf, ENV_ASK);
    for (int i = 0; i < 17; i++)
        mp_nil (&buf);
    char big[ENVELOPE_HEADER_MAX] = {0};
    mp_bin (&buf, big, sizeof big);
    refused ("size", true, buf_bytes (&buf));
    buf_free (&buf);
}

static void newer_fields_are_passed_over (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    envelope_t out;
    envelope_route_t route;
    buf_t buf = {0};
    mp_array (&buf, 20);
    mp_int (&buf, ENVELOPE_VERSION);
    mp_int (&buf, ENV_ANSWER);
    mp_id (&buf, id_of (9));
    for (int i = 0; i < 15; i++)
        mp_nil (&buf);
    mp_str (&buf, "of a newer version");
    mp_map (&buf, 1);
    mp_int (&buf, 1);
    mp_array (&buf, 0);
    assert_int_equal (envelope_read (buf_bytes (&buf), arena, &out, NULL), 0);
    assert_int_equal (envelope_route_read (buf_bytes (&buf), &route, NULL), 0);
    assert_true (id_equal (out.id, id_of (9)) && id_equal (route.id, id_of (9)));
    buf_free (&buf);
    arena_destroy (&arena);
}

static void rerouting_changes_sender_and_ttl_only (void **state)
{
    (void) state;
    arena_t *arena = arena_new (1 << 16);
    envelope_t in = whole (), out;
    envelope_route_t route;
    buf_t first = {0}, second = {0}, direct = {0};
    envelope_write (&in, &first);
    assert_int_equal (envelope_route_read (buf_bytes (&first), &route, NULL), 0);
    assert_int_equal (route.ttl_ms, 5000);
    assert_true (bytes_equal (route.target, bytes_of_str ("messaging.sms_send")));
    assert_true (bytes_equal (route.sender, bytes_of_str ("edge")));
    envelope_route_write (&route, bytes_of_str ("cli"), 41, &second);
    assert_int_equal (envelope_read (buf_bytes (&second), arena, &out, NULL), 0);
    in.sender = "cli";
    in.ttl_ms = 41;
    envelope_write (&in, &direct);
    assert_true (bytes_equal (buf_bytes (&second), buf_bytes (&direct)));
    buf_free (&first);
    buf_free (&second);
    buf_free (&direct);
    arena_destroy (&arena);
}

static void targets (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        const char *service; /* NULL = refused */
        const char *op;
        int replica; /* -1 = any */
    } rows[] = {
        {"messaging.sms_send", "messaging", "sms_send", -1},
        {"messaging#2.sms_send", "messaging", "sms_send", 2},
        {"a.b", "a", "b", -1},
        {"a#0.b1", "a", "b1", 0},
        {"", NULL, NULL, 0},
        {"messaging", NULL, NULL, 0},
        {".sms_send", NULL, NULL, 0},
        {"messaging.", NULL, NULL, 0},
        {"messaging.sms.send", NULL, NULL, 0},
        {"Messaging.sms_send", NULL, NULL, 0},
        {"1x.sms_send", NULL, NULL, 0},
        {"messaging#.sms_send", NULL, NULL, 0},
        {"messaging#x.sms_send", NULL, NULL, 0},
        {"messaging#1234567.sms_send", NULL, NULL, 0},
        {"#1.sms_send", NULL, NULL, 0},
        {"messaging.sms_send!", NULL, NULL, 0},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.op", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        envelope_target_t t;
        assert_int_equal (envelope_target_read (bytes_of_str (rows[i].text), &t),
                          rows[i].service != NULL);
        if (!rows[i].service)
            continue;
        assert_true (bytes_equal (t.service, bytes_of_str (rows[i].service)));
        assert_true (bytes_equal (t.op, bytes_of_str (rows[i].op)));
        assert_int_equal (t.addressed, rows[i].replica >= 0);
        if (t.addressed)
            assert_int_equal (t.replica, rows[i].replica);
    }
}

static void failures (void **state)
{
    (void) state;
    failure_t in = {.retry_after_ms = 1500}, out = {0};
    failure_set (&in, E_BUSY, "to[0]", "the queue is full");
    buf_t buf = {0};
    envelope_failure_write (&in, &buf);
    assert_int_equal (envelope_failure_read (buf_bytes (&buf), &out), 0);
    assert_int_equal (out.code, E_BUSY);
    assert_string_equal (out.field, "to[0]");
    assert_string_equal (out.text, "the queue is full");
    assert_int_equal (out.retry_after_ms, in.retry_after_ms);
    for (size_t size = 0; size < buf.size; size++)
        assert_int_equal (envelope_failure_read (bytes_of (buf.data, size), &out), E_BAD_REQUEST);
    static const char *const rows[] = {"\x94\x00\xa0\xa0\x00",     "\x94\xff\xa0\xa0\x01",
                                       "\x94\x01\xa0\xa1\xff\x01", "\x94\x01\xa0\xa0\xff",
                                       "\x95\x01\xa0\xa0\x01\x01", "\x81\x01\x01"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal (envelope_failure_read (bytes_of_str (rows[i]), &out), E_BAD_REQUEST);
    buf_free (&buf);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (whole_envelope_comes_back),
        cmocka_unit_test (idempotency_of_dialects),
        cmocka_unit_test (short_envelope_is_short),
        cmocka_unit_test (bytes_that_are_no_header),
        cmocka_unit_test (fields_beyond_their_limits),
        cmocka_unit_test (header_beyond_its_size),
        cmocka_unit_test (newer_fields_are_passed_over),
        cmocka_unit_test (rerouting_changes_sender_and_ttl_only),
        cmocka_unit_test (targets),
        cmocka_unit_test (failures),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
