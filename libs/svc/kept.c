/* kept.c - followed events that could not be applied: their rows in svc.quarantine, and what a person decides about them.
 *
 * A row is keyed by service, a zero byte and the event's id. An event that is let out is applied in the turn that lets it out: what it is about may have moved on, which
 * its version tells. Fails with what apply () fails with; then it stays. */
#include <stdio.h>
#include <string.h>

#include "svc/inner.h"

enum { KEY_SIZE = ENVELOPE_NAME_MAX + 2 + 16 };

static bytes_t key_make (const char *service, id16_t id, uint8_t space[KEY_SIZE])
{
    size_t length = strnlen (service, ENVELOPE_NAME_MAX);
    memcpy (space, service, length);
    space[length] = 0;
    memcpy (space + length + 1, id.b, sizeof id.b);
    return bytes_of (space, length + 1 + sizeof id.b);
}

int kept_event_write (const char *service, const common_event_t *event, int code, int64_t now,
                      txn_t *txn, table_t *table)
{
    uint8_t key[KEY_SIZE];
    buf_t row = {0}, packed = {0};
    schema_pack (&common_event_type, event, &packed);
    mp_array (&row, 3);
    mp_int (&row, code);
    mp_int (&row, now);
    mp_bin (&row, packed.data, packed.size);
    int rc = buf_failed (&row) || buf_failed (&packed)
                 ? E_NO_MEMORY
                 : kv_put (txn, table, key_make (service, event->id, key), buf_bytes (&row));
    buf_free (&row);
    buf_free (&packed);
    return rc;
}

int kept_event_read (bytes_t key, bytes_t row, arena_t *arena, kept_event_t *out)
{
    mp_reader_t in = mp_read (row);
    *out = (kept_event_t){0};
    uint32_t parts = mp_read_array (&in);
    out->code = (int) mp_read_int (&in);
    out->since = mp_read_int (&in);
    bytes_t packed = mp_read_bin (&in);
    if (parts != 3 || in.failed || key.size < 17 || key.data[key.size - 17] != 0)
        return E_CORRUPT;
    out->service = arena_strdup (arena, (const char *) key.data);
    void *copy = arena_memdup (arena, packed.data, packed.size);
    return out->service && copy
               ? journal_event_read (bytes_of (copy, packed.size), arena, &out->event)
               : E_NO_MEMORY;
}

/* ---- deciding ---- */

/* Which of the services followed told it. */
static int event_find (turn_t *t, id16_t id, kept_event_t *out)
{
    svc_t *svc = t->svc;
    uint8_t space[KEY_SIZE];
    for (size_t i = 0; i < svc->service->follow_count; i++) {
        bytes_t key = key_make (svc->service->follows[i].event->service, id, space), row;
        int rc = kv_get (t->txn, svc->writer.quarantine, key, &row);
        if (rc != E_NOT_FOUND)
            return rc ? rc : kept_event_read (key, row, t->arena, out);
    }
    return E_NOT_FOUND;
}

int kept_event_act (turn_t *t, id16_t id, bool drop, const char **name)
{
    svc_t *svc = t->svc;
    uint8_t space[KEY_SIZE];
    kept_event_t kept;
    uint64_t left = 0;
    int rc = event_find (t, id, &kept);
    if (rc)
        return rc;
    const svc_follow_t *row = follow_row (svc, kept.service, kept.event.number);
    *name = row ? row->event->name : arena_printf (t->arena, "%s.?", kept.service);
    if (!drop && !row)
        return fail (t, E_CORRUPT, "id", "This program does not follow such events");
    if (!drop)
        rc = follow_apply (t, row, &kept.event, false);
    if (!rc)
        rc = kv_del (t->txn, svc->writer.quarantine, key_make (kept.service, id, space));
    if (!rc)
        rc = kv_count (t->txn, svc->writer.quarantine, &left);
    if (rc)
        return rc == E_PARKED ? E_INTERNAL : rc;
    guard_forget (svc->guard, id);
    atomic_store (&svc->metrics.quarantined, left);
    return 0;
}
