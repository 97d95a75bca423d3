/* reader.c - reads: each in its own read transaction, on one of a few threads.
 *
 * A read never writes, makes no events and parks nothing. A service without a store runs its ops here too, with a NULL transaction. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svc/inner.h"

enum { OWNER_POLL_US = 5000 };

/* ---- the readers' queue ---- */

void pool_init (pool_t *self)
{
    *self = (pool_t){0};
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->more, NULL);
    self->last = &self->first;
}

void pool_free (pool_t *self)
{
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->more);
}

void pool_put (pool_t *self, ask_t *ask)
{
    ask->work.item.next = NULL;
    pthread_mutex_lock (&self->lock);
    bool closed = self->closed;
    if (!closed) {
        *self->last = &ask->work.item;
        self->last = &ask->work.item.next;
        self->count++;
        pthread_cond_signal (&self->more);
    }
    pthread_mutex_unlock (&self->lock);
    if (closed)
        ask_fail (ask, E_REPLICA_LOST, "%s", error_doc (E_REPLICA_LOST)); /* another may answer */
}

ask_t *pool_take (pool_t *self)
{
    pthread_mutex_lock (&self->lock);
    while (!self->first && !self->closed)
        pthread_cond_wait (&self->more, &self->lock);
    queue_item_t *item = self->first;
    if (item) {
        self->first = item->next;
        if (!self->first)
            self->last = &self->first;
        self->count--;
    }
    pthread_mutex_unlock (&self->lock);
    return (ask_t *) (void *) item;
}

void pool_close (pool_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->closed = true;
    pthread_cond_broadcast (&self->more);
    pthread_mutex_unlock (&self->lock);
}

/* ---- one read ---- */

static void read_op (svc_t *svc, ask_t *ask, txn_t *txn)
{
    turn_t t;
    turn_inner_t inner;
    turn_init (svc, &t, &inner, txn, ask->arena, &ask->header, true);
    inner.op = ask->op;
    inner.in = ask->body;
    int code = op_call (&t, ask->op, ask->op->handler, ask->body, &ask->answer);
    if (code)
        ask_set_failure (ask, code, &t.failure);
    ask_release (ask);
}

/* Beside an owner of another version reads wait for the takeover: the broker sends them here only if nobody else is there. */
static void owner_wait (svc_t *svc, const ask_t *ask)
{
    while (svc->store && ask->op && !atomic_load (&svc->current) && !store_is_owner (svc->store) &&
           !atomic_load (&svc->quit) && clock_mono_ms () < ask->deadline)
        usleep (OWNER_POLL_US);
}

void reader_run (svc_t *svc, ask_t *ask)
{
    owner_wait (svc, ask);
    if (!ask->until && clock_mono_ms () >= ask->deadline) {
        atomic_fetch_add (&svc->metrics.expired, 1);
        ask_fail (ask, E_EXPIRED, "%s", error_doc (E_EXPIRED));
        return;
    }
    txn_t *txn = NULL;
    int rc = svc->store ? txn_begin (svc->store, TXN_READ, &txn) : 0;
    const char *dot = strrchr (ask->header.target, '.');
    if (rc)
        ask_fail (ask, rc, "%s", error_doc (rc));
    else if (ask->op)
        read_op (svc, ask, txn);
    else
        builtin_find (dot ? dot + 1 : ask->header.target)->run (svc, ask, txn);
    txn_abort (&txn);
}

void *reader_main (void *context)
{
    svc_t *svc = context;
    for (ask_t *ask; (ask = pool_take (&svc->pool));)
        reader_run (svc, ask);
    return NULL;
}
