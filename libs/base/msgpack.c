/* msgpack.c - msgpack writer and reader (github.com/msgpack/msgpack/blob/master/spec.md).
 *
 * The writer fails through its buf. The reader fails on what is cut short, of another kind than
 * asked for, out of range, or nested too deep; it then stays failed and every read gives zero. */
#include "base/msgpack.h"
#include <endian.h>
#include <math.h>
#include <string.h>

/* ---- writing ---- */

/* A type byte and a big-endian number of `width` bytes. */
static void put_head (buf_t *out, uint8_t type, uint64_t value, size_t width)
{
    uint8_t *at = buf_reserve (out, 1 + width);
    if (!at)
        return;
    at[0] = type;
    for (size_t i = width; i > 0; i--) {
        at[i] = (uint8_t) value;
        value >>= 8;
    }
    out->size += 1 + width;
}

void mp_nil (buf_t *out)
{
    buf_add_byte (out, 0xc0);
}

void mp_bool (buf_t *out, bool value)
{
    buf_add_byte (out, value ? 0xc3 : 0xc2);
}

/* A number of eight bytes, as times are, in one step. */
static void put_u64 (buf_t *out, uint8_t type, uint64_t value)
{
    uint8_t *at = buf_reserve (out, 9);
    if (!at)
        return;
    value = htobe64 (value);
    at[0] = type;
    memcpy (at + 1, &value, sizeof value);
    out->size += 9;
}

void mp_int_wide (buf_t *out, int64_t value)
{
    uint64_t bits = (uint64_t) value;
    if (value > UINT32_MAX)
        put_u64 (out, 0xcf, bits);
    else if (value >= -32 && value <= 127)
        buf_add_byte (out, (uint8_t) value);
    else if (value >= 0 && value <= UINT8_MAX)
        put_head (out, 0xcc, bits, 1);
    else if (value >= 0 && value <= UINT16_MAX)
        put_head (out, 0xcd, bits, 2);
    else if (value >= 0)
        put_head (out, 0xce, bits, 4);
    else if (value >= INT8_MIN)
        put_head (out, 0xd0, bits, 1);
    else if (value >= INT16_MIN)
        put_head (out, 0xd1, bits, 2);
    else if (value >= INT32_MIN)
        put_head (out, 0xd2, bits, 4);
    else
        put_u64 (out, 0xd3, bits);
}

void mp_float (buf_t *out, double value)
{
    /* Single precision where it loses nothing (-0.0 equals 0.0, its sign survives); every NaN is
     * the same NaN. */
    float small = isnan (value) ? NAN : (float) value;
    if (isnan (value) || (double) small == value) {
        uint32_t bits;
        memcpy (&bits, &small, sizeof bits);
        put_head (out, 0xca, bits, 4);
    } else {
        uint64_t bits;
        memcpy (&bits, &value, sizeof bits);
        put_head (out, 0xcb, bits, 8);
    }
}

void mp_str (buf_t *out, const char *text)
{
    if (text)
        mp_strn (out, text, strlen (text));
    else
        mp_nil (out);
}

/* A head of one or two bytes and what follows it, in one step: the common case. */
static void put_short (buf_t *out, const uint8_t head[2], size_t head_size, const void *data,
                       size_t size)
{
    uint8_t *at = buf_reserve (out, head_size + size);
    if (!at)
        return;
    at[0] = head[0];
    at[head_size - 1] = head[head_size - 1];
    if (size)
        memcpy (at + head_size, data, size);
    out->size += head_size + size;
}

void mp_strn (buf_t *out, const char *text, size_t length)
{
    if (length <= 31) {
        put_short (out, (uint8_t[2]){(uint8_t) (0xa0 | length)}, 1, text, length);
        return;
    }
    if (length <= UINT8_MAX)
        put_head (out, 0xd9, length, 1);
    else if (length <= UINT16_MAX)
        put_head (out, 0xda, length, 2);
    else if (length <= UINT32_MAX)
        put_head (out, 0xdb, length, 4);
    else
        out->failed = true;
    buf_add (out, text, length);
}

void mp_bin (buf_t *out, const void *data, size_t size)
{
    if (size <= UINT8_MAX) {
        put_short (out, (uint8_t[2]){0xc4, (uint8_t) size}, 2, data, size);
        return;
    }
    if (size <= UINT16_MAX)
        put_head (out, 0xc5, size, 2);
    else if (size <= UINT32_MAX)
        put_head (out, 0xc6, size, 4);
    else
        out->failed = true;
    buf_add (out, data, size);
}

void mp_id (buf_t *out, id16_t id)
{
    static const uint8_t head[2] = {0xc4, sizeof id.b};
    if (id_is_nil (id))
        mp_nil (out);
    else
        put_short (out, head, 2, id.b, sizeof id.b);
}

void mp_array (buf_t *out, uint32_t count)
{
    if (count <= 15)
        buf_add_byte (out, (uint8_t) (0x90 | count));
    else if (count <= UINT16_MAX)
        put_head (out, 0xdc, count, 2);
    else
        put_head (out, 0xdd, count, 4);
}

void mp_map (buf_t *out, uint32_t pairs)
{
    if (pairs <= 15)
        buf_add_byte (out, (uint8_t) (0x80 | pairs));
    else if (pairs <= UINT16_MAX)
        put_head (out, 0xde, pairs, 2);
    else
        put_head (out, 0xdf, pairs, 4);
}

void mp_raw (buf_t *out, bytes_t packed)
{
    buf_add (out, packed.data, packed.size);
}

/* ---- reading ---- */

/* The first part of a value: its kind, how many bytes that part has, and the number in it (a
 * length, a count, the bits of an int or a float). For strings, binaries and extensions `payload`
 * bytes follow. */
typedef struct head {
    mp_kind_t kind;
    uint8_t type;
    size_t size;
    uint64_t number;
    uint64_t payload;
} head_t;

typedef struct form {
    mp_kind_t kind;
    uint8_t width; /* bytes of the number after the type byte */
} form_t;

/* 0xc0 to 0xdf, the forms that are told by their whole type byte. Fixed extensions have no number.
 */
static const form_t forms[32] = {
    {MP_NIL, 0},   {MP_BAD, 0},   {MP_BOOL, 0},  {MP_BOOL, 0},  /* c0 */
    {MP_BIN, 1},   {MP_BIN, 2},   {MP_BIN, 4},   {MP_EXT, 1},   /* c4 */
    {MP_EXT, 2},   {MP_EXT, 4},   {MP_FLOAT, 4}, {MP_FLOAT, 8}, /* c8 */
    {MP_INT, 1},   {MP_INT, 2},   {MP_INT, 4},   {MP_INT, 8},   /* cc */
    {MP_INT, 1},   {MP_INT, 2},   {MP_INT, 4},   {MP_INT, 8},   /* d0 */
    {MP_EXT, 0},   {MP_EXT, 0},   {MP_EXT, 0},   {MP_EXT, 0},   /* d4 */
    {MP_EXT, 0},   {MP_STR, 1},   {MP_STR, 2},   {MP_STR, 4},   /* d8 */
    {MP_ARRAY, 2}, {MP_ARRAY, 4}, {MP_MAP, 2},   {MP_MAP, 4},   /* dc */
};

/* Heads whose number is in the type byte itself. */
static head_t head_fixed (uint8_t type)
{
    if (type <= 0x7f)
        return (head_t){MP_INT, type, 1, type, 0};
    if (type >= 0xe0)
        return (head_t){MP_INT, type, 1, (uint64_t) (int64_t) (int8_t) type, 0};
    if (type <= 0x8f)
        return (head_t){MP_MAP, type, 1, type & 0x0f, 0};
    if (type <= 0x9f)
        return (head_t){MP_ARRAY, type, 1, type & 0x0f, 0};
    return (head_t){MP_STR, type, 1, type & 0x1f, type & 0x1f};
}

/* Two's complement of `width` bytes to 64 bits. */
static uint64_t sign_extend (uint64_t number, size_t width)
{
    unsigned shift = (unsigned) (64 - 8 * width);
    return (uint64_t) ((int64_t) (number << shift) >> shift);
}

/* Looks at the head of the next value. MP_BAD if it is cut short, also in its payload, or not
 * msgpack. */
static head_t head_look (const mp_reader_t *in)
{
    if (in->failed)
        return (head_t){.kind = MP_BAD};
    size_t left = (size_t) (in->end - in->at);
    if (left == 0)
        return (head_t){.kind = MP_END};
    uint8_t type = in->at[0];
    head_t head;
    if (type < 0xc0 || type >= 0xe0) {
        head = head_fixed (type);
    } else {
        form_t form = forms[type - 0xc0];
        head = (head_t){.kind = form.kind, .type = type, .size = 1u + form.width};
        if (head.size > left)
            return (head_t){.kind = MP_BAD};
        for (size_t i = 1; i < head.size; i++)
            head.number = head.number << 8 | in->at[i];
        if (type >= 0xd0 && type <= 0xd3)
            head.number = sign_extend (head.number, form.width);
        else if (type == 0xcf && head.number > INT64_MAX)
            head.kind = MP_UINT;
        else if (form.kind == MP_STR || form.kind == MP_BIN)
            head.payload = head.number;
        else if (form.kind == MP_EXT) /* one byte more: the application's type */
            head.payload = 1 + (form.width ? head.number : (uint64_t) 1 << (type - 0xd4));
    }
    if (head.payload > left - head.size)
        return (head_t){.kind = MP_BAD};
    return head;
}

static void fail (mp_reader_t *in)
{
    in->failed = true;
    in->at = in->end;
}

/* The next value's head if it is of this kind, its payload in *payload, and past both; else failed
 * and a zero head. */
static head_t head_read (mp_reader_t *in, mp_kind_t kind, bytes_t *payload)
{
    head_t head = head_look (in);
    if (head.kind != kind) {
        fail (in);
        return (head_t){.kind = MP_BAD};
    }
    if (payload)
        *payload = bytes_of (in->at + head.size, (size_t) head.payload);
    in->at += head.size + head.payload;
    return head;
}

mp_reader_t mp_read (bytes_t packed)
{
    static const uint8_t nothing[1] = {0};
    const uint8_t *at = packed.size ? packed.data : nothing;
    return (mp_reader_t){.at = at, .end = at + packed.size};
}

mp_kind_t mp_peek (const mp_reader_t *in)
{
    return head_look (in).kind;
}

bool mp_read_bool (mp_reader_t *in)
{
    if (in->at != in->end && (*in->at | 1) == 0xc3)
        return *in->at++ & 1;
    return head_read (in, MP_BOOL, NULL).type == 0xc3;
}

int64_t mp_read_int_wide (mp_reader_t *in)
{
    uint64_t bits;
    if (in->end - in->at >= 9 && in->at[0] == 0xcf && in->at[1] <= 0x7f) { /* times */
        memcpy (&bits, in->at + 1, sizeof bits);
        in->at += 9;
        return (int64_t) be64toh (bits);
    }
    return (int64_t) head_read (in, MP_INT, NULL).number;
}

static double float_of_head (head_t head)
{
    if (head.type == 0xca) {
        uint32_t bits = (uint32_t) head.number;
        float value;
        memcpy (&value, &bits, sizeof value);
        return value;
    }
    double value;
    memcpy (&value, &head.number, sizeof value);
    return value;
}

double mp_read_float (mp_reader_t *in)
{
    head_t head = head_look (in);
    switch (head.kind) {
    case MP_FLOAT:
        in->at += head.size;
        return float_of_head (head);
    case MP_INT:
        in->at += head.size;
        return (double) (int64_t) head.number;
    case MP_UINT:
        in->at += head.size;
        return (double) head.number;
    default:
        fail (in);
        return 0;
    }
}

bytes_t mp_read_str (mp_reader_t *in)
{
    bytes_t text = {NULL, 0};
    size_t left = (size_t) (in->end - in->at);
    if (left && (in->at[0] & 0xe0) == 0xa0 && (in->at[0] & 0x1fu) < left) {
        text = bytes_of (in->at + 1, in->at[0] & 0x1fu);
        in->at += 1 + text.size;
        return text;
    }
    if (left > 2 && in->at[0] == 0xd9 && in->at[1] <= left - 2) {
        text = bytes_of (in->at + 2, in->at[1]);
        in->at += 2 + text.size;
        return text;
    }
    head_read (in, MP_STR, &text);
    return text;
}

bytes_t mp_read_bin (mp_reader_t *in)
{
    bytes_t data = {NULL, 0};
    size_t left = (size_t) (in->end - in->at);
    if (left > 2 && in->at[0] == 0xc4 && in->at[1] <= left - 2) {
        data = bytes_of (in->at + 2, in->at[1]);
        in->at += 2 + data.size;
        return data;
    }
    head_read (in, MP_BIN, &data);
    return data;
}

id16_t mp_read_id (mp_reader_t *in)
{
    id16_t id = id_nil ();
    if (in->end - in->at > (ptrdiff_t) sizeof id.b + 1 && in->at[0] == 0xc4 &&
        in->at[1] == sizeof id.b) {
        memcpy (id.b, in->at + 2, sizeof id.b);
        in->at += 2 + sizeof id.b;
        return id;
    }
    if (mp_read_nil (in))
        return id;
    bytes_t data = mp_read_bin (in);
    if (data.size == sizeof id.b)
        memcpy (id.b, data.data, sizeof id.b);
    else
        fail (in);
    return id;
}

/* A count of items of at least `item_size` bytes each: what cannot fit in what is left is refused
 * here, before anybody allocates for it. */
static uint32_t count_read (mp_reader_t *in, mp_kind_t kind, size_t item_size)
{
    head_t head = head_read (in, kind, NULL);
    if (head.number * item_size > (size_t) (in->end - in->at)) {
        fail (in);
        return 0;
    }
    return (uint32_t) head.number;
}

uint32_t mp_read_array (mp_reader_t *in)
{
    return count_read (in, MP_ARRAY, 1);
}

uint32_t mp_read_map (mp_reader_t *in)
{
    size_t left = (size_t) (in->end - in->at);
    if (left && (in->at[0] & 0xf0) == 0x80 && 2 * (in->at[0] & 0x0fu) < left)
        return *in->at++ & 0x0f;
    if (left > 2 && in->at[0] == 0xde) { /* most records */
        uint32_t count = (uint32_t) in->at[1] << 8 | in->at[2];
        if (2 * count <= left - 3) {
            in->at += 3;
            return count;
        }
    }
    return count_read (in, MP_MAP, 2);
}

/* Bytes of the next value if it is a short one of the common kinds and all there; 0: look closer. */
static inline size_t short_size (const mp_reader_t *in)
{
    size_t left = (size_t) (in->end - in->at), size = 0;
    if (in->failed || left == 0)
        return 0;
    uint8_t type = in->at[0];
    if (type < 0x80 || type >= 0xe0 || type == 0xc0 || type == 0xc2 || type == 0xc3)
        return 1;
    if (type >= 0xa0 && type < 0xc0)
        size = 1u + (type & 0x1f);
    else if ((type == 0xd9 || type == 0xc4) && left > 1) /* text and bytes up to 255 */
        size = 2u + in->at[1];
    return size <= left ? size : 0;
}

static bytes_t skip_any (mp_reader_t *in)
{
    const uint8_t *start = in->at;
    uint64_t left[MP_DEPTH_MAX + 1]; /* values still to pass at each depth down to this one */
    size_t depth = 0;
    left[0] = 1;

    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0)
                return bytes_of (start, (size_t) (in->at - start));
            depth--;
        }
        left[depth]--;
        size_t size = short_size (in);
        if (size) {
            in->at += size;
            continue;
        }
        head_t head = head_look (in);
        if (head.kind == MP_BAD || head.kind == MP_END)
            break;
        in->at += head.size + head.payload;
        if (head.kind != MP_ARRAY && head.kind != MP_MAP)
            continue;
        uint64_t count = head.kind == MP_MAP ? 2 * head.number : head.number;
        if (depth == MP_DEPTH_MAX || count > (size_t) (in->end - in->at))
            break;
        left[++depth] = count;
    }
    fail (in);
    return bytes_of (NULL, 0);
}

bytes_t mp_skip (mp_reader_t *in)
{
    const uint8_t *start = in->at;
    size_t size = short_size (in);
    if (!size)
        return skip_any (in);
    in->at += size;
    return bytes_of (start, size);
}

bool mp_done (const mp_reader_t *in)
{
    return !in->failed && in->at == in->end;
}
