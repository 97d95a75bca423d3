/* sieve.c - sieves as topics, and envelopes held against them. Pure; a topic that does not fit is E_BAD_REQUEST. */
#define _GNU_SOURCE 1 /* memmem */
#include "bus/sieve.h"

#include "base/msgpack.h"

#include <string.h>

enum { VALUES = 8, VERSION = 1 };

static void text_write (bytes_t text, buf_t *out)
{
    mp_strn (out, (const char *) text.data, text.size);
}

static void list_write (const bytes_t *items, size_t count, buf_t *out)
{
    mp_array (out, (uint32_t) count);
    for (size_t i = 0; i < count; i++)
        text_write (items[i], out);
}

void sieve_write (const sieve_t *in, buf_t *topic)
{
    buf_add_byte (topic, SIEVE_MARK);
    mp_array (topic, VALUES);
    mp_int (topic, VERSION);
    mp_bin (topic, &in->number, sizeof in->number);
    text_write (in->service, topic);
    text_write (in->op, topic);
    list_write (in->without, in->without_count, topic);
    mp_id (topic, in->org);
    text_write (in->trace, topic);
    list_write (in->subjects, in->subject_count, topic);
}

static void list_read (mp_reader_t *in, bytes_t *items, size_t most, size_t *count)
{
    *count = mp_read_array (in);
    if (*count > most)
        in->failed = true;
    for (size_t i = 0; i < *count && !in->failed; i++)
        items[i] = mp_read_str (in);
}

int sieve_read (bytes_t topic, sieve_t *out)
{
    sieve_t s = {0};
    if (topic.size < 2 || topic.size > SIEVE_TOPIC_MAX || topic.data[0] != SIEVE_MARK)
        return E_BAD_REQUEST;
    mp_reader_t in = mp_read (bytes_of (topic.data + 1, topic.size - 1));
    if (mp_read_array (&in) != VALUES || mp_read_int (&in) != VERSION)
        return E_BAD_REQUEST;
    bytes_t number = mp_read_bin (&in);
    if (in.failed || number.size != sizeof s.number)
        return E_BAD_REQUEST;
    memcpy (&s.number, number.data, sizeof s.number);
    s.service = mp_read_str (&in);
    s.op = mp_read_str (&in);
    list_read (&in, s.without, SIEVE_WITHOUT, &s.without_count);
    s.org = mp_read_id (&in);
    s.trace = mp_read_str (&in);
    list_read (&in, s.subjects, SIEVE_SUBJECTS, &s.subject_count);
    if (!mp_done (&in))
        return E_BAD_REQUEST;
    *out = s;
    return 0;
}

bool sieve_is_of_asks (const sieve_t *self)
{
    return self->trace.size || self->subject_count || !id_is_nil (self->org);
}

bool sieve_takes_target (const sieve_t *self, bytes_t target, bytes_t op, bool common)
{
    size_t length = self->service.size;
    if (length && (target.size <= length || memcmp (target.data, self->service.data, length) != 0 ||
                   (target.data[length] != '.' && target.data[length] != '#')))
        return false;
    if (self->op.size && !bytes_equal (op, self->op))
        return false;
    for (size_t i = 0; common && i < self->without_count; i++)
        if (bytes_equal (op, self->without[i]))
            return false;
    return true;
}

static bool subject_fits (const sieve_t *self, bytes_t subject)
{
    for (size_t i = 0; i < self->subject_count; i++) {
        bytes_t wanted = self->subjects[i];
        if (subject.size < wanted.size)
            continue;
        size_t before = subject.size - wanted.size;
        if ((!before || subject.data[before - 1] == '_') &&
            (!wanted.size || !memcmp (subject.data + before, wanted.data, wanted.size)))
            return true;
    }
    return false;
}

bool sieve_takes_ask (const sieve_t *self, const envelope_route_t *route)
{
    bytes_t subject, trace;
    if (!id_is_nil (self->org) && !id_equal (self->org, route->org))
        return false;
    if (!self->trace.size && !self->subject_count)
        return true;
    envelope_route_about (route, &subject, &trace);
    if (self->subject_count && !subject_fits (self, subject))
        return false;
    return !self->trace.size ||
           (trace.size && memmem (trace.data, trace.size, self->trace.data, self->trace.size));
}
