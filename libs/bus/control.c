/* control.c - hello, welcome and beat bodies: short msgpack arrays. What does not fit is E_BAD_REQUEST and changes nothing. */
#include "bus/control.h"

#include "base/msgpack.h"
#include "base/text.h"

#include <string.h>

/* The least that is read: what came later stands behind and is passed over by those before it. */
enum { HELLO_COUNT = 7, BEAT_COUNT = 6, CLOCK_WINDOW_MS = 10000 };

void hello_write (const hello_t *in, buf_t *out)
{
    uint32_t count = 0;
    for (; in->ops && in->ops[count]; count++) {}
    mp_array (out, HELLO_COUNT + 2);
    mp_str (out, in->service);
    mp_int (out, in->replica);
    mp_int (out, in->pid);
    mp_bin (out, &in->session, sizeof in->session);
    mp_int (out, in->credit);
    mp_bool (out, in->serves);
    mp_array (out, count);
    for (uint32_t i = 0; i < count; i++)
        mp_str (out, in->ops[i]);
    mp_bool (out, in->trains);
    mp_bool (out, in->packed);
}

/* "sms_send" or "sms_send!". */
static bool op_name_is (bytes_t op)
{
    if (op.size > 0 && op.data[op.size - 1] == '!')
        op.size--;
    if (op.size == 0 || op.size >= ENVELOPE_TARGET_MAX - ENVELOPE_NAME_MAX - 8)
        return false;
    for (size_t i = 0; i < op.size; i++) {
        uint8_t c = op.data[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
            return false;
    }
    return true;
}

static bool ops_read (mp_reader_t *in, arena_t *arena, hello_t *out)
{
    uint32_t count = mp_read_array (in);
    if (in->failed || count > HELLO_OPS_MAX)
        return false;
    const char **ops = arena_array_of (arena, const char *, (size_t) count + 1);
    if (!ops)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        bytes_t op = mp_read_str (in);
        if (in->failed || !op_name_is (op))
            return false;
        ops[i] = arena_strndup (arena, (const char *) op.data, op.size);
        if (!ops[i])
            return false;
    }
    ops[count] = NULL;
    out->ops = ops;
    return true;
}

static bool u32_read (mp_reader_t *in, uint32_t max, uint32_t *out)
{
    int64_t number = mp_read_int (in);
    if (in->failed || number < 0 || number > max)
        return false;
    *out = (uint32_t) number;
    return true;
}

static bool u64_read (mp_reader_t *in, uint64_t *out)
{
    bytes_t raw = mp_read_bin (in);
    if (in->failed || raw.size != sizeof *out)
        return false;
    memcpy (out, raw.data, sizeof *out);
    return true;
}

int hello_read (bytes_t body, arena_t *arena, hello_t *out, failure_t *failure)
{
    hello_t h = {0};
    mp_reader_t in = mp_read (body);
    uint32_t fields = mp_read_array (&in);
    if (fields < HELLO_COUNT || in.failed)
        return failure_set (failure, E_BAD_REQUEST, "hello", "the hello does not fit");
    bytes_t name = mp_read_str (&in);
    if (in.failed || !envelope_name_is (name))
        return failure_set (failure, E_BAD_REQUEST, "service", "the hello's service is no name");
    h.service = arena_strndup (arena, (const char *) name.data, name.size);
    bool fits = h.service && u32_read (&in, 999999, &h.replica) &&
                u32_read (&in, UINT32_MAX, &h.pid) && u64_read (&in, &h.session) &&
                u32_read (&in, HELLO_CREDIT_MAX, &h.credit);
    if (!fits)
        return failure_set (failure, E_BAD_REQUEST, "hello", "the hello does not fit");
    h.serves = mp_read_bool (&in);
    if (in.failed || !ops_read (&in, arena, &h))
        return failure_set (failure, E_BAD_REQUEST, "ops", "the hello's list of ops does not fit");
    h.trains = fields > HELLO_COUNT && mp_read_bool (&in);
    h.packed = fields > HELLO_COUNT + 1 && mp_read_bool (&in);
    if (in.failed)
        return failure_set (failure, E_BAD_REQUEST, "hello", "the hello does not fit");
    *out = h;
    return 0;
}

void beat_write (const beat_t *in, buf_t *out)
{
    mp_array (out, BEAT_COUNT + 2);
    mp_int (out, in->clock_ms);
    mp_bin (out, &in->incarnation, sizeof in->incarnation);
    mp_bin (out, &in->session, sizeof in->session);
    mp_bool (out, in->ready);
    mp_bool (out, in->owner);
    mp_str (out, in->reason);
    mp_bool (out, in->trains);
    mp_bool (out, in->packed);
}

int beat_read (bytes_t body, beat_t *out)
{
    beat_t b = {0};
    mp_reader_t in = mp_read (body);
    uint32_t fields = mp_read_array (&in);
    if (fields < BEAT_COUNT || in.failed)
        return E_BAD_REQUEST;
    b.clock_ms = mp_read_int (&in);
    if (!u64_read (&in, &b.incarnation) || !u64_read (&in, &b.session))
        return E_BAD_REQUEST;
    b.ready = mp_read_bool (&in);
    b.owner = mp_read_bool (&in);
    bytes_t reason = mp_read_str (&in);
    b.trains = fields > BEAT_COUNT && mp_read_bool (&in);
    b.packed = fields > BEAT_COUNT + 1 && mp_read_bool (&in);
    if (in.failed || reason.size > BEAT_REASON_MAX ||
        !text_is_utf8 ((const char *) reason.data, reason.size))
        return E_BAD_REQUEST;
    if (reason.size)
        memcpy (b.reason, reason.data, reason.size);
    *out = b;
    return 0;
}

/* Differences of clocks that a peer may claim; keeps the sums below from overflowing. */
static bool clock_is_sane (int64_t ms)
{
    return ms >= 0 && ms < (int64_t) 1 << 52;
}

void beat_clock_note (beat_clock_t *self, int64_t theirs_ms, int64_t ours_ms)
{
    if (!clock_is_sane (theirs_ms) || !clock_is_sane (ours_ms))
        return;
    int64_t difference = ours_ms - theirs_ms;
    if (!self->known) {
        self->least[0] = self->least[1] = difference;
        self->window_ms = ours_ms;
        self->known = true;
    } else if (ours_ms - self->window_ms > CLOCK_WINDOW_MS) {
        self->least[0] = self->least[1];
        self->least[1] = difference;
        self->window_ms = ours_ms;
    } else if (difference < self->least[1]) {
        self->least[1] = difference;
    }
    self->sent_ms = theirs_ms;
}

uint32_t beat_clock_age (const beat_clock_t *self, int64_t ours_ms)
{
    if (!self->known)
        return 0;
    int64_t least = self->least[0] < self->least[1] ? self->least[0] : self->least[1];
    int64_t age = ours_ms - (self->sent_ms + least) - BEAT_MS;
    if (age < BEAT_QUIET_MS)
        return 0;
    return age > UINT32_MAX ? UINT32_MAX : (uint32_t) age;
}
