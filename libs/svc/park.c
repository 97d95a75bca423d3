/* park.c - asks that wait for something outside: kept in the store, resumed in a turn, answered after its commit.
 *
 * A parked row holds the op's number, the header and the packed `in`, sealed (an `in` may hold secrets). It goes when the ask is
 * resumed; its outcome is kept for repeats in the same savepoint. If the owner dies meanwhile the row stays: a repeat attaches to it. */
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

static const char *const purpose = "svc.parked";
static const int64_t PARKED_MS = INT64_C (72) * 3600 * 1000;

id16_t turn_ask_id (const turn_t *t)
{
    return t->inner->ask_id;
}

const void *turn_result (const turn_t *t)
{
    return t->inner->result;
}

int parked_has (turn_t *t, id16_t id)
{
    bytes_t row;
    return kv_get (t->txn, t->svc->writer.parked, bytes_of (id.b, sizeof id.b), &row);
}

void resumed_free (resumed_t *self)
{
    if (!self)
        return;
    buf_free (&self->answer);
    free (self);
}

int park (turn_t *t)
{
    svc_t *svc = t->svc;
    turn_inner_t *inner = t->inner;
    id16_t id = inner->ask_id;
    if (inner->readonly || !inner->op || !(inner->op->flags & OP_PARKS) || id_is_nil (id))
        return fail (t, E_INTERNAL, NULL, "Only an ask of an op that parks can park");
    if (inner->resuming) { /* resumed, and goes on waiting: the row is still there */
        inner->parked = true;
        return E_PARKED;
    }
    if (!svc->keyring)
        return fail (t, E_INTERNAL, NULL, "Parking needs the installation's keys");
    buf_t head = {0}, clear = {0}, row = {0};
    envelope_write (t->ask, &head);
    mp_array (&clear, 3);
    mp_int (&clear, inner->op->number);
    mp_bin (&clear, head.data, head.size);
    mp_bin (&clear, inner->in.data, inner->in.size);
    keyring_seal (svc->keyring, id, purpose, buf_bytes (&clear), &row);
    int rc = buf_failed (&head) || buf_failed (&clear) || buf_failed (&row) ? E_NO_MEMORY : 0;
    if (!rc)
        rc = kv_put (t->txn, svc->writer.parked, bytes_of (id.b, sizeof id.b), buf_bytes (&row));
    if (clear.data)
        sign_wipe (clear.data, clear.size);
    buf_free (&head);
    buf_free (&clear);
    buf_free (&row);
    inner->parked = !rc;
    return rc ? rc : E_PARKED;
}

/* ---- resuming ---- */

typedef struct parked {
    id16_t id;
    const schema_op_t *op;
    envelope_t header;
    bytes_t in;
    bytes_t answer;
} parked_t;

static const schema_op_t *op_numbered (const svc_t *svc, int64_t number)
{
    for (size_t i = 0; i < svc->schema->op_count; i++)
        if (svc->schema->ops[i].number == number)
            return &svc->schema->ops[i];
    return NULL;
}

int parked_open (svc_t *svc, id16_t id, bytes_t row, buf_t *clear)
{
    bool opened = svc->keyring && keyring_open_sealed (svc->keyring, id, purpose, row, clear) == 0;
    return opened ? 0 : E_CORRUPT;
}

static int parked_read (turn_t *t, id16_t id, parked_t *out)
{
    svc_t *svc = t->svc;
    bytes_t row;
    int rc = kv_get (t->txn, svc->writer.parked, bytes_of (id.b, sizeof id.b), &row);
    if (rc)
        return rc;
    buf_t clear = buf_in (t->arena);
    if (parked_open (svc, id, row, &clear))
        return E_CORRUPT;
    mp_reader_t in = mp_read (buf_bytes (&clear));
    mp_read_array (&in);
    out->id = id;
    out->op = op_numbered (svc, mp_read_int (&in));
    bytes_t head = mp_read_bin (&in);
    out->in = mp_read_bin (&in);
    if (in.failed || !out->op || !out->op->resume)
        return E_CORRUPT;
    return envelope_read (head, t->arena, &out->header, NULL) ? E_CORRUPT : 0;
}

/* The op's resume, and its outcome for repeats. */
static int parked_run (turn_t *t, void *context)
{
    parked_t *p = context;
    int code = op_call (t, p->op, p->op->resume, p->in, &p->answer);
    if (code)
        return code;
    int rc = kv_del (t->txn, t->svc->writer.parked, bytes_of (p->id.b, sizeof p->id.b));
    return rc ? rc : outcome_keep (t, p->op, &p->header, KEPT_DONE, p->answer, NULL);
}

/* It failed: its writes are gone, the row goes, the failure is kept. */
static int parked_fail (turn_t *t, void *context)
{
    parked_t *p = context;
    int rc = kv_del (t->txn, t->svc->writer.parked, bytes_of (p->id.b, sizeof p->id.b));
    if (!rc &&
        (!idem_is_keyed (p->op, &p->header) || idem_keeps (&p->header.idem, t->failure.code)))
        rc = outcome_keep (t, p->op, &p->header, KEPT_FAILED, (bytes_t){0}, &t->failure);
    return rc;
}

static int resumed_add (turn_t *t, const parked_t *p, bool failed)
{
    resumed_t *r = calloc (1, sizeof *r);
    if (!r)
        return E_NO_MEMORY;
    r->id = p->id;
    r->op = p->op;
    r->failed = failed;
    r->failure = t->failure;
    r->settle = t->inner->last_event;
    if (!failed)
        buf_add (&r->answer, p->answer.data, p->answer.size);
    if (buf_failed (&r->answer)) {
        resumed_free (r);
        return E_NO_MEMORY;
    }
    r->next = t->svc->writer.resumed;
    t->svc->writer.resumed = r;
    return 0;
}

/* A fault of the store is not an outcome: what called resume () fails with it and comes again. */
static bool is_outcome (int code)
{
    return code != E_IO && code != E_MAP_FULL && code != E_CONFLICT_RETRY;
}

int resume (turn_t *t, id16_t ask_id, const void *result)
{
    parked_t parked = {0};
    int rc = parked_read (t, ask_id, &parked);
    if (rc == E_CORRUPT) /* cannot ever be resumed; its caller has long got a timeout */
        rc = kv_del (t->txn, t->svc->writer.parked, bytes_of (ask_id.b, sizeof ask_id.b))
                 ? E_IO
                 : E_NOT_FOUND;
    if (rc)
        return rc;
    turn_t again;
    turn_inner_t inner;
    turn_init (t->svc, &again, &inner, t->txn, t->arena, &parked.header, false);
    inner.op = parked.op;
    inner.in = parked.in;
    inner.result = result;
    inner.resuming = true;
    int code = turn_step (&again, parked_run, &parked);
    if (code == E_PARKED || (code && !is_outcome (code)))
        return code == E_PARKED ? 0 : code;
    if (code) {
        failure_finish (&again.failure, code);
        rc = turn_step (&again, parked_fail, &parked);
    }
    return rc ? rc : resumed_add (&again, &parked, code != 0);
}

/* ---- sweeping ---- */

/* A job that was dropped never resumes its ask. Ids tell their time, so the oldest rows are the first. */
int parked_sweep (turn_t *t, svc_swept_t *out)
{
    table_t *table = t->svc->writer.parked;
    kv_cursor_t walk = {.table = table};
    bytes_t key, value;
    id16_t id;
    int rc = 0;
    for (int n = 0; n < TURN_ROWS && !(rc = kv_next (t->txn, &walk, &key, &value)); n++) {
        if (key.size != sizeof id.b)
            continue;
        memcpy (id.b, key.data, sizeof id.b);
        out->oldest = id_is_v7 (id) ? id_time_ms (id) : t->now;
        if (id_is_v7 (id) && id_time_ms (id) + PARKED_MS > t->now)
            break;
        rc = kv_del (t->txn, table, bytes_of (id.b, sizeof id.b));
        if (rc)
            break;
        out->rows++;
    }
    kv_stop (&walk);
    if (rc == E_NOT_FOUND)
        out->oldest = 0;
    return rc == E_NOT_FOUND ? 0 : rc;
}
