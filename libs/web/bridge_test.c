/* bridge_test.c - waking, giving up, late completions, and many askers against one completer. */
#include "web/bridge.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

typedef struct sum_call {
    web_call_t call;
    int a;
    int b;
    int sum;
    atomic_int *freed;
} sum_call_t;

static void sum_call_destroy (web_call_t *call)
{
    sum_call_t *self = (sum_call_t *) call;
    if (self->freed != NULL)
        atomic_fetch_add (self->freed, 1);
    free (self);
}

static sum_call_t *sum_call_new (int a, int b, atomic_int *freed)
{
    sum_call_t *self = calloc (1, sizeof *self);
    web_call_init (&self->call, sum_call_destroy);
    self->a = a;
    self->b = b;
    self->freed = freed;
    return self;
}

static void waiter_woken_before_and_never (void **state)
{
    (void) state;
    web_waiter_t waiter;
    web_waiter_init (&waiter);
    assert_true (web_wake (&waiter));
    assert_false (web_wake (&waiter));
    assert_true (web_wait (&waiter, 0));
    assert_true (web_wait (&waiter, 1000));

    web_waiter_init (&waiter);
    assert_false (web_wait_slice (&waiter, 5));
    assert_false (web_waiter_gave_up (&waiter));
    assert_false (web_wait (&waiter, 5));
    assert_true (web_waiter_gave_up (&waiter));
    assert_false (web_wake (&waiter));
    assert_false (web_wait (&waiter, 1000)); /* given up is given up */
}

static void late_completion_finds_the_call (void **state)
{
    (void) state;
    atomic_int freed = 0;
    web_bridge_t *bridge = web_bridge_new ();
    sum_call_t *call = sum_call_new (1, 2, &freed);
    web_bridge_put (bridge, &call->call);
    assert_false (web_wait (&call->call.waiter, 5));
    web_call_release (&call->call);
    assert_int_equal (freed, 0);

    web_call_t *taken = web_bridge_take (bridge, 0);
    assert_ptr_equal (taken, call);
    assert_null (web_call_next (taken));
    assert_true (web_call_abandoned (taken));
    call->sum = 3;
    assert_false (web_call_complete (taken));
    assert_int_equal (freed, 1);
    web_bridge_destroy (&bridge);
}

static void destroy_completes_what_was_not_taken (void **state)
{
    (void) state;
    atomic_int freed = 0;
    web_bridge_t *bridge = web_bridge_new ();
    sum_call_t *call = sum_call_new (1, 2, &freed);
    web_bridge_put (bridge, &call->call);
    web_bridge_destroy (&bridge);
    assert_null (bridge);
    assert_true (web_wait (&call->call.waiter, 1000));
    assert_int_equal (call->sum, 0);
    web_call_release (&call->call);
    assert_int_equal (freed, 1);
    web_bridge_destroy (&bridge);
}

enum { ASKERS = 8, ASKS = 500 };

typedef struct crowd {
    web_bridge_t *bridge;
    atomic_int freed;
    atomic_int late;
    atomic_bool ending;
} crowd_t;

static void *crowd_ask (void *context)
{
    crowd_t *crowd = context;
    for (int i = 0; i < ASKS; i++) {
        sum_call_t *call = sum_call_new (i, 2 * i, &crowd->freed);
        web_bridge_put (crowd->bridge, &call->call);
        /* Some hardly wait, so that giving up and completing race. */
        if (!web_wait (&call->call.waiter, i % 7 == 0 ? 0 : 10000))
            atomic_fetch_add (&crowd->late, 1);
        else if (call->sum != 3 * i)
            abort ();
        web_call_release (&call->call);
    }
    return NULL;
}

static void *crowd_complete (void *context)
{
    crowd_t *crowd = context;
    while (!atomic_load (&crowd->ending)) {
        struct pollfd poll_fd = {.fd = web_bridge_fd (crowd->bridge), .events = POLLIN};
        poll (&poll_fd, 1, 20);
        web_call_t *call = web_bridge_take (crowd->bridge, 16);
        while (call != NULL) {
            web_call_t *next = web_call_next (call);
            sum_call_t *sum = (sum_call_t *) call;
            sum->sum = sum->a + sum->b;
            web_call_complete (call);
            call = next;
        }
    }
    return NULL;
}

static void crowd_gets_its_sums (void **state)
{
    (void) state;
    crowd_t crowd = {.bridge = web_bridge_new ()};
    pthread_t askers[ASKERS], completer;
    pthread_create (&completer, NULL, crowd_complete, &crowd);
    for (int i = 0; i < ASKERS; i++)
        pthread_create (&askers[i], NULL, crowd_ask, &crowd);
    for (int i = 0; i < ASKERS; i++)
        pthread_join (askers[i], NULL);
    atomic_store (&crowd.ending, true);
    pthread_join (completer, NULL);
    web_bridge_destroy (&crowd.bridge);
    assert_int_equal (crowd.freed, ASKERS * ASKS);
    assert_in_range (crowd.late, 0, ASKERS * (ASKS / 7 + 1));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (waiter_woken_before_and_never),
        cmocka_unit_test (late_completion_finds_the_call),
        cmocka_unit_test (destroy_completes_what_was_not_taken),
        cmocka_unit_test (crowd_gets_its_sums),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
