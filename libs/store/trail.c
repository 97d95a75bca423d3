/* trail.c - the way back out of a savepoint: for each write in one, what stood there before.
 *
 * A backend's own nested transaction copies every page that is written in it, a dozen for one message, once a savepoint; what a rollback needs is the few
 * rows that changed. So all savepoints write into the one transaction, and a rollback puts the rows back, the last first. A release
 * keeps the trail for the savepoint around it; at the outermost level there is none.
 *
 * Fails with E_NO_MEMORY before the write. A rollback that cannot put a row back, and one across the clearing of a table, dooms the whole transaction:
 * nothing of it is stored then. */
#include <stdlib.h>
#include <string.h>

#include "store/private.h"

enum { STEPS_FIRST = 64, KEPT_MOST = 1 << 20 };

typedef enum trail_how { TRAIL_DEL, TRAIL_PUT, TRAIL_NO_WAY } trail_how_t;

typedef struct trail_step {
    table_t *table;
    trail_how_t how;
    size_t at, key_size, value_size; /* in `bytes` */
} trail_step_t;

struct trail {
    trail_step_t *steps;
    size_t count, capacity;
    buf_t bytes;
};

static int trail_room (txn_t *txn)
{
    if (!txn->trail && !(txn->trail = calloc (1, sizeof *txn->trail)))
        return E_NO_MEMORY;
    trail_t *self = txn->trail;
    if (self->count < self->capacity)
        return 0;
    size_t more = self->capacity ? 2 * self->capacity : STEPS_FIRST;
    trail_step_t *steps = realloc (self->steps, more * sizeof *steps);
    if (!steps)
        return E_NO_MEMORY;
    self->steps = steps;
    self->capacity = more;
    return 0;
}

static int step_add (txn_t *txn, table_t *table, trail_how_t how, bytes_t key, bytes_t value)
{
    int rc = trail_room (txn);
    if (rc)
        return rc;
    trail_t *self = txn->trail;
    size_t at = self->bytes.size;
    buf_add (&self->bytes, key.data, key.size);
    buf_add (&self->bytes, value.data, value.size);
    if (buf_failed (&self->bytes)) { /* what it holds is whole, and a rollback needs it */
        self->bytes.failed = false;
        self->bytes.size = at;
        return E_NO_MEMORY;
    }
    self->steps[self->count++] = (trail_step_t){table, how, at, key.size, value.size};
    return 0;
}

int trail_note (txn_t *txn, table_t *table, bytes_t key, const bytes_t *old)
{
    return old ? step_add (txn, table, TRAIL_PUT, key, *old)
               : step_add (txn, table, TRAIL_DEL, key, (bytes_t){0});
}

int trail_cleared (txn_t *txn, table_t *table)
{
    return step_add (txn, table, TRAIL_NO_WAY, (bytes_t){0}, (bytes_t){0});
}

void trail_unstep (txn_t *txn)
{
    trail_t *self = txn->trail;
    self->bytes.size = self->steps[--self->count].at;
}

size_t trail_mark (const txn_t *txn)
{
    return txn->trail ? txn->trail->count : 0;
}

static int step_back (txn_t *txn, const trail_step_t *step)
{
    const backend_t *backend = txn->store->backend;
    bytes_t key = bytes_of (txn->trail->bytes.data + step->at, step->key_size);
    bytes_t value = bytes_of (key.data + key.size, step->value_size);
    step->table->generation++;
    if (step->how == TRAIL_NO_WAY)
        return E_IO;
    return step->how == TRAIL_PUT
               ? backend->put (txn->store->env, txn->handle, step->table->handle, key, value,
                               PUT_ANY)
               : backend->del (txn->store->env, txn->handle, step->table->handle, key);
}

int trail_back (txn_t *txn, size_t mark)
{
    int rc = 0;
    for (; trail_mark (txn) > mark; trail_unstep (txn))
        if (!rc)
            rc = step_back (txn, &txn->trail->steps[txn->trail->count - 1]);
    return rc;
}

void trail_forget (txn_t *txn)
{
    trail_t *self = txn->trail;
    if (!self)
        return;
    self->count = 0;
    buf_clear (&self->bytes);
    if (self->bytes.capacity > KEPT_MOST)
        trail_destroy (&txn->trail);
}

void trail_destroy (trail_t **self)
{
    trail_t *gone = *self;
    if (!gone)
        return;
    buf_free (&gone->bytes);
    free (gone->steps);
    free (gone);
    *self = NULL;
}
