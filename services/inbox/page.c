/* page.c - pages of lists: how many, and where the one before ended.
 *
 * A place is the sort time and the id as they were when the page was made, so that a row that moved or went since neither repeats nor hides others. */
#include "inbox.h"

enum { PLACE_SIZE = 24, LIMIT_MOST = 100 };

int page_read (turn_t *t, bytes_t after, int64_t limit, place_t *from)
{
    uint64_t at = 0;
    *from = (place_t){0};
    if (limit < 1 || limit > LIMIT_MOST)
        return fail (t, E_BAD_LIMIT, "limit", "limit must be 1 to %d", LIMIT_MOST);
    if (after.size && after.size != PLACE_SIZE)
        return fail (t, E_BAD_CURSOR, "after", "This is no place in this list");
    if (!after.size)
        return 0;
    for (size_t i = 0; i < 8; i++)
        at = at << 8 | after.data[i];
    from->at = (int64_t) at;
    memcpy (from->id.b, after.data + 8, sizeof from->id.b);
    return id_is_nil (from->id) ? fail (t, E_BAD_CURSOR, "after", "This is no place in this list")
                                : 0;
}

bytes_t page_next (turn_t *t, place_t last)
{
    uint8_t *out = arena_alloc (t->arena, PLACE_SIZE);
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t) ((uint64_t) last.at >> (56 - 8 * i));
    memcpy (out + 8, last.id.b, sizeof last.id.b);
    return bytes_of (out, PLACE_SIZE);
}
