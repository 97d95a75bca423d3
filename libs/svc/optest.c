/* optest.c - the runtime without threads and bus, for operation tests. See optest.h. */
#include "svc/optest.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "store/memory.h"
#include "svc/again.h"

enum { TEST_MEMORY = 256 << 20, LASTING_MEMORY = 1 << 20, FLAGS_MAX = 32, JOBS_MAX = 4096 };

struct optest_put {
    struct optest_put *next;
    ask_t *ask; /* NULL once taken */
    bool done;
    bool replayed;
    const char *first_request_id;
};

struct optest {
    svc_t svc; /* first: release () and launch () get it */
    const svc_service_t *service;
    memory_options_t memory;
    char folder[128];
    char clock[160];
    char data_flag[160];
    char *argv[FLAGS_MAX + 3];
    int argc;
    char name[16];
    arena_t *arena;
    arena_t *lasting; /* flags: what optest_forget leaves */
    id_source_t ids;
    optest_put_t *puts;
    optest_put_t *last;
    work_t *chain, **chain_end;
    optest_watch_t *watch;
    void *watcher;
    outward_t *jobs[JOBS_MAX];
    size_t job_first, job_count;
};

svc_t *optest_svc (optest_t *self)
{
    return &self->svc;
}

store_t *optest_store (optest_t *self)
{
    return self->svc.store;
}

const keyring_t *optest_keyring (optest_t *self)
{
    return self->svc.keyring;
}

arena_t *optest_arena (optest_t *self)
{
    return self->arena;
}

/* ---- the runtime's two ways out ---- */

static void test_release (svc_t *svc, ask_t *ask)
{
    optest_t *self = (optest_t *) (void *) svc;
    for (optest_put_t *put = self->puts; put; put = put->next) {
        if (put->ask == ask) {
            put->done = true;
            put->replayed = ask->replayed;
            put->first_request_id = arena_strdup (self->arena, ask->first_request_id);
        }
    }
    atomic_fetch_sub (&svc->under_way, 1);
}

static void test_launch (svc_t *svc, outward_t *outward)
{
    optest_t *self = (optest_t *) (void *) svc;
    if (self->job_count < JOBS_MAX)
        self->jobs[(self->job_first + self->job_count++) % JOBS_MAX] = outward;
}

/* ---- life ---- */

/* AVIARY_OPTEST_BACKEND=memory, with AVIARY_OPTEST_SEED for its delays and conflicts. */
static void backend_choose (optest_t *self)
{
    enum { DELAY_IN = 200, CONFLICT_IN = 8 };
    const char *backend = getenv ("AVIARY_OPTEST_BACKEND"), *seed = getenv ("AVIARY_OPTEST_SEED");
    if (!backend || strcmp (backend, backend_memory.name) != 0)
        return;
    self->memory.seed = seed ? strtoull (seed, NULL, 10) : 1;
    self->memory.delay_in = DELAY_IN;
    self->memory.conflict_in = CONFLICT_IN;
    self->svc.backend = &backend_memory;
    self->svc.backend_options = &self->memory;
}

static void watched (optest_t *self, arena_t *ask, bool before)
{
    if (self->watch)
        self->watch (self->watcher, ask, before);
}

static int service_start (optest_t *self, failure_t *failure)
{
    svc_t *svc = &self->svc;
    settings_t *settings = NULL;
    if (svc_open (svc, self->service, self->argc, self->argv))
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory");
    svc->release = test_release;
    svc->launch = test_launch;
    backend_choose (self);
    atomic_store (&svc->log_level, LOG_ERROR);
    int rc = settings_read (svc, &settings, failure);
    if (rc)
        return rc;
    atomic_store (&svc->settings, settings);
    snprintf (svc->data, sizeof svc->data, "%s", self->folder);
    rc = svc_store_open (svc, failure);
    if (!rc && self->service->start)
        rc = self->service->start (svc, &svc->context, failure);
    if (rc || self->service->stateless)
        return rc;
    if (self->watch)
        atomic_store (&svc->log_level, LOG_ERROR + 1);
    watched (self, NULL, true);
    rc = writer_open (svc);
    watched (self, NULL, false);
    svc->journal.since = clock_mono_ms () - 2 * FOLLOWER_LIVE_MS; /* nobody follows, and it knows */
    return rc ? failure_set (failure, rc, NULL, "the first turn failed: %s", error_name (rc)) : 0;
}

static void service_stop (optest_t *self)
{
    svc_t *svc = &self->svc;
    if (atomic_load (&svc->settings) && !self->service->stateless && svc->writer.arena)
        parked_tick (&svc->writer, 0, true);
    while (self->job_count) {
        outward_t *job = optest_job (self);
        outward_destroy (&job);
    }
    for (optest_put_t *put = self->puts; put; put = put->next) {
        if (put->ask)
            ask_free (put->ask);
        put->ask = NULL;
    }
    if (self->service->stop && svc->context)
        self->service->stop (&svc->context);
    svc_close (svc);
}

/* One clock for all tests of a process: its file stays mapped and goes at the end. */
static void clock_path (char *out, size_t size)
{
    const char *base = getenv ("TMPDIR");
    snprintf (out, size, "%.80s/aviary-optest-%d.clock", base && *base ? base : "/tmp",
              (int) getpid ());
}

static void clock_remove (void)
{
    char path[160];
    clock_path (path, sizeof path);
    unlink (path);
}

static void folder_prepare (optest_t *self)
{
    char path[160];
    const char *base = getenv ("TMPDIR");
    snprintf (self->folder, sizeof self->folder, "%.80s/aviary-optest-XXXXXX",
              base && *base ? base : "/tmp");
    if (!mkdtemp (self->folder))
        return;
    static const char *const parts[] = {"run", "keys", "store"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf (path, sizeof path, "%s/%s", self->folder, parts[i]);
        mkdir (path, 0700);
    }
    clock_path (self->clock, sizeof self->clock);
    if (clock_attach (self->clock) == 0) /* the first of this process */
        atexit (clock_remove);
}

static int remove_one (const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void) st, (void) kind, (void) at;
    return remove (path);
}

void optest_destroy (optest_t **self)
{
    optest_t *test = self ? *self : NULL;
    if (!test)
        return;
    service_stop (test);
    nftw (test->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_destroy (&test->arena);
    arena_destroy (&test->lasting);
    free (test);
    *self = NULL;
}

optest_t *optest_new_with (const svc_service_t *service, const char *const *flags)
{
    optest_t *self = calloc (1, sizeof *self);
    failure_t failure = {0};
    if (!self || !(self->arena = arena_new (TEST_MEMORY)) ||
        !(self->lasting = arena_new (LASTING_MEMORY))) {
        if (self)
            arena_destroy (&self->arena);
        free (self);
        return NULL;
    }
    self->service = service;
    self->chain_end = &self->chain;
    snprintf (self->name, sizeof self->name, "optest");
    folder_prepare (self);
    snprintf (self->data_flag, sizeof self->data_flag, "--data=%s", self->folder);
    self->argv[self->argc++] = self->name;
    self->argv[self->argc++] = self->data_flag;
    for (size_t i = 0; flags && flags[i] && self->argc < FLAGS_MAX; i++)
        self->argv[self->argc++] = arena_strdup (self->lasting, flags[i]);
    if (service_start (self, &failure)) {
        fprintf (stderr, "optest: %s\n", failure.text);
        optest_destroy (&self);
    }
    return self;
}

optest_t *optest_new (const svc_service_t *service)
{
    return optest_new_with (service, NULL);
}

int optest_restart (optest_t *self)
{
    return optest_restart_as (self, self->service);
}

int optest_restart_restored (optest_t *self)
{
    char path[sizeof self->svc.data + 128], text[2 * sizeof (id16_t) + 1];
    const char *name = self->service->schema->name;
    id16_t restore = id_next (&self->ids, clock_now_ms ());
    text_write_hex (restore.b, sizeof restore.b, text);
    snprintf (path, sizeof path, "%s/run/%s.started", self->svc.data, name);
    unlink (path);
    snprintf (path, sizeof path, "%s/store/%s/restored", self->svc.data, name);
    FILE *file = fopen (path, "we");
    if (!file || fputs (text, file) < 0 || fclose (file))
        return E_IO;
    return optest_restart (self);
}

static int service_begin (optest_t *self, failure_t *failure)
{
    self->puts = self->last = NULL;
    self->chain = NULL;
    self->chain_end = &self->chain;
    int rc = service_start (self, failure);
    if (rc && !self->watch)
        fprintf (stderr, "optest: %s\n", failure->text);
    return rc;
}

int optest_restart_as (optest_t *self, const svc_service_t *service)
{
    failure_t failure = {0};
    service_stop (self);
    self->service = service;
    return service_begin (self, &failure);
}

/* ---- keeping, watching ---- */

static int file_copy (const char *from, const char *to)
{
    char space[65536];
    size_t got;
    FILE *in = fopen (from, "rb"), *out = in ? fopen (to, "wb") : NULL;
    bool failed = !out;
    while (!failed && (got = fread (space, 1, sizeof space, in)))
        failed = fwrite (space, 1, got, out) != got;
    failed = failed || ferror (in);
    if (in)
        fclose (in);
    if (out && fclose (out))
        failed = true;
    return failed ? E_IO : 0;
}

static void store_paths (const optest_t *self, char data[256], char kept[256])
{
    snprintf (data, 256, "%s/store/%s/data.mdb", self->folder, self->service->schema->name);
    snprintf (kept, 256, "%s/kept.mdb", self->folder);
}

/* Which jobs had begun, where there are any: what the store tells is not all without it. */
static int started_copy (const optest_t *self, bool keep)
{
    char file[256], kept[256];
    snprintf (file, sizeof file, "%s/run/%s.started", self->folder, self->service->schema->name);
    snprintf (kept, sizeof kept, "%s/kept.started", self->folder);
    const char *from = keep ? file : kept, *to = keep ? kept : file;
    if (access (from, F_OK) == 0)
        return file_copy (from, to);
    unlink (to);
    return 0;
}

int optest_keep (optest_t *self)
{
    char data[256], kept[256];
    store_paths (self, data, kept);
    int rc = file_copy (data, kept);
    return rc ? rc : started_copy (self, true);
}

int optest_again (optest_t *self)
{
    char data[256], kept[256];
    failure_t failure = {0};
    store_paths (self, data, kept);
    service_stop (self);
    int rc = file_copy (kept, data);
    if (!rc)
        rc = started_copy (self, false);
    return rc ? rc : service_begin (self, &failure);
}

int optest_empty (optest_t *self)
{
    char data[256], kept[256];
    failure_t failure = {0};
    store_paths (self, data, kept);
    service_stop (self);
    unlink (data);
    return service_begin (self, &failure);
}

void optest_watch (optest_t *self, optest_watch_t *watch, void *context)
{
    self->watch = watch;
    self->watcher = context;
}

static int turn_run (optest_t *self, work_t *chain, arena_t *ask)
{
    watched (self, ask, true);
    int rc = writer_turn (&self->svc, chain);
    watched (self, ask, false);
    return rc;
}

bool optest_is_fatal (optest_t *self)
{
    return atomic_load (&self->svc.fatal) != 0;
}

/* ---- asks ---- */

static const schema_op_t *op_named (const optest_t *self, const char *name)
{
    for (size_t i = 0; i < self->service->schema->op_count; i++)
        if (strcmp (self->service->schema->ops[i].name, name) == 0)
            return &self->service->schema->ops[i];
    return NULL;
}

/* Header strings must outlive the ask: as on the bus, they go into its arena. */
static void header_copy (arena_t *arena, envelope_t *header)
{
    buf_t text = {0};
    envelope_t copy;
    envelope_write (header, &text);
    if (!envelope_read (buf_bytes (&text), arena, &copy, NULL))
        *header = copy;
    buf_free (&text);
}

optest_put_t *optest_put (optest_t *self, const char *op, envelope_t *header, const void *in)
{
    svc_t *svc = &self->svc;
    const schema_op_t *row = op_named (self, op);
    const builtin_t *builtin = row ? NULL : builtin_find (op);
    arena_t *arena = arena_new (ASK_MEMORY);
    optest_put_t *put = arena_new_of (self->arena, optest_put_t);
    if (!put || !arena || (!row && !builtin)) {
        fprintf (stderr, "optest: there is no op %s\n", op);
        arena_destroy (&arena);
        return NULL;
    }
    envelope_t head = header ? *header : (envelope_t){0};
    if (id_is_nil (head.id))
        head.id = id_next (&self->ids, clock_now_ms ());
    if (header)
        header->id = head.id;
    head.kind = ENV_ASK;
    head.target = arena_printf (arena, "%s.%s", self->service->schema->name, op);
    head.sender = head.sender ? head.sender : "edge";
    header_copy (arena, &head);
    buf_t body = buf_in (arena);
    schema_pack (row ? row->in : builtin->in, in, &body);
    put->ask = ask_new (svc, 0, &head, buf_bytes (&body), arena);
    put->next = self->puts;
    self->puts = self->last = put;
    put->ask->op = row ? row : builtin->writes;
    if (row)
        put->ask->slot = (unsigned) (row - self->service->schema->ops);
    bool writes = put->ask->op && (put->ask->op->flags & OP_WRITE);
    if (writes && !self->service->stateless) {
        *self->chain_end = &put->ask->work;
        self->chain_end = (work_t **) (void *) &put->ask->work.item.next;
    } else {
        watched (self, arena, true);
        reader_run (svc, put->ask);
        watched (self, arena, false);
    }
    return put;
}

int optest_turn (optest_t *self)
{
    work_t *chain = self->chain;
    *self->chain_end = NULL;
    self->chain = NULL;
    self->chain_end = &self->chain;
    return turn_run (self, chain,
                     chain && self->last && self->last->ask ? self->last->ask->arena : NULL);
}

int optest_take (optest_t *self, optest_put_t *put, void *out, failure_t *failure)
{
    if (!put || !put->ask)
        return E_INTERNAL;
    ask_t *ask = put->ask;
    if (!put->done)
        return E_PARKED;
    int code = ask->failed ? ask->failure.code : 0;
    if (failure)
        *failure = ask->failed ? ask->failure : (failure_t){0};
    const char *dot = strrchr (ask->header.target, '.');
    const schema_type_t *type = ask->op ? ask->op->out : builtin_find (dot + 1)->out;
    if (!code && out) {
        memset (out, 0, type->size);
        code = schema_unpack (type, ask->answer, self->arena, out, failure);
    }
    put->ask = NULL;
    ask_free (ask);
    return code;
}

void optest_forget (optest_t *self)
{
    self->puts = self->last = NULL;
    arena_reset (self->arena);
}

optest_put_t *optest_last (optest_t *self)
{
    return self->last;
}

bool optest_replayed (const optest_put_t *put, const char **first_request_id)
{
    if (first_request_id)
        *first_request_id = put->first_request_id;
    return put->replayed;
}

int optest_ask (optest_t *self, const char *op, envelope_t *header, const void *in, void *out,
                failure_t *failure)
{
    optest_put_t *put = optest_put (self, op, header, in);
    if (put && !put->done)
        optest_turn (self);
    return optest_take (self, put, out, failure);
}

/* ---- events ---- */

size_t optest_events (optest_t *self, uint64_t after, const common_event_t **out)
{
    txn_t *txn = NULL;
    size_t count = 0, most = 0;
    common_event_t *events = NULL;
    if (txn_begin (self->svc.store, TXN_READ, &txn))
        return 0;
    kv_cursor_t walk = {.table = self->svc.journal.table};
    bytes_t key, value;
    common_event_t e;
    while (!kv_next (txn, &walk, &key, &value)) {
        if (journal_event_read (value, self->arena, &e) || e.sequence <= (int64_t) after)
            continue;
        if (count == most) {
            size_t more = most ? 2 * most : 16;
            common_event_t *bigger = arena_array_of (self->arena, common_event_t, more);
            if (count)
                memcpy (bigger, events, count * sizeof *events);
            events = bigger;
            most = more;
        }
        events[count++] = e;
    }
    kv_stop (&walk);
    txn_abort (&txn);
    *out = events;
    return count;
}

int optest_event_body (optest_t *self, const common_event_t *event, const schema_event_t *type,
                       void *out)
{
    if (event->number != type->number)
        return E_NOT_FOUND;
    memset (out, 0, type->type->size);
    return schema_unpack (type->type, event->body, self->arena, out, NULL);
}

/* ---- jobs ---- */

outward_t *optest_job (optest_t *self)
{
    if (!self->job_count)
        return NULL;
    outward_t *job = self->jobs[self->job_first];
    self->job_first = (self->job_first + 1) % JOBS_MAX;
    self->job_count--;
    return job;
}

static const char *copy_text (arena_t *arena, const char *text)
{
    return text ? arena_strdup (arena, text) : NULL;
}

void optest_job_put (optest_t *self, outward_t *outward, const outcome_t *outcome)
{
    arena_t *arena = outward->arena;
    outward_done_t *done = outward->done;
    done->outcome = *outcome;
    done->outcome.reason = copy_text (arena, outcome->reason);
    done->outcome.headers = copy_text (arena, outcome->headers);
    done->outcome.address = copy_text (arena, outcome->address);
    uint8_t *body =
        arena_alloc (arena, outcome->body.size + 1); /* a NUL after it, as libs/fetch leaves none */
    if (outcome->body.size)
        memcpy (body, outcome->body.data, outcome->body.size);
    done->outcome.body = bytes_of (body, outcome->body.size);
    writer_outward_done (&self->svc, done);
}

int optest_jobs_turn (optest_t *self)
{
    return turn_run (self, (work_t *) (void *) queue_take (self->svc.writer.inbox, 0), NULL);
}

int optest_job_done (optest_t *self, outward_t *outward, const outcome_t *outcome)
{
    optest_job_put (self, outward, outcome);
    return optest_jobs_turn (self);
}

int optest_jobs_all (optest_t *self, int status, size_t *count)
{
    size_t n = 0;
    for (outward_t *job; (job = optest_job (self)); n++) {
        bool waits = job->out.how == OUT_WAIT;
        outcome_t outcome = {.stage = FETCH_ANSWERED,
                             .status = waits ? 0 : status,
                             .body = waits ? job->out.body : (bytes_t){0}};
        optest_job_put (self, job, &outcome);
    }
    if (count)
        *count = n;
    return optest_jobs_turn (self);
}

int optest_job_answered (optest_t *self, outward_t *outward, int status, const char *body)
{
    outcome_t outcome = {
        .stage = FETCH_ANSWERED, .status = status, .body = bytes_of_str (body ? body : "")};
    return optest_job_done (self, outward, &outcome);
}

/* ---- anything in a turn ---- */

int optest_run (optest_t *self, int (*run) (turn_t *t, void *context), void *context)
{
    svc_t *svc = &self->svc;
    writer_t *w = &svc->writer;
    turn_t t;
    turn_inner_t inner;
    int rc, committed;
    w->now = clock_now_ms ();
    watched (self, NULL, true);
    again_start (w, NULL);
    do {
        committed = 0;
        rc = txn_begin (svc->store, TXN_WRITE, &w->txn);
        if (again_take (w, rc)) {
            committed = E_CONFLICT_RETRY;
        } else if (!rc) {
            turn_init (svc, &t, &inner, w->txn, w->arena, NULL, false);
            rc = turn_step (&t, run, context);
            committed = writer_finish (svc);
        }
    } while (committed == E_CONFLICT_RETRY);
    watched (self, NULL, false);
    return rc ? rc : committed;
}

typedef struct following {
    const svc_follow_t *row;
    const journal_event_t *event;
    const void *body;
    failure_t *failure;
    envelope_t header;
} following_t;

static int following_run (turn_t *t, void *context)
{
    following_t *f = context;
    t->ask = &f->header;
    int rc = f->row->apply (t, f->event, f->body);
    if (!rc)
        rc = erase_heard (t, f->row->event, f->body, false);
    if (rc && f->failure)
        *f->failure = t->failure;
    return rc;
}

int optest_follow (optest_t *self, const schema_event_t *event, const event_about_t *about,
                   const void *body, failure_t *failure)
{
    const svc_follow_t *row = NULL;
    for (size_t i = 0; i < self->service->follow_count; i++)
        if (self->service->follows[i].event == event)
            row = &self->service->follows[i];
    if (!row)
        return E_NOT_FOUND;
    buf_t packed = buf_in (self->arena);
    schema_pack (event->type, body, &packed);
    journal_event_t e = {.sequence = 1,
                         .event = event,
                         .at = clock_now_ms (),
                         .id = id_next (&self->ids, clock_now_ms ()),
                         .record = about->record,
                         .version = about->version,
                         .org = about->org,
                         .app = about->app,
                         .test = about->test,
                         .body = buf_bytes (&packed)};
    following_t f = {row, &e, body, failure, {.org = e.org, .app = e.app, .test = e.test}};
    return optest_run (self, following_run, &f);
}

void optest_clock (optest_t *self, int64_t ms)
{
    clock_advance (self->clock, ms);
}

int optest_advance (optest_t *self, int64_t ms)
{
    optest_clock (self, ms);
    return turn_run (self, NULL, NULL);
}
