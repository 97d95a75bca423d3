/* meta.c - what a store says about itself: versions, epoch, index signatures; opening its tables,
 * migrations.
 *
 * store.meta holds written_by and readable_from (schema versions), epoch, created, and under
 * "index/TABLE/NAME" the signature of each index as it was built. An index that is new or changed
 * is built from the rows at open; the signature of one that this program does not know is dropped,
 * so that the program that knows it builds it again. A store is made in one transaction: it is
 * there or not. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "store/private.h"

static uint32_t program_version (const store_t *self)
{
    return self->service ? self->service->version : 0;
}

static int meta_get (txn_t *txn, const char *name, uint64_t *out)
{
    bytes_t value;
    int rc = kv_get (txn, txn->store->meta, bytes_of_str (name), &value);
    if (rc)
        return rc;
    if (value.size != 8)
        return E_CORRUPT;
    *out = 0;
    for (size_t i = 0; i < 8; i++)
        *out = *out << 8 | value.data[i];
    return 0;
}

static int meta_put (txn_t *txn, const char *name, uint64_t number)
{
    uint8_t b[8];
    for (size_t i = 0; i < 8; i++)
        b[i] = (uint8_t) (number >> (56 - 8 * i));
    return kv_put (txn, txn->store->meta, bytes_of_str (name), bytes_of (b, sizeof b));
}

/* ---- epoch ---- */

int store_epoch (txn_t *txn, id16_t *out)
{
    bytes_t value;
    int rc = kv_get (txn, txn->store->meta, bytes_of_str ("epoch"), &value);
    if (rc)
        return rc == E_NOT_FOUND ? E_CORRUPT : rc;
    if (value.size != sizeof out->b)
        return E_CORRUPT;
    memcpy (out->b, value.data, sizeof out->b);
    return 0;
}

int store_new_epoch (txn_t *txn)
{
    id16_t epoch;
    if (getrandom (epoch.b, sizeof epoch.b, 0) != (ssize_t) sizeof epoch.b)
        return E_INTERNAL;
    return kv_put (txn, txn->store->meta, bytes_of_str ("epoch"),
                   bytes_of (epoch.b, sizeof epoch.b));
}

/* ---- versions ---- */

static int version_write (txn_t *txn, uint64_t version)
{
    uint64_t old_version = 0, old_readable = 0,
             readable = txn->store->service ? txn->store->service->readable_from : 0;
    int rc = meta_get (txn, "written_by", &old_version);
    if (rc && rc != E_NOT_FOUND)
        return rc;
    bool fresh = rc == E_NOT_FOUND;
    /* An older program that may still write a newer store leaves it marked as the newer one's. */
    if (fresh || version > old_version)
        rc = meta_put (txn, "written_by", version);
    else
        rc = 0;
    if (!rc)
        rc = meta_get (txn, "readable_from", &old_readable);
    if (rc == E_NOT_FOUND || (!rc && readable > old_readable))
        rc = meta_put (txn, "readable_from", readable);
    return rc;
}

static int store_create (txn_t *txn)
{
    int rc = version_write (txn, program_version (txn->store));
    if (!rc)
        rc = meta_put (txn, "created", (uint64_t) clock_now_ms ());
    return rc ? rc : store_new_epoch (txn);
}

/* E_NOT_FOUND: not made yet. */
static int version_check (txn_t *txn, failure_t *failure)
{
    uint64_t readable, written;
    int rc = meta_get (txn, "written_by", &written);
    if (!rc)
        rc = meta_get (txn, "readable_from", &readable);
    if (rc == E_NOT_FOUND || rc == E_UNAVAILABLE)
        return E_NOT_FOUND;
    if (rc)
        return failure_set (failure, rc, NULL, "the store in %s cannot be read: %s",
                            txn->store->folder, error_name (rc));
    if (readable > program_version (txn->store))
        return failure_set (
            failure, E_CONFLICT, NULL,
            "the store in %s was written by schema version %llu and needs a program of "
            "version %llu or newer; this one is %u",
            txn->store->folder, (unsigned long long) written, (unsigned long long) readable,
            program_version (txn->store));
    return 0;
}

/* ---- indexes ---- */

static void signature_key (const schema_record_t *record, const schema_index_t *index, buf_t *out)
{
    buf_clear (out);
    buf_printf (out, "index/%s/%s", record->table, index->name);
}

static int index_ensure (txn_t *txn, record_table_t *table, size_t n)
{
    const schema_index_t *index = &table->record->indexes[n];
    buf_t key = {0}, signature = {0};
    bytes_t old = {0};
    signature_key (table->record, index, &key);
    index_signature (index, &signature);
    int rc = buf_failed (&key) || buf_failed (&signature)
                 ? E_NO_MEMORY
                 : kv_get (txn, txn->store->meta, buf_bytes (&key), &old);
    if (rc == E_NOT_FOUND || (!rc && !bytes_equal (old, buf_bytes (&signature)))) {
        rc = index_build (txn, table, n);
        if (!rc)
            rc = kv_put (txn, txn->store->meta, buf_bytes (&key), buf_bytes (&signature));
    }
    buf_free (&key);
    buf_free (&signature);
    return rc;
}

static bool signature_known (const store_t *self, bytes_t key)
{
    buf_t have = {0};
    bool known = false;
    for (size_t r = 0; !known && r < self->record_count; r++)
        for (size_t i = 0; !known && i < self->records[r].record->index_count; i++) {
            signature_key (self->records[r].record, &self->records[r].record->indexes[i], &have);
            known = !buf_failed (&have) && bytes_equal (buf_bytes (&have), key);
        }
    buf_free (&have);
    return known;
}

static int signatures_forget (txn_t *txn)
{
    kv_cursor_t c = {.table = txn->store->meta, .prefix = bytes_of_str ("index/")};
    bytes_t key, value;
    uint8_t copy[KEY_MAX];
    int rc;
    while (!(rc = kv_next (txn, &c, &key, &value))) {
        if (signature_known (txn->store, key))
            continue;
        memcpy (copy, key.data, key.size);
        if ((rc = kv_del (txn, txn->store->meta, bytes_of (copy, key.size))))
            break;
    }
    kv_stop (&c);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int indexes_ensure (txn_t *txn, failure_t *failure)
{
    store_t *self = txn->store;
    int rc = signatures_forget (txn);
    for (size_t r = 0; !rc && r < self->record_count; r++)
        for (size_t i = 0; !rc && i < self->records[r].record->index_count; i++)
            if ((rc = index_ensure (txn, &self->records[r], i)))
                failure_set (failure, rc, NULL, "the index %s of %s cannot be built: %s",
                             self->records[r].record->indexes[i].name,
                             self->records[r].record->table, error_name (rc));
    return rc;
}

/* ---- opening ---- */

static int tables_open (store_t *self, void *handle, bool create, bool *fresh)
{
    for (size_t i = 0; i < self->table_count; i++) {
        table_t *t = &self->tables[i];
        if (atomic_load (&t->open))
            continue;
        int rc = self->backend->table (self->env, handle, t->name, create, &t->handle);
        if (rc == E_NOT_FOUND && !create)
            continue;
        if (rc)
            return rc;
        fresh[i] = true;
        atomic_store (&t->open, true);
    }
    return 0;
}

/* Tables opened in a transaction that did not commit are not open. */
static void tables_forget (store_t *self, const bool *fresh)
{
    for (size_t i = 0; i < self->table_count; i++)
        if (fresh[i])
            atomic_store (&self->tables[i].open, false);
}

static int prepare (txn_t *txn, bool *fresh, bool *made, failure_t *failure)
{
    int rc = txn_note (txn, tables_open (txn->store, txn->handle, true, fresh));
    if (rc)
        return failure_set (failure, rc, NULL, "the tables in %s cannot be opened: %s",
                            txn->store->folder, error_name (rc));
    rc = version_check (txn, failure);
    *made = rc == E_NOT_FOUND;
    if (*made && (rc = store_create (txn)))
        return failure_set (failure, rc, NULL, "the store in %s cannot be made: %s",
                            txn->store->folder, error_name (rc));
    if (!rc)
        rc = indexes_ensure (txn, failure);
    /* An opened table stays open only if this commits. */
    txn->writes++;
    return rc;
}

static int migrate_once (store_t *self, const migration_t *m)
{
    txn_t *txn;
    int rc = txn_begin_any (self, &txn);
    if (rc)
        return rc;
    rc = m ? m->run (txn) : 0;
    if (!rc)
        rc = version_write (txn, m ? m->to : program_version (self));
    if (rc && txn_conflicted (txn))
        rc = E_CONFLICT_RETRY;
    if (rc)
        txn_abort (&txn);
    else
        rc = txn_commit (&txn);
    return rc;
}

static int migrate_to (store_t *self, const migration_t *m, failure_t *failure)
{
    unsigned tries = 0;
    int rc;
    do
        rc = migrate_once (self, m);
    while (txn_again (rc, &tries));
    return rc ? failure_set (failure, rc, NULL, "the migration of %s to version %u failed: %s",
                             self->folder, m ? m->to : program_version (self), error_name (rc))
              : 0;
}

static int migrate (store_t *self, failure_t *failure)
{
    uint64_t written = 0;
    txn_t *txn = NULL;
    int rc = txn_begin (self, TXN_READ, &txn);
    if (!rc)
        rc = meta_get (txn, "written_by", &written);
    if (rc)
        failure_set (failure, rc, NULL, "the store in %s cannot be read: %s", self->folder,
                     error_name (rc));
    txn_abort (&txn);
    uint64_t last = 0;
    for (size_t i = 0; !rc && i < self->migration_count; i++) {
        const migration_t *m = &self->migrations[i];
        if (m->to <= last || m->to > program_version (self))
            return failure_set (failure, E_INTERNAL, NULL, "the migrations of %s are not in order",
                                self->folder);
        last = m->to;
        if (m->to > written)
            rc = migrate_to (self, m, failure);
    }
    return rc ? rc : migrate_to (self, NULL, failure);
}

static int prepare_once (store_t *self, bool *fresh, bool *made, failure_t *failure)
{
    txn_t *txn;
    int rc = txn_begin_any (self, &txn);
    if (rc)
        return failure_set (failure, rc, NULL, "the store in %s cannot be written: %s",
                            self->folder, error_name (rc));
    rc = prepare (txn, fresh, made, failure);
    if (rc && txn_conflicted (txn))
        rc = E_CONFLICT_RETRY;
    if (rc)
        txn_abort (&txn);
    else if ((rc = txn_commit (&txn)))
        failure_set (failure, rc, NULL, "the store in %s cannot be written: %s", self->folder,
                     store_error (self));
    if (rc)
        tables_forget (self, fresh);
    return rc;
}

int meta_open_owner (store_t *self, failure_t *failure)
{
    unsigned tries = 0;
    bool made = false;
    bool *fresh = calloc (self->table_count, sizeof *fresh);
    int rc;
    if (!fresh)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory to open the store");
    do {
        memset (fresh, 0, self->table_count * sizeof *fresh);
        if (failure)
            *failure = (failure_t){0};
        rc = prepare_once (self, fresh, &made, failure);
    } while (txn_again (rc, &tries));
    free (fresh);
    if (!rc && made && host_sync_folder (self->folder))
        return failure_set (failure, E_IO, NULL, "the folder %s cannot be flushed to disk",
                            self->folder);
    return rc ? rc : migrate (self, failure);
}

/* Open what is there. */
static int tables_look (store_t *self)
{
    void *handle;
    bool *fresh = calloc (self->table_count, sizeof *fresh);
    int rc = fresh ? self->backend->begin (self->env, false, &handle) : E_NO_MEMORY;
    if (!rc) {
        rc = tables_open (self, handle, false, fresh);
        if (rc)
            self->backend->abort (handle);
        else
            rc = self->backend->commit (self->env, handle);
        if (rc)
            tables_forget (self, fresh);
    }
    free (fresh);
    return rc;
}

int meta_open_other (store_t *self, failure_t *failure)
{
    int rc = tables_look (self);
    txn_t *txn;
    if (!rc)
        rc = txn_begin (self, TXN_READ, &txn);
    if (rc)
        return failure_set (failure, rc == E_NOT_FOUND ? E_CORRUPT : rc, NULL,
                            "the store in %s cannot be read: %s", self->folder, error_name (rc));
    rc = version_check (txn, failure);
    txn_abort (&txn);
    return rc;
}

/* ---- beside an owner of another version ---- */

static bool index_is_current (txn_t *txn, const schema_record_t *record, size_t n)
{
    buf_t key = {0}, signature = {0};
    bytes_t have = {0};
    signature_key (record, &record->indexes[n], &key);
    index_signature (&record->indexes[n], &signature);
    bool current = !buf_failed (&key) && !buf_failed (&signature) &&
                   !kv_get (txn, txn->store->meta, buf_bytes (&key), &have) &&
                   bytes_equal (have, buf_bytes (&signature));
    buf_free (&key);
    buf_free (&signature);
    return current;
}

static bool tables_are_open (const store_t *self)
{
    for (size_t i = 0; i < self->table_count; i++)
        if (!atomic_load (&self->tables[i].open))
            return false;
    return true;
}

static bool indexes_are_current (store_t *self)
{
    txn_t *txn;
    bool current = !txn_begin (self, TXN_READ, &txn);
    for (size_t r = 0; current && r < self->record_count; r++)
        for (size_t i = 0; current && i < self->records[r].record->index_count; i++)
            current = index_is_current (txn, self->records[r].record, i);
    txn_abort (&txn);
    return current;
}

bool store_is_current (store_t *self)
{
    if (atomic_load (&self->owner))
        return true;
    if (pthread_mutex_trylock (&self->own_lock))
        return false; /* it is just being taken over */
    bool current = tables_are_open (self) || (!tables_look (self) && tables_are_open (self));
    current = atomic_load (&self->owner) || (current && indexes_are_current (self));
    pthread_mutex_unlock (&self->own_lock);
    return current;
}
