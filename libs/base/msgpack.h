/* msgpack.h - writing msgpack to a buf, and reading it with a cursor that trusts nothing.
 *
 * The reader never allocates, never reads past the end, and refuses nesting deeper than
 * MP_DEPTH_MAX in mp_skip. Errors stick: after the first one every read gives zero and `failed` is
 * true. Writers always choose the shortest form, so that equal values have equal bytes. */
#ifndef AVIARY_BASE_MSGPACK_H
#define AVIARY_BASE_MSGPACK_H

#include "base/buf.h"
#include "base/id.h"

enum { MP_DEPTH_MAX = 32 };

typedef enum mp_kind {
    MP_END,
    MP_NIL,
    MP_BOOL,
    MP_INT,
    MP_UINT, /* above INT64_MAX */
    MP_FLOAT,
    MP_STR,
    MP_BIN,
    MP_ARRAY,
    MP_MAP,
    MP_EXT,
    MP_BAD
} mp_kind_t;

typedef struct mp_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} mp_reader_t;

void mp_nil (buf_t *out);
void mp_bool (buf_t *out, bool value);
void mp_int_wide (buf_t *out, int64_t value); /* mp_int of what takes more than a byte */
void mp_float (buf_t *out, double value);
void mp_str (buf_t *out, const char *text); /* NULL writes nil */
void mp_strn (buf_t *out, const char *text, size_t length);
void mp_bin (buf_t *out, const void *data, size_t size);
void mp_id (buf_t *out, id16_t id); /* bin of 16; nil id writes nil */
void mp_array (buf_t *out, uint32_t count);
void mp_map (buf_t *out, uint32_t pairs);
void mp_raw (buf_t *out, bytes_t packed); /* already msgpack */

static inline void mp_int (buf_t *out, int64_t value)
{
    if (value >= -32 && value <= 127)
        buf_add_byte (out, (uint8_t) value);
    else
        mp_int_wide (out, value);
}

mp_reader_t mp_read (bytes_t packed);
mp_kind_t mp_peek (const mp_reader_t *in);
bool mp_read_bool (mp_reader_t *in);
int64_t mp_read_int_wide (mp_reader_t *in); /* mp_read_int of what may take more than a byte */
double mp_read_float (mp_reader_t *in);     /* also takes ints */
bytes_t mp_read_str (mp_reader_t *in);      /* borrowed, not NUL-terminated */
bytes_t mp_read_bin (mp_reader_t *in);
id16_t mp_read_id (mp_reader_t *in);      /* bin of 16, or nil */
uint32_t mp_read_array (mp_reader_t *in); /* count; checked against the bytes left */
uint32_t mp_read_map (mp_reader_t *in);   /* pairs; checked against the bytes left */
bytes_t mp_skip (mp_reader_t *in);        /* the whole next value, as packed bytes */
bool mp_done (const mp_reader_t *in);     /* at the end without an error */

/* True and past it if the next is nil; else false, nothing read and no failure. A failed reader stands at its end. */
static inline bool mp_read_nil (mp_reader_t *in)
{
    if (in->at == in->end || *in->at != 0xc0)
        return false;
    in->at++;
    return true;
}

static inline int64_t mp_read_int (mp_reader_t *in)
{
    return in->at != in->end && *in->at <= 0x7f ? *in->at++ : mp_read_int_wide (in);
}

#endif
