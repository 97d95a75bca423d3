/* id.h - record ids: UUIDv7, and its three spellings.
 *
 * A record's id is 16 bytes, a UUIDv7 (RFC 9562). Chirp spells it as a KSUID (4 bytes of time, then
 * 16 of payload, base62, 27 characters; the payload is the UUID and the time is the UUID's own
 * second), Kirim as 26 characters of upper-case Crockford base32, CallMissed as the lower-case
 * UUID. Each id has exactly one spelling of each kind: readers refuse everything that their writer
 * would not have written (wrong KSUID time, overflow, lower-case Crockford, wrong version or
 * variant bits). */
#ifndef AVIARY_BASE_ID_H
#define AVIARY_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct id16 {
    uint8_t b[16];
} id16_t;

enum { ID_UUID_LENGTH = 36, ID_KSUID_LENGTH = 27, ID_CROCKFORD_LENGTH = 26 };

/* Makes ids that only grow, also when the clock steps back. Zero-initialise; seed with
 * id_source_seed. One thread. */
typedef struct id_source {
    id16_t last;
    uint16_t random_left; /* bytes of `random` not used yet */
    uint8_t random[960];  /* drawn from the kernel in one go */
} id_source_t;

/* Never make an id at or below `last` (the greatest id in the store at open). */
void id_source_seed (id_source_t *self, id16_t last);
/* The next id; `now_ms` is Unix time in milliseconds. Within one millisecond a counter in rand_a
 * and the top of rand_b grows. */
id16_t id_next (id_source_t *self, int64_t now_ms);

static inline id16_t id_nil (void)
{
    return (id16_t){{0}};
}

static inline bool id_equal (id16_t a, id16_t b)
{
    return memcmp (a.b, b.b, sizeof a.b) == 0;
}

static inline bool id_is_nil (id16_t id)
{
    return id_equal (id, id_nil ());
}

int id_compare (id16_t a, id16_t b); /* byte order = order of making */
int64_t id_time_ms (id16_t id);      /* Unix milliseconds in the id */
bool id_is_v7 (id16_t id);           /* version and variant bits */

/* Writers fill the text and its NUL. */
void id_write_uuid (id16_t id, char out[ID_UUID_LENGTH + 1]);
void id_write_ksuid (id16_t id, char out[ID_KSUID_LENGTH + 1]);
void id_write_crockford (id16_t id, char out[ID_CROCKFORD_LENGTH + 1]);
/* Readers take exactly `length` characters; true and *out set, or false and *out untouched. */
bool id_read_uuid (const char *text, size_t length, id16_t *out);
/* The same for what others made: a UUID of any version, in lower case. */
bool id_read_any_uuid (const char *text, size_t length, id16_t *out);
bool id_read_ksuid (const char *text, size_t length, id16_t *out);
bool id_read_crockford (const char *text, size_t length, id16_t *out);

#endif
