/* store.c - opening and closing a store, ownership, errors kept for people.
 *
 * Opening takes the ownership if it is free. Else the store must exist; one that its owner is just
 * making is waited for, a few seconds. What fails at open leaves nothing open. After a failed
 * commit the store refuses writes until it is opened anew. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/private.h"

enum { READERS_DEFAULT = 512, TABLES_SPARE = 16, WAIT_MS = 5000, POLL_MS = 5 };

/* ---- tables ---- */

static size_t tables_needed (const store_config_t *config)
{
    size_t n = 2;
    for (const char *const *t = config->tables; t && *t; t++)
        n++;
    for (size_t r = 0; config->service && r < config->service->record_count; r++)
        n += 1 + config->service->records[r]->index_count;
    return n;
}

static table_t *table_add (store_t *self, const char *name, const char *index)
{
    table_t *t = &self->tables[self->table_count];
    if (store_table (self, name) && !index)
        return NULL;
    size_t size = strlen (name) + (index ? strlen (index) + 1 : 0) + 1;
    if (!(t->name = malloc (size)))
        return NULL;
    snprintf (t->name, size, "%s%s%s", name, index ? "/" : "", index ? index : "");
    t->key_max = KEY_MAX;
    self->table_count++;
    return t;
}

/* Bit of a field in its type. */
static uint64_t field_bit (const schema_type_t *type, const schema_field_t *field)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].number == field->number)
            return UINT64_C (1) << i;
    return 0;
}

static int record_add (store_t *self, const schema_record_t *record)
{
    record_table_t *t = &self->records[self->record_count++];
    t->record = record;
    t->rows = table_add (self, record->table, NULL);
    t->indexes = calloc (record->index_count + 1, sizeof *t->indexes);
    if (!t->rows || !t->indexes)
        return E_NO_MEMORY;
    t->indexed = field_bit (record->type, record->id);
    for (size_t i = 0; i < record->index_count; i++) {
        const schema_index_t *index = &record->indexes[i];
        for (size_t f = 0; f < index->count; f++) {
            if (!index_kind_ok (index->fields[f]->kind))
                return E_INTERNAL;
            t->indexed |= field_bit (record->type, index->fields[f]);
        }
        if (!(t->indexes[i] = table_add (self, record->table, index->name)))
            return E_NO_MEMORY;
    }
    return 0;
}

static int tables_declare (store_t *self, const store_config_t *config)
{
    size_t records = config->service ? config->service->record_count : 0;
    self->tables = calloc (tables_needed (config), sizeof *self->tables);
    self->records = calloc (records + 1, sizeof *self->records);
    if (!self->tables || !self->records)
        return E_NO_MEMORY;
    self->meta = table_add (self, "store.meta", NULL);
    self->counts = table_add (self, "store.count", NULL);
    if (!self->meta || !self->counts)
        return E_NO_MEMORY;
    self->counts->key_max = COUNTER_MAX;
    for (const char *const *t = config->tables; t && *t; t++)
        if (!table_add (self, *t, NULL))
            return E_INTERNAL;
    int rc = 0;
    for (size_t r = 0; !rc && r < records; r++)
        rc = record_add (self, config->service->records[r]);
    return rc;
}

table_t *store_table (store_t *self, const char *name)
{
    for (size_t i = 0; i < self->table_count; i++)
        if (strcmp (self->tables[i].name, name) == 0)
            return &self->tables[i];
    return NULL;
}

record_table_t *store_record (store_t *self, const schema_record_t *record)
{
    for (size_t i = 0; i < self->record_count; i++)
        if (self->records[i].record == record)
            return &self->records[i];
    return NULL;
}

/* ---- open ---- */

static store_t *store_new (const store_config_t *config)
{
    store_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->backend = config->backend ? config->backend : &backend_lmdb;
    self->host_fd = self->owner_fd = -1;
    self->service = config->service;
    self->migrations = config->migrations;
    self->migration_count = config->migration_count;
    pthread_mutexattr_t attr;
    pthread_mutexattr_init (&attr);
    pthread_mutexattr_settype (&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init (&self->write_lock, &attr);
    pthread_mutexattr_destroy (&attr);
    pthread_mutex_init (&self->own_lock, NULL);
    pthread_mutex_init (&self->pool_lock, NULL);
    self->folder = strdup (config->folder);
    return self;
}

static int env_open (store_t *self, const store_config_t *config, failure_t *failure)
{
    backend_options_t options = {
        .folder = self->folder,
        .map_size = config->map_size ? config->map_size : STORE_MAP_SIZE,
        .readers = config->readers ? config->readers : READERS_DEFAULT,
        .tables = (unsigned) self->table_count + TABLES_SPARE,
        .no_sync = config->no_sync,
        .own = config->backend_options,
    };
    return self->env ? 0 : self->backend->open (&options, &self->env, failure);
}

/* One attempt, as owner if that is free. E_NOT_FOUND: another owns a store that is not made yet. */
static int store_enter (store_t *self, const store_config_t *config, failure_t *failure)
{
    bool owner = !config->observe && host_owner_try (self);
    if (!owner && !self->backend->exists (self->folder))
        return E_NOT_FOUND;
    int rc = env_open (self, config, failure);
    if (!rc)
        rc = owner ? meta_open_owner (self, failure) : meta_open_other (self, failure);
    if (!rc && owner)
        atomic_store (&self->owner, true);
    return rc;
}

static int store_start (store_t *self, const store_config_t *config, failure_t *failure)
{
    int rc = tables_declare (self, config);
    if (rc)
        return failure_set (
            failure, rc, NULL, "%s",
            rc == E_INTERNAL
                ? "a table is declared twice or an index field has a kind without order"
                : "no memory to open the store");
    rc = host_folder (self->folder, failure);
    if (!rc && !config->observe && !self->backend->is_open (self->folder))
        compact_if_wanted (self->backend, self->folder, config->map_size);
    if (!rc && self->backend->is_open (self->folder))
        rc = failure_set (failure, E_CONFLICT, NULL,
                          "the store in %s is already open in this process", self->folder);
    if (!rc)
        rc = host_enter (self, failure);
    if (!rc)
        rc = host_owner_open (self, failure);
    if (rc)
        return rc;
    int64_t end = clock_mono_ms () + (config->observe ? 0 : WAIT_MS);
    while ((rc = store_enter (self, config, failure)) == E_NOT_FOUND && clock_mono_ms () < end)
        nanosleep (&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    return rc == E_NOT_FOUND
               ? failure_set (failure, E_IO, NULL, "there is no store in %s", self->folder)
               : rc;
}

int store_open (const store_config_t *config, store_t **out, failure_t *failure)
{
    store_t *self = store_new (config);
    if (!self || !self->folder) {
        store_close (&self);
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory to open the store");
    }
    int rc = store_start (self, config, failure);
    if (rc)
        store_close (&self);
    else
        *out = self;
    return rc;
}

void store_close (store_t **self)
{
    store_t *s = self ? *self : NULL;
    if (!s)
        return;
    for (txn_t *t; (t = s->idle);) {
        s->idle = t->next;
        s->backend->abort (t->handle);
        txn_free (t);
    }
    txn_free (s->spare);
    if (s->env)
        s->backend->close (s->env);
    if (s->owner_fd >= 0)
        close (s->owner_fd);
    if (s->host_fd >= 0)
        close (s->host_fd);
    for (size_t i = 0; i < s->table_count; i++)
        free (s->tables[i].name);
    for (size_t i = 0; i < s->record_count; i++)
        free (s->records[i].indexes);
    free (s->tables);
    free (s->records);
    free (s->folder);
    pthread_mutex_destroy (&s->own_lock);
    pthread_mutex_destroy (&s->write_lock);
    pthread_mutex_destroy (&s->pool_lock);
    free (s);
    *self = NULL;
}

/* ---- ownership ---- */

/* Take the flock if it is free and make the store ready to write. */
static int owner_settle (store_t *self)
{
    failure_t failure = {0};
    pthread_mutex_lock (&self->own_lock);
    int rc = 0;
    if (!atomic_load (&self->owner)) {
        rc = host_owner_try (self) ? meta_open_owner (self, &failure) : E_NOT_OWNER;
        if (!rc)
            atomic_store (&self->owner, true);
        else if (rc != E_NOT_OWNER)
            flock (self->owner_fd, LOCK_UN);
    }
    pthread_mutex_unlock (&self->own_lock);
    if (rc && rc != E_NOT_OWNER)
        store_note_error (self, rc, failure.text, false);
    return rc;
}

int store_own (store_t *self)
{
    if (atomic_load (&self->owner))
        return 0;
    return owner_settle (self);
}

int store_await_owner (store_t *self)
{
    int rc = store_own (self);
    while (rc == E_NOT_OWNER) {
        if (flock (self->owner_fd, LOCK_EX))
            return errno == EINTR ? E_NOT_OWNER : E_IO;
        rc = owner_settle (self); /* E_NOT_OWNER: another thread of ours gave it up meanwhile */
    }
    return rc;
}

void store_disown (store_t *self)
{
    if (atomic_load (&self->writer) == (uintptr_t) pthread_self ())
        return;
    pthread_mutex_lock (&self->own_lock);
    pthread_mutex_lock (&self->write_lock);
    if (atomic_exchange (&self->owner, false))
        flock (self->owner_fd, LOCK_UN);
    pthread_mutex_unlock (&self->write_lock);
    pthread_mutex_unlock (&self->own_lock);
}

bool store_is_owner (const store_t *self)
{
    return atomic_load (&self->owner);
}

/* ---- errors, space ---- */

void store_note_error (store_t *self, int code, const char *what, bool fatal)
{
    char text[ERROR_SIZE] = "";
    uint64_t free_bytes = 0, used;
    if (code == E_CONFLICT_RETRY) /* nothing is wrong */
        return;
    self->backend->error_text (self->env, text, sizeof text);
    bool space = code == E_IO && store_space (self, &free_bytes, &used) == 0;
    char *to = fatal ? self->error_fatal : self->error;
    pthread_mutex_lock (&self->pool_lock);
    if (!*to && space)
        snprintf (to, ERROR_SIZE, "%s: %s: %.100s (%llu bytes free on the disk)", what,
                  error_name (code), text, (unsigned long long) free_bytes);
    else if (!*to)
        snprintf (to, ERROR_SIZE, "%s: %s: %.100s", what, error_name (code), text);
    pthread_mutex_unlock (&self->pool_lock);
}

const char *store_error (const store_t *self)
{
    pthread_mutex_t *lock = (pthread_mutex_t *) (uintptr_t) &self->pool_lock;
    pthread_mutex_lock (lock);
    const char *text = *self->error_fatal ? self->error_fatal : self->error;
    pthread_mutex_unlock (lock);
    return text;
}

int store_space (store_t *self, uint64_t *free_bytes, uint64_t *used_bytes)
{
    struct statvfs fs;
    if (statvfs (self->folder, &fs))
        return E_IO;
    int rc = self->backend->used_bytes (self->env, used_bytes);
    if (!rc)
        *free_bytes = (uint64_t) fs.f_bavail * fs.f_frsize;
    return rc;
}

int store_check_readers (store_t *self)
{
    return self->backend->check_readers (self->env);
}

unsigned store_fail_write (store_t *self, unsigned nth)
{
    return atomic_exchange (&self->fail_write, nth);
}

void store_fail_commit (store_t *self, bool fail)
{
    atomic_store (&self->fail_commit, fail);
}
