/* erase_match.c - ids and phone numbers in bytes. See erase_match.h. Fails with E_NO_MEMORY only. */
#include "svc/erase_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { TEXT_LEAST = 5, BITS = 1 << 16 };

typedef struct needle {
    char *text; /* digits without "+", or as given */
    size_t size;
    bool digits;
    int64_t until;
    id16_t *beside;
    size_t beside_count;
} needle_t;

typedef struct known {
    id16_t id;
    int64_t until; /* when it was erased */
} known_t;

struct erase_match {
    known_t *ids;
    size_t count, capacity;
    bool sorted;
    uint8_t bits[BITS / 8]; /* of the last two bytes of all ids: random in a UUIDv7 */
    needle_t *needles;
    size_t needle_count;
};

erase_match_t *erase_match_new (void)
{
    return calloc (1, sizeof (erase_match_t));
}

void erase_match_free (erase_match_t **self)
{
    if (!self || !*self)
        return;
    for (size_t i = 0; i < (*self)->needle_count; i++) {
        free ((*self)->needles[i].text);
        free ((*self)->needles[i].beside);
    }
    free ((*self)->needles);
    free ((*self)->ids);
    free (*self);
    *self = NULL;
}

static unsigned tail_of (const uint8_t *id)
{
    return (unsigned) id[14] << 8 | id[15];
}

int erase_match_add_id (erase_match_t *self, id16_t id, int64_t until)
{
    if (id_is_nil (id))
        return 0;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 64;
        known_t *more = realloc (self->ids, capacity * sizeof *more);
        if (!more)
            return E_NO_MEMORY;
        self->ids = more;
        self->capacity = capacity;
    }
    self->ids[self->count++] = (known_t){id, until};
    self->bits[tail_of (id.b) / 8] |= (uint8_t) (1 << tail_of (id.b) % 8);
    self->sorted = false;
    return 0;
}

size_t erase_match_ids (const erase_match_t *self)
{
    return self->count;
}

static bool is_digit (uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool all_digits (const char *text)
{
    for (; *text; text++)
        if (!is_digit ((uint8_t) *text))
            return false;
    return true;
}

int erase_match_add_text (erase_match_t *self, const erase_text_t *in)
{
    const char *text = in->text + (*in->text == '+');
    if (strlen (text) < TEXT_LEAST)
        return 0;
    needle_t *more = realloc (self->needles, (self->needle_count + 1) * sizeof *more);
    if (!more)
        return E_NO_MEMORY;
    self->needles = more;
    needle_t *n = &more[self->needle_count];
    *n = (needle_t){.digits = all_digits (text), .until = in->until};
    n->text = strdup (n->digits ? text : in->text);
    n->size = n->text ? strlen (n->text) : 0;
    n->beside = calloc (in->beside_count + 1, sizeof *n->beside);
    if (!n->text || !n->beside) {
        free (n->text);
        free (n->beside);
        return E_NO_MEMORY;
    }
    for (size_t i = 0; i < in->beside_count; i++)
        if (!id_is_nil (in->beside[i]))
            n->beside[n->beside_count++] = in->beside[i];
    self->needle_count++;
    return 0;
}

/* ---- ids ---- */

static int compare (const void *a, const void *b)
{
    return id_compare (((const known_t *) a)->id, ((const known_t *) b)->id);
}

/* One that was erased after `made`. */
static bool has_id (erase_match_t *self, bytes_t bytes, int64_t made)
{
    if (!self->sorted && self->count)
        qsort (self->ids, self->count, sizeof *self->ids, compare);
    self->sorted = true;
    for (size_t at = 0; self->count && at + sizeof (id16_t) <= bytes.size; at++) {
        unsigned tail = tail_of (bytes.data + at);
        if (!(self->bits[tail / 8] & 1 << tail % 8))
            continue;
        known_t key = {0};
        memcpy (key.id.b, bytes.data + at, sizeof key.id.b);
        const known_t *known = bsearch (&key, self->ids, self->count, sizeof key, compare);
        if (known && known->until > made)
            return true;
    }
    return false;
}

/* ---- texts ---- */

/* Does a msgpack string of just this size begin at `at`? Its length byte, and the number of the field that follows it, may look like digits. */
static bool is_string (bytes_t bytes, size_t at, size_t size)
{
    const uint8_t *p = bytes.data;
    return (size < 32 && at >= 1 && p[at - 1] == (0xa0 | size)) ||
           (at >= 2 && p[at - 2] == 0xd9 && p[at - 1] == size);
}

static bool stands_alone (bytes_t bytes, size_t at, size_t size)
{
    bool plus = at > 0 && bytes.data[at - 1] == '+';
    if (is_string (bytes, at - plus, size + plus))
        return true;
    bool before = at > 0 && is_digit (bytes.data[at - 1]);
    bool length = at > 1 && bytes.data[at - 2] == 0xd9; /* of a longer text that begins with it */
    bool after = at + size < bytes.size && is_digit (bytes.data[at + size]);
    return (!before || length) && !after;
}

static bool has_text (const needle_t *n, bytes_t bytes)
{
    const uint8_t *end = bytes.data + bytes.size, *at = bytes.data;
    while (bytes.size && (at = memmem (at, (size_t) (end - at), n->text, n->size))) {
        if (!n->digits || stands_alone (bytes, (size_t) (at - bytes.data), n->size))
            return true;
        at++;
    }
    return false;
}

static bool is_meant (const needle_t *n, int64_t made)
{
    return !made || made < n->until;
}

static bool is_beside (const needle_t *n, bytes_t bytes)
{
    for (size_t i = 0; i < n->beside_count; i++)
        if (memmem (bytes.data, bytes.size, n->beside[i].b, sizeof n->beside[i].b))
            return true;
    return !n->beside_count;
}

static bool has_meant (const erase_match_t *self, bytes_t bytes, int64_t made)
{
    for (size_t i = 0; i < self->needle_count; i++) {
        const needle_t *n = &self->needles[i];
        if (is_meant (n, made) && has_text (n, bytes) && is_beside (n, bytes))
            return true;
    }
    return false;
}

bool erase_match_tells (erase_match_t *self, bytes_t bytes, int64_t made)
{
    return bytes.size && (has_meant (self, bytes, made) || has_id (self, bytes, INT64_MIN));
}

bool erase_match_before (erase_match_t *self, bytes_t bytes, int64_t made)
{
    return bytes.size && (has_meant (self, bytes, made) || has_id (self, bytes, made));
}

bool erase_match_text (const erase_match_t *self, bytes_t bytes, int64_t made)
{
    for (size_t i = 0; i < self->needle_count; i++)
        if (is_meant (&self->needles[i], made) && has_text (&self->needles[i], bytes))
            return true;
    return false;
}
