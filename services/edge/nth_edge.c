/* nth_edge.c - for a test: what turns the edge's program into one in which the n-th allocation or send of a chosen request fails. tests/system/test_edge_nth.py says which,
 * in a mapped file that the environment names (NTH_CONTROL); without it nothing fails.
 *
 * Linked with --wrap: the edge's own entries of a request, its asks, and the heap of this project's objects. A request is worked on by one thread at a time: a loop, or one that may block; what
 * comes back of its asks is copied by the bus thread, and then the count goes over to it and back. */
#include "edge.h"

#include "base/heap_fail.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FAIL_HEAP = 1, FAIL_ARENA, FAIL_SEND };

typedef struct control {
    _Atomic uint32_t kind, n; /* of the next request; n = 0: none */
    _Atomic uint32_t left;    /* 0: it failed */
    _Atomic uint32_t done;    /* requests that were armed and ended */
} control_t;

static control_t *control;
static _Atomic (web_request_t *) armed; /* the request in which something fails; NULL: none */
static _Atomic uint32_t kind;           /* and what */
static _Thread_local bool working;      /* on it, this thread */
static _Thread_local bool handed_over;  /* the count is the bus thread's for now */
static _Thread_local bool of_bus;       /* this is that thread, and the heap is armed */
static bus_answer_fn *ask_done;         /* of the one ask that is under way for the armed request */
static void *ask_context;

web_next_t __real_edge_submit (void *context, web_request_t *web);
web_next_t __wrap_edge_submit (void *context, web_request_t *web);
web_next_t __real_edge_resume (void *context, web_request_t *web);
web_next_t __wrap_edge_resume (void *context, web_request_t *web);
web_next_t __real_edge_complete (void *context, web_request_t *web, web_call_t *call, bool in_time);
web_next_t __wrap_edge_complete (void *context, web_request_t *web, web_call_t *call, bool in_time);
void __real_svc_ask (svc_t *svc, svc_ask_t *ask);
void __wrap_svc_ask (svc_t *svc, svc_ask_t *ask);
bool __real_web_call_complete (web_call_t *self);
bool __wrap_web_call_complete (web_call_t *self);

__attribute__ ((constructor)) static void control_map (void)
{
    const char *path = getenv ("NTH_CONTROL");
    int fd = path ? open (path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED
                       : mmap (NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close (fd);
    if (map != MAP_FAILED)
        control = map;
}

static void arm (web_request_t *web)
{
    uint32_t left = atomic_load (&control->left);
    handed_over = false;
    working = true;
    if (kind == FAIL_HEAP)
        heap_fail_nth (left);
    else if (kind == FAIL_ARENA && web_arena (web))
        arena_fail_nth (web_arena (web), left);
}

static web_next_t disarm (web_request_t *web, web_next_t next)
{
    if (kind == FAIL_HEAP && !handed_over)
        atomic_store (&control->left, heap_fail_nth (0));
    else if (kind == FAIL_ARENA && web_arena (web))
        atomic_store (&control->left, arena_fail_nth (web_arena (web), 0));
    working = false;
    if (next == WEB_DONE) {
        atomic_store (&armed, NULL);
        atomic_fetch_add (&control->done, 1);
    }
    return next;
}

web_next_t __wrap_edge_submit (void *context, web_request_t *web)
{
    uint32_t n = control ? atomic_exchange (&control->n, 0) : 0;
    if (!n)
        return __real_edge_submit (context, web);
    atomic_store (&kind, atomic_load (&control->kind));
    atomic_store (&control->left, n);
    atomic_store (&armed, web);
    arm (web);
    return disarm (web, __real_edge_submit (context, web));
}

web_next_t __wrap_edge_complete (void *context, web_request_t *web, web_call_t *call, bool in_time)
{
    if (atomic_load (&armed) != web)
        return __real_edge_complete (context, web, call, in_time);
    arm (web);
    return disarm (web, __real_edge_complete (context, web, call, in_time));
}

web_next_t __wrap_edge_resume (void *context, web_request_t *web)
{
    if (atomic_load (&armed) != web)
        return __real_edge_resume (context, web);
    arm (web);
    return disarm (web, __real_edge_resume (context, web));
}

static void hand_back (void)
{
    atomic_store (&control->left, heap_fail_nth (0));
    of_bus = false;
}

static void answered (void *context, const envelope_t *header, bytes_t body,
                      const failure_t *failure)
{
    (void) context;
    of_bus = true;
    heap_fail_nth (atomic_load (&control->left));
    ask_done (ask_context, header, body, failure);
    if (of_bus)
        hand_back ();
}

/* The asker goes on from here: the count goes back first. */
bool __wrap_web_call_complete (web_call_t *self)
{
    if (of_bus)
        hand_back ();
    return __real_web_call_complete (self);
}

void __wrap_svc_ask (svc_t *svc, svc_ask_t *ask)
{
    if (working && kind == FAIL_SEND && atomic_load (&control->left) &&
        atomic_fetch_sub (&control->left, 1) == 1) {
        failure_t failure = {0};
        failure_set (&failure, E_UNAVAILABLE, "", "there is no connection");
        ask->done (ask->context, NULL, (bytes_t){0}, &failure);
        return;
    }
    if (working && kind == FAIL_HEAP && !handed_over) {
        handed_over = true;
        atomic_store (&control->left, heap_fail_nth (0));
        ask_done = ask->done;
        ask_context = ask->context;
        ask->done = answered;
    }
    __real_svc_ask (svc, ask);
}
