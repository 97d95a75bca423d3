/* kv.c - bytes in tables, and walks over ranges of keys.
 *
 * A walk in a read transaction steps a backend cursor. In a write transaction the table may change
 * under it: each write moves the table's generation, and a walk that finds another generation (or
 * whose savepoint came or went) seeks its last key again. */
#include <stdlib.h>
#include <string.h>

#include "store/private.h"

/* ---- single keys ---- */

static int table_check (const table_t *table)
{
    if (!table)
        return E_INTERNAL;
    return atomic_load (&table->open) ? 0 : E_UNAVAILABLE;
}

static int key_check (const table_t *table, bytes_t key)
{
    int rc = table_check (table);
    return rc ? rc : key.size < 1 || key.size > table->key_max ? E_TOO_LARGE : 0;
}

static bool has_prefix (bytes_t key, bytes_t prefix)
{
    return key.size >= prefix.size &&
           (!prefix.size || memcmp (key.data, prefix.data, prefix.size) == 0);
}

/* After a write: count it, or doom the transaction unless the failure changed nothing. */
static int write_done (txn_t *txn, table_t *table, int rc)
{
    if (!rc) {
        txn->writes++;
        table->generation++;
        return 0;
    }
    if (rc == E_NOT_FOUND || rc == E_ALREADY_EXISTS) {
        if (txn->depth)
            trail_unstep (txn);
        return rc;
    }
    store_note_error (txn->store, rc, table->name, false);
    return txn_doom_all (txn, txn_note (txn, rc));
}

/* What the writer knows of the row that is there. */
typedef enum before { BEFORE_NONE, BEFORE_READ, BEFORE_ANY, BEFORE_SOME } before_t;

/* Where to write, with the way back noted. `old` is the row if it was read. E_NOT_FOUND if there must be some and is none. */
static int write_begin (txn_t *txn, table_t *table, bytes_t key, before_t before, bytes_t old,
                        void **handle)
{
    int rc = key_check (table, key);
    if (!rc)
        rc = txn_write_handle (txn, handle);
    if (rc || !txn->depth)
        return rc;
    if (before == BEFORE_ANY || before == BEFORE_SOME) {
        rc = txn_note (
            txn, txn->store->backend->get (txn->store->env, txn->handle, table->handle, key, &old));
        if (rc == E_NOT_FOUND && before == BEFORE_SOME)
            return rc;
        before = rc ? BEFORE_NONE : BEFORE_READ;
    }
    if (!rc || rc == E_NOT_FOUND)
        rc = trail_note (txn, table, key, before == BEFORE_READ ? &old : NULL);
    return rc ? txn_doom (txn, rc) : 0;
}

int kv_get (txn_t *txn, table_t *table, bytes_t key, bytes_t *value)
{
    int rc = key_check (table, key);
    return rc ? rc
              : txn_note (txn, txn->store->backend->get (txn->store->env, txn_handle (txn),
                                                         table->handle, key, value));
}

int kv_first (txn_t *txn, table_t *table, bytes_t prefix, bytes_t *key, bytes_t *value)
{
    bytes_t k = prefix, v = {0};
    int rc = key_check (table, prefix);
    if (!rc)
        rc = txn_note (txn, txn->store->backend->seek (txn->store->env, txn_handle (txn),
                                                       table->handle, &k, &v));
    if (!rc && !has_prefix (k, prefix))
        rc = E_NOT_FOUND;
    if (rc)
        return rc;
    *key = k;
    *value = v;
    return 0;
}

static int put (txn_t *txn, table_t *table, bytes_t key, bytes_t value, before_t before,
                bytes_t old, backend_put_t how)
{
    void *handle;
    int rc = write_begin (txn, table, key, before, old, &handle);
    if (rc)
        return rc;
    return write_done (
        txn, table,
        txn->store->backend->put (txn->store->env, handle, table->handle, key, value, how));
}

int kv_put (txn_t *txn, table_t *table, bytes_t key, bytes_t value)
{
    return put (txn, table, key, value, BEFORE_ANY, (bytes_t){0}, PUT_ANY);
}

int kv_replace (txn_t *txn, table_t *table, bytes_t key, bytes_t value, bytes_t old)
{
    return put (txn, table, key, value, BEFORE_READ, old, PUT_ANY);
}

int kv_add (txn_t *txn, table_t *table, bytes_t key, bytes_t value)
{
    return put (txn, table, key, value, BEFORE_NONE, (bytes_t){0}, PUT_NEW);
}

int kv_append (txn_t *txn, table_t *table, bytes_t key, bytes_t value)
{
    return put (txn, table, key, value, BEFORE_NONE, (bytes_t){0}, PUT_APPEND);
}

static int del (txn_t *txn, table_t *table, bytes_t key, before_t before, bytes_t old)
{
    void *handle;
    int rc = write_begin (txn, table, key, before, old, &handle);
    return rc ? rc
              : write_done (txn, table,
                            txn->store->backend->del (txn->store->env, handle, table->handle, key));
}

int kv_del (txn_t *txn, table_t *table, bytes_t key)
{
    return del (txn, table, key, BEFORE_SOME, (bytes_t){0});
}

int kv_remove (txn_t *txn, table_t *table, bytes_t key, bytes_t old)
{
    return del (txn, table, key, BEFORE_READ, old);
}

int kv_clear (txn_t *txn, table_t *table)
{
    void *handle;
    int rc = table_check (table);
    if (!rc)
        rc = txn_write_handle (txn, &handle);
    if (rc)
        return rc;
    rc = txn->depth ? trail_cleared (txn, table) : 0;
    if (rc)
        return txn_doom (txn, rc);
    cursors_unhandle (txn);
    return write_done (txn, table,
                       txn->store->backend->clear (txn->store->env, handle, table->handle));
}

int kv_count (txn_t *txn, table_t *table, uint64_t *out)
{
    uint64_t entries, bytes;
    int rc = table_check (table);
    if (!rc)
        rc = txn->store->backend->table_stat (txn->store->env, txn_handle (txn), table->handle,
                                              &entries, &bytes);
    if (!rc)
        *out = entries;
    return txn_note (txn, rc);
}

int store_table_stats (txn_t *txn,
                       void (*each) (void *context, const char *table, uint64_t entries,
                                     uint64_t bytes),
                       void *context)
{
    store_t *store = txn->store;
    for (size_t i = 0; i < store->table_count; i++) {
        uint64_t entries, bytes;
        table_t *t = &store->tables[i];
        int rc = table_check (t);
        if (!rc)
            rc = store->backend->table_stat (store->env, txn_handle (txn), t->handle, &entries,
                                             &bytes);
        if (rc && rc != E_UNAVAILABLE)
            return txn_note (txn, rc);
        if (!rc)
            each (context, t->name, entries, bytes);
    }
    return 0;
}

/* ---- cursors of a transaction ---- */

static void state_unhandle (cursor_state_t *s)
{
    if (s->handle)
        s->txn->store->backend->cursor_close (s->handle);
    s->handle = NULL;
}

/* Backend cursors die with the backend transaction they were opened in, and may not be used across
 * its start. */
void cursors_unhandle (txn_t *txn)
{
    for (cursor_state_t *s = txn->cursors; s; s = s->next)
        state_unhandle (s);
}

static void state_free (cursor_state_t *s)
{
    state_unhandle (s);
    if (s->prev)
        s->prev->next = s->next;
    else
        s->txn->cursors = s->next;
    if (s->next)
        s->next->prev = s->prev;
    buf_free (&s->last);
    free (s);
}

void cursors_free (txn_t *txn)
{
    while (txn->cursors)
        state_free (txn->cursors);
}

static cursor_state_t *state_new (txn_t *txn, table_t *table)
{
    cursor_state_t *s = calloc (1, sizeof *s);
    if (!s)
        return NULL;
    s->txn = txn;
    s->table = table;
    s->next = txn->cursors;
    if (s->next)
        s->next->prev = s;
    txn->cursors = s;
    return s;
}

/* ---- walking ---- */

static int move (cursor_state_t *s, backend_move_t how, bytes_t *key, bytes_t *value)
{
    const backend_t *backend = s->txn->store->backend;
    return txn_note (s->txn, backend->cursor_move (s->txn->store->env, s->handle, how, key, value));
}

static int compare (bytes_t a, bytes_t b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int c = n ? memcmp (a.data, b.data, n) : 0;
    return c ? c : (a.size > b.size) - (a.size < b.size);
}

/* First key at `at`, or the one after if `past`. */
static int seek_up (cursor_state_t *s, bytes_t at, bool past, bytes_t *key, bytes_t *value)
{
    *key = at;
    int rc = move (s, at.size ? MOVE_SEEK : MOVE_FIRST, key, value);
    return !rc && past && compare (*key, at) == 0 ? move (s, MOVE_NEXT, key, value) : rc;
}

/* Last key at or below `at`, below it if `past`; the table's last if `at` is empty. */
static int seek_down (cursor_state_t *s, bytes_t at, bool past, bytes_t *key, bytes_t *value)
{
    *key = at;
    int rc = at.size ? move (s, MOVE_SEEK, key, value) : E_NOT_FOUND;
    if (rc == E_NOT_FOUND)
        return move (s, MOVE_LAST, key, value);
    if (rc || (!past && compare (*key, at) == 0))
        return rc;
    return move (s, MOVE_PREV, key, value);
}

/* First key above all with this prefix, into `space`; empty if there is none. */
static bytes_t prefix_end (bytes_t prefix, uint8_t space[KEY_MAX])
{
    size_t n = prefix.size;
    while (n && prefix.data[n - 1] == 0xFF)
        n--;
    if (n) {
        memcpy (space, prefix.data, n);
        space[n - 1]++;
    }
    return bytes_of (space, n);
}

static int seek_start (const kv_cursor_t *c, cursor_state_t *s, bytes_t *key, bytes_t *value)
{
    uint8_t space[KEY_MAX];
    if (!c->reverse) {
        bool inside = c->from.size && compare (c->from, c->prefix) >= 0;
        return seek_up (s, inside ? c->from : c->prefix, inside && c->after, key, value);
    }
    bytes_t end = prefix_end (c->prefix, space);
    bool inside = c->from.size && (!end.size || compare (c->from, end) < 0);
    return inside ? seek_down (s, c->from, c->after, key, value)
                  : seek_down (s, end, true, key, value);
}

static int step (const kv_cursor_t *c, cursor_state_t *s, bytes_t *key, bytes_t *value)
{
    txn_t *txn = s->txn;
    bool changed = !s->handle || s->generation != s->table->generation;
    if (txn->mode != TXN_WRITE)
        changed = false;
    if (s->placed && !changed)
        return move (s, c->reverse ? MOVE_PREV : MOVE_NEXT, key, value);
    if (!s->handle) {
        int rc = txn->store->backend->cursor_open (txn->store->env, txn_handle (txn),
                                                   s->table->handle, &s->handle);
        if (rc)
            return txn_note (txn, rc);
    }
    if (!s->placed)
        return seek_start (c, s, key, value);
    return (c->reverse ? seek_down : seek_up) (s, buf_bytes (&s->last), true, key, value);
}

static int keep_place (cursor_state_t *s, bytes_t key)
{
    s->placed = true;
    if (s->txn->mode != TXN_WRITE)
        return 0;
    s->generation = s->table->generation;
    buf_clear (&s->last);
    buf_add (&s->last, key.data, key.size);
    return buf_failed (&s->last) ? E_NO_MEMORY : 0;
}

int kv_next (txn_t *txn, kv_cursor_t *cursor, bytes_t *key, bytes_t *value)
{
    cursor_state_t *s = cursor->state;
    if (!s) {
        int rc = cursor->prefix.size > KEY_MAX || cursor->from.size > KEY_MAX
                     ? E_TOO_LARGE
                     : table_check (cursor->table);
        if (rc)
            return rc;
        if (!(s = cursor->state = state_new (txn, cursor->table)))
            return E_NO_MEMORY;
    }
    if (s->txn != txn)
        return E_INTERNAL;
    bytes_t k = {0}, v = {0};
    int rc = step (cursor, s, &k, &v);
    if (!rc && !has_prefix (k, cursor->prefix))
        rc = E_NOT_FOUND;
    if (!rc)
        rc = keep_place (s, k);
    if (rc) {
        kv_stop (cursor);
        return rc;
    }
    *key = k;
    *value = v;
    return 0;
}

void kv_stop (kv_cursor_t *cursor)
{
    if (cursor->state)
        state_free (cursor->state);
    cursor->state = NULL;
}
