/* memory_txn.c - transactions of the memory backend, their conflicts, and the values that they give.
 *
 * A write transaction changes a copy of the newest snapshot, which shares all rows with it. The commit writes what was done behind the file and makes the copy the newest snapshot.
 *
 * Fails with E_NO_MEMORY, E_BUSY (too many readers), E_IO of the file, E_CONFLICT_RETRY. */
#include <stdlib.h>
#include <string.h>

#include "store/memory_inner.h"

enum { BEGIN_RARER = 4, CALL_RARER = 256 };

/* ---- conflicts ---- */

/* A conflict ends: the same writes, done again, get through. */
static bool conflicts (memory_txn_t *txn, unsigned rarer)
{
    memory_t *env = txn->env;
    if (!txn->conflicted && env->conflicts < MEMORY_CONFLICTS_MOST &&
        memory_chance (env, env->options.conflict_in * rarer)) {
        env->conflicts++;
        txn->conflicted = true;
    }
    return txn->conflicted;
}

static bool forced (memory_t *self)
{
    unsigned left = atomic_load (&self->forced);
    if (left)
        atomic_store (&self->forced, left - 1);
    return left > 0;
}

void memory_conflicts (store_t *store, unsigned commits)
{
    memory_t *self = store->env;
    memory_check (store->backend == &backend_memory, "a store of another backend");
    atomic_store (&self->forced, commits);
}

/* ---- what is given ---- */

void memory_take_back (memory_txn_t *txn)
{
    free (txn->key);
    free (txn->value);
    txn->key = txn->value = NULL;
}

/* Each with its own memory: neither runs into the other. What was given before goes now, and not
 * sooner: it may be what was asked with. */
int memory_give (memory_txn_t *txn, const row_t *row, bytes_t *key, bytes_t *value)
{
    uint8_t *k = key ? memory_alloc (row->key_size) : NULL, *v = memory_alloc (row->value_size);
    if ((key && !k) || !v) {
        free (k);
        free (v);
        return E_NO_MEMORY;
    }
    if (key) {
        memcpy (k, row_key (row).data, row->key_size);
        *key = bytes_of (k, row->key_size);
    }
    memcpy (v, row_value (row).data, row->value_size);
    *value = bytes_of (v, row->value_size);
    memory_take_back (txn);
    txn->key = k;
    txn->value = v;
    return 0;
}

int memory_use (const memory_txn_t *txn)
{
    memory_check (txn->space, "a transaction that was reset is used");
    memory_delay (txn->env);
    return txn->write && conflicts ((memory_txn_t *) (uintptr_t) txn, CALL_RARER) ? E_CONFLICT_RETRY
                                                                                  : 0;
}

/* ---- begin and end ---- */

static void txn_drop (memory_txn_t *self)
{
    memory_check (!self->cursors, "a cursor outlives its transaction");
    memory_take_back (self);
    space_drop (self->space);
    log_free (&self->log);
    free (self);
}

static void reader_gone (memory_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->readers--;
    pthread_mutex_unlock (&self->lock);
}

static bool reader_comes (memory_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool room = self->readers < self->readers_most;
    self->readers += room;
    pthread_mutex_unlock (&self->lock);
    return room;
}

static int write_start (memory_txn_t *self)
{
    uintptr_t none = 0;
    space_t *from = memory_newest (self->env);
    self->space = space_copy (from);
    space_drop (from);
    if (!self->space)
        return E_NO_MEMORY;
    memory_check (atomic_compare_exchange_strong (&self->env->writer, &none, (uintptr_t) self),
                  "two write transactions at once");
    return 0;
}

int memory_begin (void *env, bool write, void **out)
{
    memory_t *self = env;
    int rc = 0;
    memory_txn_t *txn = memory_alloc (sizeof *txn);
    if (!txn)
        return E_NO_MEMORY;
    *txn = (memory_txn_t){.env = self, .write = write};
    memory_delay (self);
    if (!write && !reader_comes (self))
        rc = E_BUSY;
    else if (!write)
        txn->space = memory_newest (self);
    else if (conflicts (txn, BEGIN_RARER))
        rc = E_CONFLICT_RETRY;
    else
        rc = write_start (txn);
    if (rc) {
        space_drop (txn->space);
        free (txn);
        return rc;
    }
    *out = txn;
    return 0;
}

void memory_abort (void *txn)
{
    memory_txn_t *self = txn;
    if (self->write)
        atomic_store (&self->env->writer, 0);
    else
        reader_gone (self->env);
    txn_drop (self);
}

/* The file first: a snapshot that others see will be there again. */
static int write_commit (memory_txn_t *self)
{
    memory_t *env = self->env;
    if (!self->log.size)
        return 0;
    if (forced (env) || conflicts (self, 1))
        return E_CONFLICT_RETRY;
    int rc = log_write (&self->log, env->fd, &env->end);
    if (rc)
        return memory_fail (env, rc);
    env->conflicts = 0;
    if (self->space->bytes > atomic_load (&env->rows_most))
        atomic_store (&env->rows_most, self->space->bytes);
    memory_delay (env);
    pthread_mutex_lock (&env->lock);
    space_t *old = env->newest;
    env->newest = self->space;
    self->space = NULL;
    pthread_mutex_unlock (&env->lock);
    space_drop (old);
    return 0;
}

int memory_commit (void *env, void *txn)
{
    (void) env;
    memory_txn_t *self = txn;
    int rc = memory_use (self);
    if (!rc && self->write)
        rc = write_commit (self);
    memory_abort (self);
    return rc;
}

void memory_reset (void *txn)
{
    memory_txn_t *self = txn;
    memory_check (!self->write && self->space && !self->cursors, "no read to be reset");
    memory_take_back (self);
    space_drop (self->space);
    self->space = NULL;
}

int memory_renew (void *env, void *txn)
{
    memory_txn_t *self = txn;
    memory_check (!self->write && !self->space, "no read to be renewed");
    memory_delay (env);
    self->space = memory_newest (env);
    return 0;
}
