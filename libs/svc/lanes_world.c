/* lanes_world.c - see lanes_world.h. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svc/lanes_world.h"

/* ---- what the runtime gives ---- */

static world_t *world_of (const turn_t *t)
{
    return t->context;
}

lanes_t *turn_lanes (const turn_t *t)
{
    return world_of (t)->lanes;
}

id16_t turn_id (turn_t *t)
{
    return id_next (&world_of (t)->ids, t->now);
}

int turn_step (turn_t *t, int (*run) (turn_t *t, void *context), void *context)
{
    jmp_buf trap;
    jmp_buf *volatile before = arena_trap (t->arena, &trap);
    size_t mark = lanes_mark (world_of (t)->lanes);
    volatile int rc = txn_savepoint (t->txn);
    assert_int_equal (rc, 0);
    rc = E_NO_MEMORY;
    if (setjmp (trap) == 0)
        rc = run (t, context);
    arena_trap (t->arena, before);
    if (rc) {
        txn_rollback (t->txn);
        lanes_rewind (world_of (t)->lanes, mark);
        return rc;
    }
    return txn_release (t->txn);
}

/* ---- kinds ---- */

#define FIELD(n, f, k)                                                                             \
    {                                                                                              \
        .name = #f, .number = (n), .has_bit = (n) -1, .offset = offsetof (body_t, f), .kind = (k), \
        .min = INT64_MIN, .max = INT64_MAX                                                         \
    }

static const schema_field_t fields[] = {FIELD (1, n, SK_INT), FIELD (2, act, SK_INT),
                                        FIELD (3, wait, SK_INT), FIELD (4, note, SK_STR)};
static const schema_type_t body_type = {.name = "test.body",
                                        .fields = fields,
                                        .field_count = 4,
                                        .size = sizeof (body_t),
                                        .unknown_offset = -1,
                                        .test_offset = -1};

static void note_line (world_t *w, char what, const job_t *job, int code, int status)
{
    const body_t *body = job->body;
    if (w->log_count < LOG_MAX)
        w->log[w->log_count++] = (line_t){what, body->n, job->tries, code, status};
}

static int begin (turn_t *t, job_t *job, outbound_t *out)
{
    const body_t *body = job->body;
    note_line (world_of (t), 'b', job, 0, 0);
    if (body->act == ACT_FAIL)
        return failure_set (&t->failure, E_INTERNAL, "", "told to fail");
    if (body->act == ACT_OVERFLOW)
        arena_alloc (t->arena, 1 << 30);
    out->how = body->act == ACT_NOTHING ? OUT_NOTHING : body->act == ACT_DROP ? OUT_DROP : OUT_HTTP;
    out->request.url = arena_printf (t->arena, "%lld", (long long) body->n);
    return 0;
}

static int finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    world_t *w = world_of (t);
    body_t *body = job->body;
    note_line (w, 'f', job, outcome->code, outcome->status);
    if (outcome->status == 599)
        return failure_set (&t->failure, E_INTERNAL, "", "told to fail");
    if (body->act == ACT_CHAIN && outcome->status == 200) {
        body_t next = {.n = body->n + 1000};
        return add (w, job->kind, 1, 1, "chain", next, 0);
    }
    if (outcome->status < 500)
        return 0;
    body->note = "tried";
    return job_retry (t, job, body->wait ? t->now + body->wait : 0);
}

static void policy (turn_t *t, id16_t group, job_policy_t *out)
{
    (void) group;
    *out = world_of (t)->policy;
}

static bool is_about (turn_t *t, const job_t *job, const char *number)
{
    (void) t;
    return ((const body_t *) job->body)->n == atoll (number);
}

const job_kind_t kind_send = {.name = "send",
                              .number = 1,
                              .type = &body_type,
                              .retry_holds_lane = true,
                              .begin = begin,
                              .finish = finish,
                              .policy = policy,
                              .is_about = is_about};
const job_kind_t kind_hook = {.name = "hook",
                              .number = 2,
                              .type = &body_type,
                              .repeatable = true,
                              .begin = begin,
                              .finish = finish,
                              .policy = policy};
static const job_kind_t *const kinds[] = {&kind_send, &kind_hook};

/* ---- the world ---- */

static const schema_service_t service = {.name = "test", .version = 1, .readable_from = 1};

static int remove_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st, (void) type, (void) ftw;
    return remove (path);
}

static void quarantined (void *context, const char *kind, id16_t job, const char *reason)
{
    world_t *w = context;
    (void) kind, (void) job;
    w->buried++;
    snprintf (w->reason, sizeof w->reason, "%s", reason);
}

id16_t id_of (unsigned n)
{
    id16_t id = {{0}};
    id.b[0] = 0x77;
    id.b[14] = (uint8_t) (n >> 8);
    id.b[15] = (uint8_t) n;
    return id;
}

void turn_open (world_t *w)
{
    w->turn = (turn_t){.now = w->now, .arena = w->arena, .context = w};
    assert_int_equal (txn_begin (w->store, TXN_WRITE, &w->turn.txn), 0);
}

static void launch (void *context, outward_t *outward)
{
    world_t *w = context;
    if (w->out_count < LOG_MAX)
        w->out[w->out_count++] = outward;
    else
        outward_destroy (&outward);
}

int turn_close (world_t *w, unsigned most)
{
    int rc = lanes_claim (w->lanes, &w->turn, most);
    w->writes = txn_writes (w->turn.txn);
    if (!rc)
        rc = txn_commit (&w->turn.txn);
    else
        txn_abort (&w->turn.txn);
    if (rc)
        lanes_aborted (w->lanes);
    else
        lanes_committed (w->lanes, launch, w);
    arena_reset (w->arena);
    return rc;
}

void turn_abort (world_t *w, unsigned most)
{
    lanes_claim (w->lanes, &w->turn, most);
    txn_abort (&w->turn.txn);
    lanes_aborted (w->lanes);
    arena_reset (w->arena);
}

void world_open (world_t *w)
{
    failure_t failure = {0};
    lanes_config_t config = {.kinds = kinds,
                             .kind_count = 2,
                             .started_path = w->started,
                             .outward_max = w->outward_max,
                             .quarantined = quarantined,
                             .context = w};
    assert_int_equal (lanes_new (&config, w->store, &w->lanes, &failure), 0);
    turn_open (w);
    assert_int_equal (lanes_load (w->lanes, &w->turn), 0);
    assert_int_equal (txn_commit (&w->turn.txn), 0);
    lanes_committed (w->lanes, launch, w);
    arena_reset (w->arena);
}

void world_close (world_t *w)
{
    forget (w);
    lanes_destroy (&w->lanes);
}

int world_new (void **state)
{
    world_t *w = calloc (1, sizeof *w);
    failure_t failure = {0};
    if (!w)
        return -1;
    *state = w;
    snprintf (w->folder, sizeof w->folder, "/tmp/aviary-lanes-XXXXXX");
    if (!mkdtemp (w->folder))
        return -1;
    snprintf (w->started, sizeof w->started, "%s/test.started", w->folder);
    char folder[96];
    snprintf (folder, sizeof folder, "%s/store", w->folder);
    store_config_t config = {.folder = folder,
                             .service = &service,
                             .tables = lanes_tables,
                             .map_size = 1 << 28,
                             .no_sync = true};
    if (store_open (&config, &w->store, &failure) || store_own (w->store)) {
        print_error ("%s\n", failure.text);
        return -1;
    }
    w->arena = arena_new (1 << 20);
    w->now = 1000000;
    world_open (w);
    return 0;
}

int world_free (void **state)
{
    world_t *w = *state;
    world_close (w);
    store_close (&w->store);
    arena_destroy (&w->arena);
    nftw (w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free (w);
    return 0;
}

int add (world_t *w, const job_kind_t *kind, unsigned tenant, unsigned group, const char *lane,
         body_t body, int64_t due)
{
    return job_add (&w->turn,
                    &(job_new_t){.kind = kind,
                                 .tenant = id_of (tenant),
                                 .group = id_of (group),
                                 .lane = lane,
                                 .due = due,
                                 .body = &body},
                    NULL);
}

int answer_with (world_t *w, size_t i, const outcome_t *outcome)
{
    outward_done_t *done = w->out[i]->done;
    done->outcome = *outcome;
    return lanes_finish (w->lanes, &w->turn, done);
}

int answer (world_t *w, size_t i, int status)
{
    return answer_with (w, i, &(outcome_t){.stage = FETCH_ANSWERED, .status = status});
}

int64_t out_n (const world_t *w, size_t i)
{
    return atoll (w->out[i]->out.request.url);
}

unsigned count_log (const world_t *w, char what)
{
    unsigned count = 0;
    for (size_t i = 0; i < w->log_count; i++)
        count += w->log[i].what == what;
    return count;
}

void forget (world_t *w)
{
    for (size_t i = 0; i < w->out_count; i++)
        outward_destroy (&w->out[i]);
    w->out_count = w->log_count = 0;
}

uint64_t rows (world_t *w, const char *table)
{
    txn_t *txn;
    uint64_t count = 0;
    assert_int_equal (txn_begin (w->store, TXN_READ, &txn), 0);
    assert_int_equal (kv_count (txn, store_table (w->store, table), &count), 0);
    txn_abort (&txn);
    return count;
}

/* ---- the check ---- */

static unsigned due_of (world_t *w, txn_t *txn, job_place_t at)
{
    kv_cursor_t cursor = {.table = store_table (w->store, "due")};
    bytes_t key, value;
    unsigned count = 0;
    while (!kv_next (txn, &cursor, &key, &value))
        if (u64_read (key.data + 24) == at.lane) {
            assert_int_equal (value.size, DUE_SIZE);
            assert_true (u64_read (value.data) == at.seq);
            count++;
        }
    return count;
}

static unsigned claims_of (world_t *w, txn_t *txn, job_place_t at, uint32_t tries)
{
    kv_cursor_t cursor = {.table = store_table (w->store, "claimed")};
    bytes_t key, value;
    unsigned count = 0;
    while (!kv_next (txn, &cursor, &key, &value))
        for (size_t i = 0; i < value.size; i += CLAIM_SIZE) {
            job_claim_t claim = job_claim_read (value.data + i);
            count += claim.at.lane == at.lane && claim.at.seq == at.seq && claim.tries == tries + 1;
        }
    return count;
}

static bool is_named (const world_t *w, uint64_t name, uint64_t lane)
{
    hints_walk_t walk = {0};
    uint64_t number = 0;
    while (number != lane && hints_next (&w->lanes->names, name, &walk, &number))
        ;
    return number == lane;
}

void world_check (world_t *w)
{
    txn_t *txn;
    kv_cursor_t cursor = {.table = store_table (w->store, "jobs")};
    bytes_t key, value;
    uint64_t lane = 0, lanes = 0, named = 0, waiting = 0;
    assert_int_equal (txn_begin (w->store, TXN_READ, &txn), 0);
    while (!kv_next (txn, &cursor, &key, &value)) {
        job_place_t at = job_key_read (key);
        job_row_t row;
        assert_true (job_row_read (value, &row));
        bool first = at.lane != lane;
        lane = at.lane;
        waiting++;
        if (!first)
            continue;
        unsigned due = due_of (w, txn, at), claims = claims_of (w, txn, at, row.tries);
        assert_int_equal (due + claims, 1);
        waiting -= claims;
        lanes += due;
        named += row.lane.size > 0;
        assert_true (!row.lane.size || is_named (w, lane_name (row.group, row.lane), at.lane));
    }
    txn_abort (&txn);
    assert_int_equal (rows (w, "due"), lanes);
    assert_int_equal (w->lanes->names.count, named);
    if (!w->lanes->counting) {
        uint64_t gauge, open;
        int64_t oldest;
        lanes_gauges (w->lanes, w->now, &gauge, &oldest, &open);
        assert_int_equal (gauge, waiting);
    }
}
