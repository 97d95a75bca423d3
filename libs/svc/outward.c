/* outward.c - the outbound thread: transfers of libs/fetch, a heap of waits, asks under way.
 *
 * Everything but the two queues and the gauges belongs to the thread. Without memory to begin, an item ends as FETCH_NOT_SENT, E_NO_MEMORY. */
#include "svc/outward.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "svc/idmap.h"
#include "svc/steps.h"
#include "svc/wires.h"

enum {
    IDLE_MS = 1000,
    CLOCK_LOOK_MS = 50 /* the tests' clock may be advanced while waits are there */
};

/* One item under way. */
typedef struct flight {
    idnode_t node; /* of asks */
    outward_pool_t *pool;
    outward_t *outward;
    int64_t began; /* monotonic ms */
    int64_t due;   /* of a wait: Unix ms */
} flight_t;

typedef struct answered {
    queue_item_t item;
    id16_t job;
    bool failed;
    failure_t failure;
    size_t size;
    uint8_t body[];
} answered_t;

struct outward_thread {
    void (*ask) (void *context, const outward_t *outward);
    void (*done) (void *context, outward_done_t *done);
    void *context;
    fetch_t *fetch;
    queue_t *in;
    queue_t *answers;
    int wake_fd;
    pthread_t thread;
    bool running;
    atomic_bool stop;
    idmap_t asks;
    flight_t **waits; /* heap by due */
    size_t wait_count, wait_capacity;
    steps_t steps; /* of the clock, for waits */
    wires_t wires;
    atomic_uint gauge_http, gauge_waits, gauge_asks;
};

/* ---- ends ---- */

static void outward_end (outward_pool_t *self, outward_t *outward, const outcome_t *outcome)
{
    outward_done_t *done = outward->done;
    done->outcome = *outcome;
    self->done (self->context, done);
}

static void flight_end (flight_t *flight, outcome_t *outcome)
{
    int64_t took = clock_mono_ms () - flight->began;
    if (!outcome->duration_ms)
        outcome->duration_ms = took < 0 ? 0 : took > UINT32_MAX ? UINT32_MAX : (uint32_t) took;
    outward_end (flight->pool, flight->outward, outcome);
    free (flight);
}

static outcome_t unsent (int code, const char *reason)
{
    return (outcome_t){.stage = FETCH_NOT_SENT, .code = code, .reason = reason};
}

/* ---- HTTP ---- */

/* Are its group's requests counted? */
static bool is_wired (const outward_t *outward)
{
    return outward->out.how == OUT_HTTP && outward->width > 0;
}

static void wire_leave (outward_pool_t *self, id16_t group, bool failed);

static void http_done (void *context, const fetch_answer_t *answer)
{
    flight_t *flight = context;
    outcome_t borrowed = {.stage = answer->stage,
                          .status = answer->status,
                          .code = answer->code,
                          .reason = answer->reason,
                          .headers = answer->headers,
                          .body = answer->body,
                          .retry_after_ms = answer->retry_after_ms,
                          .duration_ms = answer->duration_ms,
                          .address = answer->address,
                          .file = answer->file};
    outcome_t outcome;
    outcome_copy (flight->outward->arena, &borrowed, &outcome);
    outward_pool_t *self = flight->pool;
    id16_t group = flight->outward->group;
    bool wired = is_wired (flight->outward);
    bool failed = wired && job_has_failed (flight->outward->kind, &outcome);
    atomic_fetch_sub (&self->gauge_http, 1);
    flight_end (flight, &outcome);
    if (wired)
        wire_leave (self, group, failed);
}

/* ---- waits ---- */

static bool wait_add (outward_pool_t *self, flight_t *flight)
{
    if (self->wait_count == self->wait_capacity) {
        size_t capacity = self->wait_capacity ? 2 * self->wait_capacity : 64;
        flight_t **waits = realloc (self->waits, capacity * sizeof (flight_t *));
        if (!waits)
            return false;
        self->waits = waits;
        self->wait_capacity = capacity;
    }
    size_t at = self->wait_count++;
    for (; at && self->waits[(at - 1) / 2]->due > flight->due; at = (at - 1) / 2)
        self->waits[at] = self->waits[(at - 1) / 2];
    self->waits[at] = flight;
    return true;
}

static flight_t *wait_take (outward_pool_t *self)
{
    flight_t *first = self->waits[0], *last = self->waits[--self->wait_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < self->wait_count && self->waits[child + 1]->due < self->waits[child]->due)
            child++;
        if (child >= self->wait_count || self->waits[child]->due >= last->due)
            break;
        self->waits[at] = self->waits[child];
        at = child;
    }
    if (self->wait_count)
        self->waits[at] = last;
    atomic_fetch_sub (&self->gauge_waits, 1);
    return first;
}

/* A step back of the clock holds no wait up: what is due moves with it. The order stays. */
static int64_t waits_clock (outward_pool_t *self)
{
    int64_t before = self->steps.lag, wall = clock_now_ms ();
    int64_t moved = steps_take (&self->steps, wall, clock_mono_ms ()) - before;
    for (size_t i = 0; i < self->wait_count && moved > 0; i++)
        self->waits[i]->due -= moved;
    return wall;
}

static void waits_work (outward_pool_t *self)
{
    int64_t now = waits_clock (self);
    while (self->wait_count && self->waits[0]->due <= now) {
        flight_t *flight = wait_take (self);
        outcome_t outcome = {.stage = FETCH_ANSWERED, .body = flight->outward->out.body};
        flight_end (flight, &outcome);
    }
}

/* ---- asks ---- */

/* How far an ask got, by what it failed with: the bus says when nothing can have been done. */
static fetch_stage_t ask_stage (int code)
{
    if (code == E_TIMEOUT || code == E_REPLICA_LOST || code == E_BROKER_LOST)
        return FETCH_SENT;
    return code && error_class (code) == EC_UNAVAILABLE ? FETCH_NOT_SENT : FETCH_ANSWERED;
}

static void ask_end (outward_pool_t *self, const answered_t *answer)
{
    flight_t *flight = (flight_t *) (void *) idmap_take (&self->asks, answer->job);
    if (!flight)
        return;
    atomic_fetch_sub (&self->gauge_asks, 1);
    outcome_t borrowed = {.stage = FETCH_ANSWERED, .body = bytes_of (answer->body, answer->size)};
    if (answer->failed) {
        borrowed.failure = answer->failure;
        borrowed.code = answer->failure.code;
        borrowed.stage = ask_stage (borrowed.code);
        borrowed.reason = answer->failure.text;
        borrowed.retry_after_ms = answer->failure.retry_after_ms;
    }
    outcome_t outcome;
    outcome_copy (flight->outward->arena, &borrowed, &outcome);
    flight_end (flight, &outcome);
}

static void answers_work (outward_pool_t *self)
{
    for (queue_item_t *item = queue_take (self->answers, 0), *next; item; item = next) {
        next = item->next;
        ask_end (self, (answered_t *) (void *) item);
        free (item);
    }
}

void outward_pool_answer (outward_pool_t *self, id16_t job, bytes_t body, const failure_t *failure)
{
    answered_t *answer = malloc (sizeof *answer + body.size);
    if (!answer) {
        body.size = 0;
        /* Without memory for an answer the process is lost; the job is resolved as started when it is back. */
        answer = malloc (sizeof *answer);
        if (!answer)
            abort ();
    }
    *answer = (answered_t){.job = job, .size = body.size};
    if (failure && failure->code) {
        answer->failed = true;
        answer->failure = *failure;
    }
    if (body.size)
        memcpy (answer->body, body.data, body.size);
    if (queue_put (self->answers, &answer->item))
        eventfd_write (self->wake_fd, 1);
}

/* ---- begins ---- */

static bool flight_start (outward_pool_t *self, flight_t *flight)
{
    const outbound_t *out = &flight->outward->out;
    if (out->how == OUT_HTTP) {
        atomic_fetch_add (&self->gauge_http, 1);
        fetch_start (self->fetch, &out->request, http_done, flight);
        return true;
    }
    if (out->how == OUT_WAIT) {
        flight->due = clock_now_ms () + out->wait_ms;
        atomic_fetch_add (&self->gauge_waits, 1);
        if (wait_add (self, flight))
            return true;
        atomic_fetch_sub (&self->gauge_waits, 1);
        return false;
    }
    if (out->how != OUT_ASK || !self->ask || !idmap_put (&self->asks, &flight->node))
        return false;
    atomic_fetch_add (&self->gauge_asks, 1);
    self->ask (self->context, flight->outward);
    return true;
}

static bool flight_begin (outward_pool_t *self, outward_t *outward)
{
    flight_t *flight = calloc (1, sizeof *flight);
    if (!flight)
        return false;
    flight->node.id = outward->job;
    flight->pool = self;
    flight->outward = outward;
    flight->began = clock_mono_ms ();
    if (flight_start (self, flight))
        return true;
    free (flight);
    return false;
}

/* False: it has ended. */
static bool outward_start (outward_pool_t *self, outward_t *outward)
{
    if (flight_begin (self, outward))
        return true;
    outcome_t outcome = unsent (E_NO_MEMORY, "it could not be begun");
    outward_end (self, outward, &outcome);
    return false;
}

/* Those that have a place now begin; one that cannot leaves it again. */
static void wire_leave (outward_pool_t *self, id16_t group, bool failed)
{
    wires_leave (&self->wires, group, failed);
    for (outward_t *next; (next = wires_next (&self->wires, group));)
        if (!outward_start (self, next))
            wires_leave (&self->wires, group, true);
}

static void outward_begin (outward_pool_t *self, outward_t *outward)
{
    id16_t group = outward->group;
    bool wired = is_wired (outward);
    if (wired && !wires_enter (&self->wires, outward))
        return;
    if (!outward_start (self, outward) && wired)
        wire_leave (self, group, true);
}

void outward_pool_put (outward_pool_t *self, outward_t *outward)
{
    if (queue_put (self->in, &outward->item))
        eventfd_write (self->wake_fd, 1);
}

/* ---- the thread ---- */

static int next_ms (const outward_pool_t *self)
{
    if (!self->wait_count)
        return IDLE_MS;
    int64_t left = self->waits[0]->due - clock_now_ms ();
    return left < 0 ? 0 : left < CLOCK_LOOK_MS ? (int) left : CLOCK_LOOK_MS;
}

static void *pool_main (void *context)
{
    outward_pool_t *self = context;
    while (!atomic_load (&self->stop)) {
        eventfd_t wakes;
        eventfd_read (self->wake_fd, &wakes);
        for (queue_item_t *item = queue_take (self->in, 0), *next; item; item = next) {
            next = item->next;
            outward_begin (self, (outward_t *) (void *) item);
        }
        answers_work (self);
        waits_work (self);
        fetch_work (self->fetch, next_ms (self), self->wake_fd);
    }
    return NULL;
}

/* Signals are the main thread's. */
static int thread_start (outward_pool_t *self)
{
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int no = pthread_create (&self->thread, NULL, pool_main, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    self->running = !no;
    return no ? E_NO_MEMORY : 0;
}

int outward_pool_new (const outward_pool_config_t *config, outward_pool_t **out, failure_t *failure)
{
    outward_pool_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, "", "No memory for the outbound thread");
    self->ask = config->ask;
    self->done = config->done;
    self->context = config->context;
    self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->in = queue_new ();
    self->answers = queue_new ();
    int rc = 0;
    if (self->wake_fd < 0 || !self->in || !self->answers)
        rc = failure_set (failure, E_NO_MEMORY, "",
                          "No descriptor or memory for the outbound thread");
    if (!rc)
        rc = fetch_new (&config->fetch, &self->fetch, failure);
    if (!rc && thread_start (self))
        rc = failure_set (failure, E_NO_MEMORY, "", "The outbound thread cannot be started");
    if (rc)
        outward_pool_destroy (&self);
    else
        *out = self;
    return rc;
}

static void rest_end (outward_pool_t *self)
{
    static const char *const why = "the process is ending";
    outcome_t outcome = unsent (E_UNAVAILABLE, why);
    for (queue_item_t *item = queue_take (self->in, 0), *next; item; item = next) {
        next = item->next;
        outward_end (self, (outward_t *) (void *) item, &outcome);
    }
    for (outward_t *waiting = wires_take (&self->wires), *next; waiting; waiting = next) {
        next = (outward_t *) (void *) waiting->item.next;
        outward_end (self, waiting, &outcome);
    }
    answers_work (self);
    while (self->wait_count) {
        outcome = unsent (E_UNAVAILABLE, why);
        flight_end (wait_take (self), &outcome);
    }
    size_t at = 0;
    for (idnode_t *node = idmap_next (&self->asks, &at, NULL), *next; node; node = next) {
        next = idmap_next (&self->asks, &at, node);
        outcome = unsent (E_UNAVAILABLE, why);
        outcome.stage = FETCH_SENT;
        flight_end ((flight_t *) (void *) node, &outcome);
    }
}

void outward_pool_destroy (outward_pool_t **self)
{
    if (!self || !*self)
        return;
    outward_pool_t *p = *self;
    atomic_store (&p->stop, true);
    if (p->wake_fd >= 0)
        eventfd_write (p->wake_fd, 1);
    if (p->running)
        pthread_join (p->thread, NULL);
    if (p->in && p->answers)
        rest_end (p);
    fetch_destroy (&p->fetch);
    queue_destroy (&p->in);
    queue_destroy (&p->answers);
    idmap_free (&p->asks);
    wires_free (&p->wires);
    free (p->waits);
    if (p->wake_fd >= 0)
        close (p->wake_fd);
    free (p);
    *self = NULL;
}

void outward_pool_gauges (const outward_pool_t *self, outward_gauges_t *out)
{
    *out = (outward_gauges_t){.queued = (unsigned) queue_size (self->in) +
                                        atomic_load (&self->wires.waiting),
                              .http = atomic_load (&self->gauge_http),
                              .waits = atomic_load (&self->gauge_waits),
                              .asks = atomic_load (&self->gauge_asks)};
}
