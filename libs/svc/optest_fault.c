/* optest_fault.c - see optest_fault.h. */
#include "svc/optest_fault.h"

#include <stdlib.h>

#include "base/heap_fail.h"
#include "svc/inner.h"

enum {
    ALL = 256,
    DAY_MS = 24 * 3600 * 1000,
    NIGHT_MS = 600 * 1000,
    MINUTE_MS = 61 * 1000,
    TURN_MEMORY = 64 << 20
};

const char *fault_name (fault_kind_t kind)
{
    static const char *const names[FAULT_KINDS] = {"no fault",
                                                   "write",
                                                   "commit",
                                                   "allocation of the ask",
                                                   "allocation of the turn",
                                                   "allocation of the heap",
                                                   "send without a connection",
                                                   "send without an answer",
                                                   "send with a broken answer"};
    return names[kind];
}

/* Every n of the heap would be every n of the memory backend's own, thousands in each turn: on it the steps grow. */
unsigned fault_next (unsigned nth)
{
    static _Thread_local int all = -1;
    if (all < 0)
        all = getenv ("AVIARY_LONG") != NULL && getenv ("AVIARY_OPTEST_BACKEND") == NULL;
    return nth + 1 + (all || nth < ALL ? 0 : nth / 6);
}

/* ---- around turns ---- */

static void arm (fault_t *self, arena_t *ask)
{
    svc_t *svc = optest_svc (self->test);
    if (!svc->writer.arena) /* before the first turn */
        svc->writer.arena = arena_new (TURN_MEMORY);
    if (self->kind == FAULT_WRITE)
        store_fail_write (svc->store, self->left);
    else if (self->kind == FAULT_COMMIT)
        store_fail_commit (svc->store, self->left == 1);
    else if (self->kind == FAULT_ASK && ask)
        arena_fail_nth (ask, self->left);
    else if (self->kind == FAULT_TURN)
        arena_fail_nth (svc->writer.arena, self->left);
    else if (self->kind == FAULT_HEAP)
        heap_fail_nth (self->left);
}

static unsigned disarm (fault_t *self, arena_t *ask)
{
    svc_t *svc = optest_svc (self->test);
    bool lost = optest_is_fatal (self->test) || !atomic_load (&svc->opened);
    switch (self->kind) {
    case FAULT_WRITE:
        return store_fail_write (svc->store, 0);
    case FAULT_COMMIT:
        store_fail_commit (svc->store, false);
        return self->left > 1 ? self->left - 1 : lost ? 0 : 1;
    case FAULT_ASK:
        return ask ? arena_fail_nth (ask, 0) : self->left;
    case FAULT_TURN:
        return arena_fail_nth (svc->writer.arena, 0);
    case FAULT_HEAP:
        return heap_fail_nth (0);
    default:
        return self->left;
    }
}

void fault_around (void *fault, arena_t *ask, bool before)
{
    fault_t *self = fault;
    if (!self->left)
        return;
    if (before)
        arm (self, ask);
    else
        self->left = disarm (self, ask);
    self->fired = !self->left;
}

void fault_set (fault_t *self, optest_t *test, fault_kind_t kind, unsigned nth)
{
    *self = (fault_t){.test = test, .kind = kind, .left = kind == FAULT_NONE ? 0 : nth};
    optest_watch (test, fault_around, self);
}

/* ---- the store ---- */

static int quiet (optest_t *test, int rc)
{
    atomic_store (&optest_svc (test)->log_level, LOG_ERROR + 1);
    return rc;
}

int fault_again (optest_t *test)
{
    optest_watch (test, NULL, NULL);
    return quiet (test, optest_again (test));
}

int fault_restart (optest_t *test)
{
    return quiet (test, optest_restart (test));
}

uint64_t fault_rows (optest_t *test, const char *table)
{
    store_t *store = optest_store (test);
    txn_t *txn = NULL;
    uint64_t count = 0;
    int rc = txn_begin (store, TXN_READ, &txn);
    if (!rc)
        rc = kv_count (txn, store_table (store, table), &count);
    txn_abort (&txn);
    return rc ? UINT64_MAX : count;
}

bool fault_is_erasing (optest_t *test)
{
    return fault_rows (test, "svc.erase") != 0;
}

/* What is kept by days would else differ between runs before and after midnight; what is kept for a minute goes first. */
int fault_begin (optest_t *test)
{
    int64_t left = DAY_MS - clock_now_ms () % DAY_MS;
    int rc = left < NIGHT_MS ? optest_advance (test, left + NIGHT_MS) : 0;
    for (int i = 0; i < 3 && !rc; i++)
        rc = optest_advance (test, MINUTE_MS);
    if (!rc)
        rc = optest_keep (test);
    return rc ? rc : fault_again (test);
}
