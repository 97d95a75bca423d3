/* id.c - making UUIDv7 ids and spelling them.
 *
 * Readers fail on anything but the one spelling; making an id cannot fail (without the kernel's
 * randomness the process stops: ids that repeat would be worse). */
#include "base/id.h"
#include "base/big_endian.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char base62_digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char crockford_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static const uint64_t TIME_MAX = ((uint64_t) 1 << 48) - 1;
static const uint64_t COUNTER_MAX = ((uint64_t) 1 << 42) - 1;
static const uint64_t WIDE_CHUNK = 839299365868340224; /* 62 to the 10th: two chunks */

enum {
    KSUID_EPOCH_S = 1400000000,
    KSUID_LIMBS = 5,   /* 20 bytes as 32-bit numbers */
    CHUNK_DIGITS = 5,  /* base62 digits that fit one 32-bit number */
    CHUNK = 916132832, /* 62 to the 5th */
    RANDOM_PER_ID = 10
};

/* ---- making ---- */

static uint64_t big_endian (const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | at[i];
    return value;
}

static void put_big_endian (uint8_t *at, size_t size, uint64_t value)
{
    while (size-- > 0) {
        at[size] = (uint8_t) value;
        value >>= 8;
    }
}

static uint64_t id_time (id16_t id)
{
    return u64_read (id.b) >> 16;
}

/* The 42 bits after the time: rand_a (12) and the top of rand_b (30). They count within a
 * millisecond. */
static uint64_t id_counter (id16_t id)
{
    uint64_t rand_a = u64_read (id.b) & 0xfff;
    uint64_t top_b = u64_read (id.b + 8) >> 32 & 0x3fffffff;
    return rand_a << 30 | top_b;
}

static id16_t id_of_parts (uint64_t time, uint64_t counter, uint32_t tail)
{
    id16_t id = {0};
    u64_write (time << 16 | 0x7000 | counter >> 30, id.b);
    u64_write ((0x80000000u | (counter & 0x3fffffff)) << 32 | tail, id.b + 8);
    return id;
}

static void random_fill (uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t got = getrandom (out, size, 0);
        if (got < 0 && errno != EINTR)
            abort ();
        if (got > 0) {
            out += got;
            size -= (size_t) got;
        }
    }
}

static const uint8_t *random_take (id_source_t *self)
{
    if (self->random_left < RANDOM_PER_ID) {
        random_fill (self->random, sizeof self->random);
        self->random_left = sizeof self->random;
    }
    self->random_left = (uint16_t) (self->random_left - RANDOM_PER_ID);
    return self->random + self->random_left;
}

void id_source_seed (id_source_t *self, id16_t last)
{
    /* Bytes that are not a v7 id may be above every v7 id of their millisecond: start in the next.
     */
    if (!id_is_v7 (last) && !id_is_nil (last) && id_time (last) < TIME_MAX)
        last = id_of_parts (id_time (last) + 1, 0, 0);
    if (id_compare (last, self->last) > 0)
        self->last = last;
}

id16_t id_next (id_source_t *self, int64_t now_ms)
{
    const uint8_t *random = random_take (self);
    uint64_t time = now_ms < 0 ? 0 : (uint64_t) now_ms > TIME_MAX ? TIME_MAX : (uint64_t) now_ms;
    /* A fresh counter starts in the lower half, which leaves 2^41 ids to the millisecond. */
    uint64_t counter = big_endian (random, 6) & (COUNTER_MAX >> 1);

    if (time <= id_time (self->last)) {
        time = id_time (self->last);
        if (id_counter (self->last) < COUNTER_MAX)
            counter = id_counter (self->last) + 1;
        else if (time < TIME_MAX)
            time++;
    }
    self->last = id_of_parts (time, counter, (uint32_t) big_endian (random + 6, 4));
    return self->last;
}

/* ---- looking ---- */

int id_compare (id16_t a, id16_t b)
{
    int order = memcmp (a.b, b.b, sizeof a.b);
    return (order > 0) - (order < 0);
}

int64_t id_time_ms (id16_t id)
{
    return (int64_t) id_time (id);
}

bool id_is_v7 (id16_t id)
{
    return id.b[6] >> 4 == 7 && id.b[8] >> 6 == 2;
}

/* ---- UUID ---- */

static bool is_dash_before (size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void id_write_uuid (id16_t id, char out[ID_UUID_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id.b; i++) {
        if (is_dash_before (i))
            *out++ = '-';
        *out++ = digits[id.b[i] >> 4];
        *out++ = digits[id.b[i] & 15];
    }
    *out = 0;
}

static int hex_value (char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool id_read_any_uuid (const char *text, size_t length, id16_t *out)
{
    if (!text || length != ID_UUID_LENGTH)
        return false;
    id16_t id = id_nil ();
    for (size_t i = 0; i < sizeof id.b; i++) {
        if (is_dash_before (i) && *text++ != '-')
            return false;
        int high = hex_value (*text++);
        int low = hex_value (*text++);
        if (high < 0 || low < 0)
            return false;
        id.b[i] = (uint8_t) (high << 4 | low);
    }
    *out = id;
    return true;
}

bool id_read_uuid (const char *text, size_t length, id16_t *out)
{
    id16_t id;
    if (!id_read_any_uuid (text, length, &id) || !id_is_v7 (id))
        return false;
    *out = id;
    return true;
}

/* ---- KSUID ---- */

/* Seconds since the KSUID epoch, modulo 2^32 for the years that KSUID does not reach. */
static uint32_t ksuid_time (id16_t id)
{
    return (uint32_t) (id_time (id) / 1000 - KSUID_EPOCH_S);
}

/* limbs = limbs * factor + more; false on overflow. */
static bool limbs_multiply (uint32_t limbs[KSUID_LIMBS], uint32_t factor, uint32_t more)
{
    uint64_t carry = more;
    for (size_t i = KSUID_LIMBS; i-- > 0;) {
        carry += (uint64_t) limbs[i] * factor;
        limbs[i] = (uint32_t) carry;
        carry >>= 32;
    }
    return carry == 0;
}

/* Divides high * 2^64 + *low by WIDE_CHUNK, which `high` is less than; the remainder, the quotient in *low. */
static uint64_t wide_divide (uint64_t high, uint64_t *low)
{
    __extension__ typedef unsigned __int128 wide_t;
    uint64_t quotient = (uint64_t) (((wide_t) high << 64 | *low) / WIDE_CHUNK),
             rest = *low - quotient * WIDE_CHUNK;
    *low = quotient;
    return rest;
}

/* The last `count` base62 digits of the value, the last of them before `end`. */
static void base62_write (uint32_t value, size_t count, char *end)
{
    for (; count > 0; count--, value /= 62)
        *--end = base62_digits[value % 62];
}

void id_write_ksuid (id16_t id, char out[ID_KSUID_LENGTH + 1])
{
    uint64_t middle = u64_read (id.b), last = u64_read (id.b + 8), chunk;
    chunk = wide_divide (ksuid_time (id), &middle); /* 160 bits: what is left are 101, then 41 */
    chunk = wide_divide (chunk, &last);
    base62_write ((uint32_t) (chunk % CHUNK), CHUNK_DIGITS, out + ID_KSUID_LENGTH);
    base62_write ((uint32_t) (chunk / CHUNK), CHUNK_DIGITS, out + ID_KSUID_LENGTH - 5);
    chunk = wide_divide (middle, &last);
    base62_write ((uint32_t) (chunk % CHUNK), CHUNK_DIGITS, out + ID_KSUID_LENGTH - 10);
    base62_write ((uint32_t) (chunk / CHUNK), CHUNK_DIGITS, out + ID_KSUID_LENGTH - 15);
    base62_write ((uint32_t) (last % CHUNK), CHUNK_DIGITS, out + ID_KSUID_LENGTH - 20);
    base62_write ((uint32_t) (last / CHUNK), 2, out + 2);
    out[ID_KSUID_LENGTH] = 0;
}

static int base62_value (char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'z' ? c - 'a' + 36 : -1;
}

bool id_read_ksuid (const char *text, size_t length, id16_t *out)
{
    if (!text || length != ID_KSUID_LENGTH)
        return false;
    uint32_t limbs[KSUID_LIMBS] = {0};
    uint32_t chunk = 0;
    uint32_t factor = 1;
    for (size_t i = 0; i < ID_KSUID_LENGTH; i++) {
        int value = base62_value (text[i]);
        if (value < 0)
            return false;
        chunk = chunk * 62 + (uint32_t) value;
        factor *= 62;
        if (factor != CHUNK && i + 1 != ID_KSUID_LENGTH)
            continue;
        if (!limbs_multiply (limbs, factor, chunk))
            return false;
        chunk = 0;
        factor = 1;
    }
    id16_t id = id_nil ();
    for (size_t i = 1; i < KSUID_LIMBS; i++)
        put_big_endian (id.b + 4 * (i - 1), 4, limbs[i]);
    if (!id_is_v7 (id) || limbs[0] != ksuid_time (id))
        return false;
    *out = id;
    return true;
}

/* ---- Crockford base32 ---- */

void id_write_crockford (id16_t id, char out[ID_CROCKFORD_LENGTH + 1])
{
    uint64_t high = big_endian (id.b, 8);
    uint64_t low = big_endian (id.b + 8, 8);
    out[ID_CROCKFORD_LENGTH] = 0;
    for (size_t i = ID_CROCKFORD_LENGTH; i-- > 0;) {
        out[i] = crockford_digits[low & 31];
        low = low >> 5 | high << 59;
        high >>= 5;
    }
}

static int crockford_value (char c)
{
    const char *at = c ? strchr (crockford_digits, c) : NULL;
    return at ? (int) (at - crockford_digits) : -1;
}

bool id_read_crockford (const char *text, size_t length, id16_t *out)
{
    /* 26 digits hold 130 bits: the first may only use three of its five. */
    if (!text || length != ID_CROCKFORD_LENGTH || text[0] > '7')
        return false;
    uint64_t high = 0;
    uint64_t low = 0;
    for (size_t i = 0; i < ID_CROCKFORD_LENGTH; i++) {
        int value = crockford_value (text[i]);
        if (value < 0)
            return false;
        high = high << 5 | low >> 59;
        low = low << 5 | (uint64_t) value;
    }
    id16_t id = id_nil ();
    put_big_endian (id.b, 8, high);
    put_big_endian (id.b + 8, 8, low);
    if (!id_is_v7 (id))
        return false;
    *out = id;
    return true;
}
