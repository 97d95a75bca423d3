/* envelope_fuzz.c - what peers send: the first byte chooses the reader. A header that both readers take means the same to both, and
 * rerouting it changes nothing but sender and time. */
#include "bus/control.h"
#include "bus/tap.h"
#include "bus/train.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool holds)
{
    if (!holds)
        abort ();
}

static void header_try (bytes_t in, arena_t *arena)
{
    envelope_t whole, again;
    envelope_route_t route;
    failure_t failure;
    bool read = !envelope_read (in, arena, &whole, &failure);
    bool routed = !envelope_route_read (in, &route, &failure);
    must (!read || routed);
    if (!read)
        return;
    must (id_equal (whole.id, route.id) && whole.kind == route.kind &&
          whole.ttl_ms == route.ttl_ms);
    buf_t out = {0};
    bytes_t subject, trace;
    envelope_route_about (&route, &subject, &trace);
    must (!whole.subject || !strncmp (whole.subject, (const char *) subject.data, subject.size));
    must (!whole.trace || !strncmp (whole.trace, (const char *) trace.data, trace.size));
    envelope_route_write (&route, bytes_of_str ("edge"), 7, &out);
    if (out.size <= ENVELOPE_HEADER_MAX) {
        must (!envelope_read (buf_bytes (&out), arena, &again, &failure));
        must (again.ttl_ms == 7 && id_equal (again.org, whole.org) && again.test == whole.test);
    }
    buf_clear (&out);
    envelope_write (&whole, &out);
    must (!envelope_read (buf_bytes (&out), arena, &again, &failure));
    buf_free (&out);
}

/* What is read as a hello or a beat is one when it is written again. */
static void hello_try (bytes_t in, arena_t *arena)
{
    hello_t hello, again;
    failure_t failure;
    buf_t out = {0}, twice = {0};
    if (hello_read (in, arena, &hello, &failure) == 0) {
        hello_write (&hello, &out);
        must (hello_read (buf_bytes (&out), arena, &again, &failure) == 0);
        must (again.session == hello.session && again.trains == hello.trains &&
              again.packed == hello.packed);
        hello_write (&again, &twice);
        must (bytes_equal (buf_bytes (&out), buf_bytes (&twice)));
    }
    buf_free (&out);
    buf_free (&twice);
}

static void beat_try (bytes_t in)
{
    beat_t beat, again;
    buf_t out = {0};
    if (beat_read (in, &beat) == 0) {
        beat_write (&beat, &out);
        must (beat_read (buf_bytes (&out), &again) == 0);
        must (again.clock_ms == beat.clock_ms && again.session == beat.session);
        must (again.trains == beat.trains && again.packed == beat.packed &&
              strcmp (again.reason, beat.reason) == 0);
    }
    buf_free (&out);
}

/* All pairs lie within the frame, one behind the other, and make the same train again. */
static void train_try (bytes_t in)
{
    bytes_t pairs = train_open (in), header, body;
    const uint8_t *at = pairs.data, *end = in.data + in.size;
    train_t *again = calloc (1, sizeof *again);
    bool full = false;
    must (again != NULL);
    while (train_next (&pairs, &header, &body)) {
        must (header.data >= at && body.data == header.data + header.size);
        must (body.size <= (size_t) (end - body.data));
        at = body.data + body.size;
        full = full || !train_has_room (again, header, body);
        if (!full)
            train_add (again, header, body);
    }
    must (pairs.size == 0);
    must (again->size <= in.size && memcmp (again->data, in.data, again->size) == 0);
    free (again);
}

/* What a listener is sent, and what he asks for. */
static void tap_try (bytes_t in)
{
    tap_meta_t meta;
    tap_pair_t pair;
    sieve_t sieve;
    buf_t out = {0};
    mp_reader_t train = mp_read (in);
    (void) tap_meta_read (in, &meta);
    while (train.at < train.end && !tap_pair_read (&train, &pair)) {}
    if (sieve_read (in, &sieve) == 0) {
        (void) sieve_takes_target (&sieve, in, in, true);
        sieve_write (&sieve, &out);
        must (sieve_read (buf_bytes (&out), &sieve) == 0);
    }
    buf_free (&out);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bytes_t in = bytes_of (data + 1, size - 1);
    arena_t *arena = arena_new (1 << 18);
    failure_t failure;
    envelope_target_t target;
    switch (data[0] % 7) {
    case 0:
        header_try (in, arena);
        break;
    case 1:
        (void) envelope_failure_read (in, &failure);
        break;
    case 2:
        hello_try (in, arena);
        break;
    case 3:
        beat_try (in);
        break;
    case 4:
        tap_try (in);
        break;
    case 6:
        train_try (in);
        break;
    default:
        (void) envelope_target_read (in, &target);
    }
    arena_destroy (&arena);
    return 0;
}
