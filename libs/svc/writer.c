/* writer.c - the thread of turns: drain, one transaction, commit, then release.
 *
 * Nothing that a turn says leaves before its commit, so one that met a conflict of the store is run again (again.h). A handler that fails
 * loses only its own writes. A commit that fails answers all of the turn with 503 and asks the process to end (exit 74): the store must be
 * opened anew, and the supervisor starts at once. */
#include <stdlib.h>

#include "svc/again.h"
#include "svc/outward.h"

enum {
    OWN_POLL_MS = 20,
    IDLE_MS = 1000,
    IDLE_TEST_MS = 50,
    CROWD_LEAST = 5,
    COMMITS_AVERAGED = 8,
    PATIENCE_MOST_US = 1000,
    EVENT_KEPT = 256 << 10
};

/* What came of a job, on its way into a turn. */
typedef struct outward_work {
    work_t work;
    outward_done_t *done;
} outward_work_t;

/* ---- answers ---- */

void writer_answer (writer_t *w, ask_t *ask)
{
    ask->work.item.next = NULL;
    *w->answered_end = ask;
    w->answered_end = (ask_t **) (void *) &ask->work.item.next;
}

static void answer_release (writer_t *w, ask_t *ask)
{
    if (!ask->failed && !ask->settle)
        ask->settle = w->sequence;
    settle_hold (w->svc, ask);
}

void parked_wait (writer_t *w, ask_t *ask, int64_t until)
{
    ask->until = until;
    ask->work.item.next = w->waiting ? &w->waiting->work.item : NULL;
    w->waiting = ask;
    if (!ask->credited)
        atomic_fetch_add (&w->svc->credit, 1);
    ask->credited = true;
    atomic_fetch_add (&w->svc->metrics.parked_waiting, 1);
}

/* Take those out of the waiting that `pick` wants. */
static ask_t *parked_take (writer_t *w, bool (*pick) (const ask_t *ask, const void *context),
                           const void *context)
{
    ask_t *taken = NULL, **link = &w->waiting;
    while (*link) {
        ask_t *ask = *link;
        if (!pick (ask, context)) {
            link = (ask_t **) (void *) &ask->work.item.next;
            continue;
        }
        *link = (ask_t *) (void *) ask->work.item.next;
        ask->work.item.next = taken ? &taken->work.item : NULL;
        taken = ask;
        atomic_fetch_sub (&w->svc->metrics.parked_waiting, 1);
    }
    return taken;
}

static bool is_over (const ask_t *ask, const void *now)
{
    return ask->until <= *(const int64_t *) now;
}

static bool waits_for (const ask_t *ask, const void *id)
{
    return id_equal (ask->parked, *(const id16_t *) id);
}

void parked_tick (writer_t *w, int64_t now, bool all)
{
    int64_t until = all ? INT64_MAX : now;
    ask_t *chain = w->waiting ? parked_take (w, is_over, &until) : NULL;
    while (chain) {
        ask_t *ask = chain;
        chain = (ask_t *) (void *) ask->work.item.next;
        int code = all ? E_REPLICA_LOST : ask->twin ? E_IDEMPOTENCY_RUNNING : E_TIMEOUT;
        ask_fail (ask, code, "%s", error_doc (code));
    }
}

/* ---- an ask in a turn ---- */

static int find_run (turn_t *t, void *ask)
{
    return outcome_find (t, ask);
}

static int ask_run (turn_t *t, void *context)
{
    ask_t *ask = context;
    uint64_t before = txn_writes (t->txn);
    int code = op_call (t, ask->op, ask->op->handler, ask->body, &ask->answer);
    if (code == E_PARKED && !t->inner->parked)
        return fail (t, E_INTERNAL, NULL, "%s parked without park ()", ask->op->name);
    if (code && code != E_PARKED)
        return code;
    int rc = 0;
    if (code == E_PARKED)
        rc = outcome_keep (t, ask->op, &ask->header, KEPT_RUNNING, (bytes_t){0}, NULL);
    else if (txn_writes (t->txn) != before || idem_is_keyed (ask->op, &ask->header))
        rc = outcome_keep (t, ask->op, &ask->header, KEPT_DONE, ask->answer, NULL);
    return rc ? rc : code;
}

/* In place of what failed. */
static int ask_keep_failure (turn_t *t, void *context)
{
    ask_t *ask = context;
    return outcome_keep (t, ask->op, &ask->header, KEPT_FAILED, (bytes_t){0}, &ask->failure);
}

static int ask_refused (svc_t *svc, const ask_t *ask)
{
    if (clock_mono_ms () >= ask->deadline) {
        atomic_fetch_add (&svc->metrics.expired, 1);
        return E_EXPIRED;
    }
    bool customer = ask->header.principal == PRINCIPAL_APP_KEY ||
                    ask->header.principal == PRINCIPAL_ADMIN_KEY ||
                    ask->header.principal == PRINCIPAL_ORG_KEY;
    return customer && atomic_load (&svc->disk_low) ? E_DISK_LOW : 0;
}

static void ask_handle (writer_t *w, turn_t *t, ask_t *ask)
{
    svc_t *svc = w->svc;
    int code = E_INTERNAL;
    if (guard_enter (svc->guard, ask->header.id))
        code = turn_step (t, ask_run, ask);
    else
        fail (
            t, E_INTERNAL, NULL,
            "This request was running when the process crashed, three times; it is not tried again");
    guard_leave (svc->guard);
    ask->settle = t->inner->last_event;
    if (code == E_PARKED) {
        ask->parked = ask->header.id;
        parked_wait (w, ask, ask->deadline);
        return;
    }
    if (code) {
        ask_set_failure (ask, code, &t->failure);
        if (idem_is_keyed (ask->op, &ask->header) &&
            idem_keeps (&ask->header.idem, ask->failure.code) &&
            turn_step (t, ask_keep_failure, ask))
            ask_set_failure (ask, E_IO, NULL);
    }
    writer_answer (w, ask);
}

static void ask_turn (writer_t *w, ask_t *ask)
{
    turn_t t;
    turn_inner_t inner;
    ask->work.item.next = NULL;
    turn_init (w->svc, &t, &inner, w->txn, ask->arena, &ask->header, false);
    inner.op = ask->op;
    inner.in = ask->body;
    int code = ask_refused (w->svc, ask);
    if (!code)
        code = turn_trapped (&t, find_run, ask);
    if (!code) {
        ask_handle (w, &t, ask);
    } else if (code == E_PARKED) {
        uint32_t wait = ask->header.idem.wait_ms ? ask->header.idem.wait_ms : TWIN_MS;
        int64_t twin = clock_mono_ms () + wait;
        parked_wait (w, ask, ask->twin && twin < ask->deadline ? twin : ask->deadline);
    } else {
        if (code != E_ALREADY_EXISTS)
            ask_set_failure (ask, code, &t.failure);
        writer_answer (w, ask);
    }
}

/* ---- jobs ---- */

static void outward_turn (writer_t *w, outward_work_t *work)
{
    turn_t t;
    turn_inner_t inner;
    turn_init (w->svc, &t, &inner, w->txn, w->arena, NULL, false);
    if (w->lanes && work->done && !w->broken)
        w->broken = lanes_finish (w->lanes, &t, work->done);
}

int writer_claim (writer_t *w)
{
    turn_t t;
    turn_inner_t inner;
    if (!w->lanes)
        return 0;
    turn_init (w->svc, &t, &inner, w->txn, w->arena, NULL, false);
    return lanes_claim (w->lanes, &t, atomic_load (&w->svc->resting) ? 0 : LANES_MOST);
}

static void launch (void *context, outward_t *outward)
{
    svc_t *svc = context;
    svc->launch (svc, outward);
}

/* ---- the turn ---- */

static void turn_items (writer_t *w, work_t *chain)
{
    while (chain) {
        work_t *work = chain;
        chain = (work_t *) (void *) work->item.next;
        work->item.next = NULL;
        if (!w->again.tries)
            atomic_fetch_add_explicit (&w->svc->metrics.items, 1, memory_order_relaxed);
        if (work->kind == WORK_ASK)
            ask_turn (w, (ask_t *) (void *) work);
        else if (work->kind == WORK_FOLLOWED)
            follow_work (w, work);
        else if (work->kind == WORK_OUTWARD)
            outward_turn (w, (outward_work_t *) (void *) work);
    }
}

static void resumed_release (writer_t *w, resumed_t *r)
{
    ask_t *chain = parked_take (w, waits_for, &r->id);
    while (chain) {
        ask_t *ask = chain;
        chain = (ask_t *) (void *) ask->work.item.next;
        ask->work.item.next = NULL;
        ask->failed = r->failed;
        ask->failure = r->failure;
        ask->replayed = ask->twin;
        ask->settle = r->settle;
        uint8_t *copy =
            r->failed ? NULL : arena_memdup (ask->arena, r->answer.data, r->answer.size);
        if (!r->failed && !copy && r->answer.size)
            ask_set_failure (ask, E_NO_MEMORY, NULL);
        ask->answer = bytes_of (copy, copy ? r->answer.size : 0);
        answer_release (w, ask);
    }
}

void writer_committed (writer_t *w, bool wrote)
{
    svc_t *svc = w->svc;
    uint64_t before = atomic_load (&svc->journal.head);
    if (wrote)
        atomic_fetch_add (&svc->metrics.commits, 1);
    for (size_t i = 0; i < w->counted_count; i++)
        svc_count (svc, w->counted[i].counter, w->counted[i].add);
    if (w->lanes)
        lanes_committed (w->lanes, launch, svc);
    if (w->sequence != before) {
        atomic_fetch_add (&svc->metrics.events, w->sequence - before);
        journal_publish (svc, w->sequence);
    }
    queue_hold (svc->out); /* the answers of a turn leave as one train */
    while (w->answered) {
        ask_t *ask = w->answered;
        w->answered = (ask_t *) (void *) ask->work.item.next;
        ask->work.item.next = NULL;
        answer_release (w, ask);
    }
    queue_go (svc->out);
    for (resumed_t *r = w->resumed; r; r = r->next)
        resumed_release (w, r);
    follow_settled (svc, true);
}

static void turn_lost (writer_t *w, int code)
{
    svc_t *svc = w->svc;
    if (w->lanes)
        lanes_aborted (w->lanes);
    while (w->answered) {
        ask_t *ask = w->answered;
        w->answered = (ask_t *) (void *) ask->work.item.next;
        ask->work.item.next = NULL;
        if (!ask->failed)
            ask_set_failure (ask, atomic_load (&svc->disk_low) ? E_DISK_LOW : E_IO, NULL);
        ask_release (ask);
    }
    parked_tick (w, 0, true);
    follow_settled (svc, false);
    svc_log (svc, LOG_ERROR, "the store failed", "error.code", error_name (code), "detail",
             store_error (svc->store), NULL);
    svc_fatal (svc, EXIT_STORE, "the store failed");
}

void writer_resumed_drop (writer_t *w)
{
    while (w->resumed) {
        resumed_t *r = w->resumed;
        w->resumed = r->next;
        resumed_free (r);
    }
}

void writer_forget (writer_t *w)
{
    w->broken = 0;
    w->counted_count = 0;
    writer_resumed_drop (w);
    w->answered = NULL;
    w->answered_end = &w->answered;
    arena_reset (w->arena);
    if (w->event_row.capacity > EVENT_KEPT) {
        buf_free (&w->event_body);
        buf_free (&w->event_row);
    }
    metrics_lanes (w->svc);
}

static int turn_commit (writer_t *w, bool wrote)
{
    int64_t before = wrote ? clock_mono_us () : 0;
    int rc = txn_commit (&w->txn);
    if (wrote && !rc)
        w->commit_us += (clock_mono_us () - before - w->commit_us) / COMMITS_AVERAGED;
    return rc;
}

int writer_finish (svc_t *svc)
{
    writer_t *w = &svc->writer;
    int rc = w->broken ? w->broken : writer_claim (w);
    if (!rc)
        rc = follow_store (w);
    if (!rc && w->steps.changed)
        rc = steps_store (&w->steps, w->txn, store_table (svc->store, "svc.state"));
    if (!rc)
        rc = keyed_store (&w->keyed, w->txn, w->now + w->steps.lag);
    bool wrote = txn_writes (w->txn) > 0;
    if (txn_conflicted (w->txn))
        rc = E_CONFLICT_RETRY;
    if (rc)
        txn_abort (&w->txn);
    else
        rc = turn_commit (w, wrote);
    keyed_ended (&w->keyed, !rc);
    if (again_take (w, rc))
        return E_CONFLICT_RETRY;
    again_over (w);
    if (rc)
        turn_lost (w, rc);
    else
        writer_committed (w, wrote);
    writer_forget (w);
    return rc == E_CONFLICT_RETRY ? E_IO : rc;
}

/* The wall clock; steps back of it are noted, so that jobs are not held up. */
static int64_t writer_clock (writer_t *w)
{
    int64_t wall = clock_now_ms (), before = w->steps.lag;
    int64_t lag = steps_take (&w->steps, wall, clock_mono_ms ());
    if (w->lanes)
        lanes_lag (w->lanes, lag);
    if (lag != before)
        svc_log (w->svc, LOG_WARN, lag > before ? "the clock stepped back" : "the clock caught up",
                 NULL);
    return wall;
}

static int turn_try (svc_t *svc)
{
    writer_t *w = &svc->writer;
    work_t *chain = again_chain (w);
    int rc = txn_begin (svc->store, TXN_WRITE, &w->txn);
    if (again_take (w, rc))
        return E_CONFLICT_RETRY;
    if (rc) {
        for (work_t *work = chain, *next; work; work = next) {
            next = (work_t *) (void *) work->item.next;
            if (work->kind == WORK_ASK) {
                ask_set_failure ((ask_t *) (void *) work, rc, NULL);
                writer_answer (w, (ask_t *) (void *) work);
            }
        }
        again_over (w);
        turn_lost (w, rc);
        writer_forget (w);
        return rc == E_CONFLICT_RETRY ? E_IO : rc;
    }
    turn_items (w, chain);
    timers_run (w);
    return writer_finish (svc);
}

int writer_turn (svc_t *svc, work_t *chain)
{
    writer_t *w = &svc->writer;
    int rc;
    w->now = writer_clock (w);
    atomic_fetch_add (&svc->metrics.turns, 1);
    again_start (w, chain);
    do
        rc = turn_try (svc);
    while (rc == E_CONFLICT_RETRY);
    return rc;
}

/* ---- the thread ---- */

int64_t writer_next (svc_t *svc)
{
    writer_t *w = &svc->writer;
    int64_t wall = writer_clock (w), mono = clock_mono_ms ();
    int64_t wait = svc_common (svc)->test_clock ? IDLE_TEST_MS : IDLE_MS;
    int64_t due = timers_next (svc, wall);
    wait = due < wait ? due : wait;
    if (w->lanes && !atomic_load (&svc->resting)) {
        int64_t next = lanes_next (w->lanes);
        wait = next <= wall ? 0 : next - wall < wait ? next - wall : wait;
    }
    for (ask_t *a = w->waiting; a; a = (ask_t *) (void *) a->work.item.next)
        wait = a->until - mono < wait ? a->until - mono : wait;
    int64_t follow = follow_next (svc) - mono;
    wait = follow < wait ? follow : wait;
    return wait < 0 ? 0 : wait;
}

/* Not the owner (yet): what comes in meanwhile is told so. */
static bool writer_await (svc_t *svc)
{
    while (!atomic_load (&svc->quit)) {
        if (store_own (svc->store) == 0)
            return true;
        for (queue_item_t *item = queue_wait (svc->writer.inbox, 0, OWN_POLL_MS), *next; item;
             item = next) {
            next = item->next;
            work_t *work = (work_t *) (void *) item;
            if (work->kind == WORK_ASK)
                ask_fail ((ask_t *) (void *) work, E_NOT_OWNER, "%s", error_doc (E_NOT_OWNER));
            else if (work->kind == WORK_WAKE)
                free (work);
        }
    }
    return false;
}

static bool has_work (svc_t *svc)
{
    writer_t *w = &svc->writer;
    return timers_due (svc, clock_now_ms ()) || follow_unstored (svc) ||
           (w->lanes && !atomic_load (&svc->resting) && lanes_next (w->lanes) <= clock_now_ms ());
}

/* What is there to do. Under load the first item that comes waits a moment for the others: each commit costs about the same, and those that are answered together come again
 * together. Worth half a commit's time, and only where several asks are on their way: what comes of jobs has only jobs waiting for it. */
static work_t *work_await (svc_t *svc)
{
    writer_t *w = &svc->writer;
    int64_t patience = w->commit_us / 2 < PATIENCE_MOST_US ? w->commit_us / 2 : PATIENCE_MOST_US;
    size_t crowd = w->crowd < TURN_ITEMS ? w->crowd : TURN_ITEMS;
    return (work_t *) (void *) queue_gather (w->inbox, TURN_ITEMS, (int) writer_next (svc), crowd,
                                             patience);
}

static size_t asks_of (const work_t *work)
{
    size_t count = 0;
    for (; work; work = (const work_t *) (const void *) work->item.next)
        count += work->kind == WORK_ASK;
    return count;
}

void *writer_main (void *context)
{
    svc_t *svc = context;
    writer_t *w = &svc->writer;
    if (!writer_await (svc))
        return NULL;
    int rc = writer_open (svc);
    if (rc) {
        svc_log (svc, LOG_ERROR, "taking over failed", "error.code", error_name (rc), "detail",
                 store_error (svc->store), NULL);
        svc_fatal (svc, EXIT_STORE, "taking over failed");
        return NULL;
    }
    svc_log (svc, LOG_INFO, "owner", NULL);
    svc_wake (svc);
    while (!atomic_load (&svc->quit) && !rc) {
        follow_tick (svc, clock_mono_ms ());
        work_t *chain = work_await (svc);
        size_t asks = asks_of (chain);
        if (chain || has_work (svc))
            rc = writer_turn (svc, chain);
        w->crowd = asks < CROWD_LEAST ? 0 : asks + queue_size (w->inbox);
        parked_tick (w, clock_mono_ms (), false);
    }
    if (!rc && follow_unstored (svc))
        writer_turn (svc, NULL);
    parked_tick (w, 0, true);
    return NULL;
}

/* ---- what other threads hand in ---- */

void writer_outward_done (void *context, outward_done_t *done)
{
    svc_t *svc = context;
    outward_work_t *work = malloc (sizeof *work);
    if (!work) { /* the next owner resolves it from the started file */
        svc_fatal (svc, EXIT_STORE, "no memory for a job's outcome");
        outward_done_destroy (&done);
        return;
    }
    *work = (outward_work_t){.work = {.kind = WORK_OUTWARD}, .done = done};
    queue_put (svc->writer.inbox, &work->work.item);
}

void outward_work_free (work_t *work, lanes_t *lanes)
{
    outward_work_t *self = (outward_work_t *) (void *) work;
    if (lanes && self->done)
        lanes_done_destroy (lanes, &self->done);
    outward_done_destroy (&self->done);
    free (self);
}

void writer_wake (svc_t *svc)
{
    work_t *work = calloc (1, sizeof *work);
    if (!work)
        return;
    work->kind = WORK_WAKE;
    queue_put (svc->writer.inbox, &work->item);
}
