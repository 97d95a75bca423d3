/* txn.c - transactions, savepoints, injected failures.
 *
 * Reads come from a pool of renewed transactions. A savepoint is a place in the trail of what was
 * written (trail.c). A write that fails before the backend saw it dooms the level it was made in: what
 * stands there is half done, so only rolling it back is left. One that the backend failed dooms the
 * transaction, for it may be half done in the backend's pages. A failed commit dooms the store, since
 * nobody knows what reached the disk. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/private.h"

/* ---- the object ---- */

static txn_t *txn_new (store_t *store)
{
    txn_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->store = store;
    self->level_capacity = 8;
    self->levels = calloc (self->level_capacity, sizeof *self->levels);
    if (!self->levels) {
        free (self);
        return NULL;
    }
    return self;
}

void txn_free (txn_t *self)
{
    if (!self)
        return;
    buf_free (&self->row);
    pending_destroy (self);
    trail_destroy (&self->trail);
    arena_destroy (&self->scratch);
    free (self->levels);
    free (self);
}

int txn_scratch (txn_t *self, arena_t **out)
{
    if (self->scratch)
        arena_reset (self->scratch);
    else if (!(self->scratch = arena_new (SCRATCH_LIMIT)))
        return E_NO_MEMORY;
    *out = self->scratch;
    return 0;
}

/* ---- begin ---- */

static int read_begin (store_t *store, txn_t **out)
{
    pthread_mutex_lock (&store->pool_lock);
    txn_t *t = store->idle;
    if (t) {
        store->idle = t->next;
        store->idle_count--;
    }
    pthread_mutex_unlock (&store->pool_lock);
    int rc;
    if (t) {
        rc = store->backend->renew (store->env, t->handle);
        if (rc)
            store->backend->abort (t->handle);
    } else {
        t = txn_new (store);
        rc = t ? store->backend->begin (store->env, false, &t->handle) : E_NO_MEMORY;
    }
    if (rc)
        txn_free (t);
    else
        *out = t;
    return rc;
}

static int write_begin (store_t *store, bool as_owner, txn_t **out)
{
    if (pthread_mutex_lock (&store->write_lock))
        return E_INTERNAL;
    int rc = as_owner && !atomic_load (&store->owner) ? E_NOT_OWNER
             : atomic_load (&store->failed)           ? E_IO
                                                      : 0;
    txn_t *t = NULL;
    if (!rc) {
        t = store->spare ? store->spare : txn_new (store);
        store->spare = NULL;
        rc = t ? store->backend->begin (store->env, true, &t->handle) : E_NO_MEMORY;
    }
    if (rc) {
        if (rc != E_NOT_OWNER)
            store_note_error (store, rc, "begin", false);
        txn_free (t);
        pthread_mutex_unlock (&store->write_lock);
        return rc;
    }
    atomic_store (&store->writer, (uintptr_t) pthread_self ());
    t->mode = TXN_WRITE;
    t->depth = 0;
    t->writes = 0;
    t->conflicted = false;
    t->levels[0].doom = 0;
    t->levels[0].writes = 0;
    *out = t;
    return 0;
}

int txn_begin (store_t *store, int mode, txn_t **out)
{
    return mode == TXN_WRITE ? write_begin (store, true, out) : read_begin (store, out);
}

int txn_begin_any (store_t *store, txn_t **out)
{
    return write_begin (store, false, out);
}

/* ---- end ---- */

static void read_end (txn_t *self)
{
    store_t *store = self->store;
    store->backend->reset (self->handle);
    pthread_mutex_lock (&store->pool_lock);
    bool keep = store->idle_count < POOL_MAX;
    if (keep) {
        self->next = store->idle;
        store->idle = self;
        store->idle_count++;
    }
    pthread_mutex_unlock (&store->pool_lock);
    if (keep)
        return;
    store->backend->abort (self->handle);
    txn_free (self);
}

static void write_end (txn_t *self)
{
    store_t *store = self->store;
    pending_forget (self);
    trail_forget (self);
    store->spare = self;
    atomic_store (&store->writer, 0);
    pthread_mutex_unlock (&store->write_lock);
}

void txn_abort (txn_t **self)
{
    txn_t *t = self ? *self : NULL;
    if (!t)
        return;
    *self = NULL;
    cursors_free (t);
    if (t->mode != TXN_WRITE) {
        read_end (t);
        return;
    }
    while (t->depth)
        txn_rollback (t);
    t->store->backend->abort (t->handle);
    write_end (t);
}

int txn_commit (txn_t **self)
{
    txn_t *t = *self;
    store_t *store = t->store;
    int rc = t->depth ? E_INTERNAL : t->levels[0].doom;
    if (!rc && t->mode == TXN_WRITE)
        rc = pending_settle (t);
    if (t->conflicted)
        rc = E_CONFLICT_RETRY;
    if (t->mode != TXN_WRITE || rc || !t->writes) {
        txn_abort (self);
        return rc;
    }
    *self = NULL;
    cursors_free (t);
    if (atomic_exchange (&store->fail_commit, false)) {
        store->backend->abort (t->handle);
        rc = E_IO;
    } else {
        rc = store->backend->commit (store->env, t->handle);
    }
    if (rc && rc != E_CONFLICT_RETRY) {
        atomic_store (&store->failed, true);
        store_note_error (store, rc, "commit", true);
    }
    write_end (t);
    return rc;
}

uint64_t txn_writes (const txn_t *self)
{
    return self->writes;
}

/* ---- savepoints ---- */

int txn_savepoint (txn_t *self)
{
    if (self->mode != TXN_WRITE)
        return E_INTERNAL;
    if (self->levels[self->depth].doom)
        return self->levels[self->depth].doom;
    if (self->depth + 1 == self->level_capacity) {
        level_t *more = realloc (self->levels, 2 * self->level_capacity * sizeof *more);
        if (!more)
            return E_NO_MEMORY;
        self->levels = more;
        self->level_capacity *= 2;
    }
    self->levels[++self->depth] = (level_t){
        .writes = self->writes, .pending = pending_mark (self), .trail = trail_mark (self)};
    return 0;
}

int txn_release (txn_t *self)
{
    level_t *level = &self->levels[self->depth];
    if (!self->depth)
        return E_INTERNAL;
    if (level->doom) {
        int doom = level->doom;
        txn_rollback (self);
        return doom;
    }
    if (--self->depth == 0)
        trail_forget (self);
    return 0;
}

void txn_rollback (txn_t *self)
{
    if (!self->depth)
        return;
    level_t *level = &self->levels[self->depth--];
    self->writes = level->writes;
    pending_undo (self, &level->pending);
    int rc = trail_back (self, level->trail);
    if (!rc)
        return;
    store_note_error (self->store, rc, "rollback", false);
    txn_doom_all (self, rc);
}

/* ---- where reads and writes go ---- */

void *txn_handle (txn_t *self)
{
    return self->handle;
}

int txn_doom (txn_t *self, int code)
{
    level_t *level = &self->levels[self->depth];
    if (!level->doom)
        level->doom = code;
    return code;
}

int txn_doom_all (txn_t *self, int code)
{
    for (size_t i = 0; i <= self->depth; i++)
        if (!self->levels[i].doom)
            self->levels[i].doom = code;
    return code;
}

/* ---- conflicts ---- */

enum { TRIES_MOST = 10, WAIT_LAST_MS = 100 };

bool txn_conflicted (const txn_t *self)
{
    return self->conflicted;
}

/* The second try comes at once, the others after 1, 2, 4... ms: who was in the way is gone by then. */
bool txn_again (int code, unsigned *tries)
{
    if (code != E_CONFLICT_RETRY || ++*tries >= TRIES_MOST)
        return false;
    long ms = *tries < 2 ? 0 : 1L << (*tries - 2);
    ms = ms < WAIT_LAST_MS ? ms : WAIT_LAST_MS;
    if (ms)
        nanosleep (&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
    return true;
}

static bool fails_now (store_t *store)
{
    unsigned left = atomic_load (&store->fail_write);
    if (left)
        atomic_store (&store->fail_write, left - 1);
    return left == 1;
}

int txn_write_handle (txn_t *self, void **out)
{
    store_t *store = self->store;
    if (self->mode != TXN_WRITE)
        return E_INTERNAL;
    if (self->levels[self->depth].doom)
        return self->levels[self->depth].doom;
    if (fails_now (store)) {
        store_note_error (store, E_IO, "write (injected)", false);
        return txn_doom (self, E_IO);
    }
    *out = self->handle;
    return 0;
}
