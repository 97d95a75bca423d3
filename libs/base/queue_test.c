/* queue_test.c - order, parts, the eventfd, many threads to one. */
#include "base/queue.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { THREADS = 4, PER_THREAD = 5000 };

typedef struct job {
    queue_item_t item;
    int thread;
    int number;
} job_t;

static bool readable (const queue_t *queue)
{
    struct pollfd event = {.fd = queue_fd (queue), .events = POLLIN};
    return poll (&event, 1, 0) == 1;
}

static void test_order_and_parts (void **state)
{
    (void) state;
    queue_t *queue = queue_new ();
    job_t jobs[10];
    assert_null (queue_take (queue, 0));
    assert_false (readable (queue));
    for (int i = 0; i < 10; i++) {
        jobs[i].number = i;
        queue_put (queue, &jobs[i].item);
    }
    assert_int_equal (queue_size (queue), 10);
    static const size_t parts[] = {1, 3, 5, 0};
    static const int counts[] = {1, 3, 5, 1};
    int next = 0;
    for (size_t i = 0; i < 4; i++) {
        assert_true (readable (queue));
        int count = 0;
        for (queue_item_t *at = queue_take (queue, parts[i]); at; at = at->next, count++)
            assert_int_equal (((job_t *) at)->number, next++);
        assert_int_equal (count, counts[i]);
    }
    assert_false (readable (queue));
    assert_int_equal (queue_size (queue), 0);
    queue_put (queue, &jobs[0].item);
    assert_true (readable (queue));
    assert_ptr_equal (queue_take (queue, 1), &jobs[0].item);
    assert_false (readable (queue));
    queue_destroy (&queue);
    assert_null (queue);
    queue_destroy (&queue);
    queue_destroy (NULL);
}

static void test_held_wakes_nobody (void **state)
{
    (void) state;
    queue_t *queue = queue_new ();
    job_t jobs[3];
    queue_hold (queue);
    queue_go (queue);
    assert_false (readable (queue));
    queue_hold (queue);
    queue_put (queue, &jobs[0].item);
    queue_put (queue, &jobs[1].item);
    assert_false (readable (queue));
    queue_go (queue);
    assert_true (readable (queue));
    assert_ptr_equal (queue_take (queue, 0), &jobs[0].item);
    assert_false (readable (queue));
    queue_hold (queue);
    queue_put (queue, &jobs[2].item);
    assert_ptr_equal (queue_take (queue, 0), &jobs[2].item); /* whoever looks finds it */
    queue_go (queue);
    assert_false (readable (queue));
    queue_destroy (&queue);
}

static void test_wait_times_out (void **state)
{
    (void) state;
    queue_t *queue = queue_new ();
    assert_null (queue_wait (queue, 0, 0));
    assert_null (queue_wait (queue, 0, 5));
    job_t job;
    queue_put (queue, &job.item);
    assert_ptr_equal (queue_wait (queue, 0, -1), &job.item);
    queue_destroy (&queue);
}

typedef struct putter {
    queue_t *queue;
    int thread;
} putter_t;

static void *put_many (void *argument)
{
    putter_t *self = argument;
    for (int i = 0; i < PER_THREAD; i++) {
        job_t *job = calloc (1, sizeof *job);
        if (!job)
            abort ();
        job->thread = self->thread;
        job->number = i;
        queue_put (self->queue, &job->item);
    }
    return NULL;
}

static void test_threads (void **state)
{
    (void) state;
    queue_t *queue = queue_new ();
    pthread_t threads[THREADS];
    putter_t putters[THREADS];
    int next[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        putters[i] = (putter_t){queue, i};
        assert_int_equal (pthread_create (&threads[i], NULL, put_many, &putters[i]), 0);
    }
    for (int got = 0; got < THREADS * PER_THREAD;) {
        queue_item_t *at = queue_wait (queue, (size_t) (got % 100), -1);
        assert_non_null (at);
        while (at) {
            job_t *job = (job_t *) at;
            at = at->next;
            assert_int_equal (job->number, next[job->thread]++);
            free (job);
            got++;
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    assert_int_equal (queue_size (queue), 0);
    assert_false (readable (queue));
    queue_destroy (&queue);
}

/* One that looks by itself sleeps only when armed, and then nothing is missed. */
typedef struct some {
    queue_t *queue;
    job_t jobs[10];
} some_t;

static void *put_some (void *argument)
{
    some_t *some = argument;
    for (int i = 0; i < 10; i++) {
        queue_put (some->queue, &some->jobs[i].item);
        poll (NULL, 0, 1);
    }
    return NULL;
}

static int length (const queue_item_t *chain)
{
    int count = 0;
    for (; chain; chain = chain->next)
        count++;
    return count;
}

/* As many as are wanted come in one chain; who waits for more has patience, then takes what there is. */
static void test_gathers (void **state)
{
    (void) state;
    enum { LONG_US = 60000000 };
    some_t some = {.queue = queue_new ()};
    pthread_t thread;
    assert_null (queue_gather (some.queue, 0, 5, 3, LONG_US)); /* nothing came */
    assert_int_equal (pthread_create (&thread, NULL, put_some, &some), 0);
    assert_int_equal (length (queue_gather (some.queue, 0, -1, 10, LONG_US)), 10);
    pthread_join (thread, NULL);
    assert_false (readable (some.queue));
    for (int i = 0; i < 4; i++)
        queue_put (some.queue, &some.jobs[i].item);
    assert_int_equal (length (queue_gather (some.queue, 0, -1, 5, 100)), 4);
    for (int i = 0; i < 4; i++)
        queue_put (some.queue, &some.jobs[i].item);
    assert_int_equal (length (queue_gather (some.queue, 3, -1, 4, LONG_US)), 3);
    assert_int_equal (length (queue_gather (some.queue, 3, -1, 1, LONG_US)), 1);
    queue_destroy (&some.queue);
}

static void test_armed (void **state)
{
    (void) state;
    queue_t *queue = queue_new ();
    job_t jobs[2];
    assert_true (queue_arm (queue));
    assert_false (readable (queue));
    queue_put (queue, &jobs[0].item);
    assert_true (readable (queue));
    assert_false (queue_arm (queue));
    assert_ptr_equal (queue_take (queue, 0), &jobs[0].item);
    assert_false (readable (queue));
    queue_put (queue, &jobs[0].item); /* nobody sleeps */
    queue_put (queue, &jobs[1].item);
    assert_false (readable (queue));
    assert_false (queue_arm (queue));
    assert_ptr_equal (queue_take (queue, 1), &jobs[0].item);
    assert_ptr_equal (queue_take (queue, 1), &jobs[1].item);
    assert_true (queue_arm (queue));
    assert_null (queue_take (queue, 0)); /* awake again */
    queue_put (queue, &jobs[0].item);
    assert_false (readable (queue));
    assert_ptr_equal (queue_take (queue, 0), &jobs[0].item);
    assert_true (queue_arm (queue));
    queue_hold (queue);
    queue_put (queue, &jobs[0].item);
    assert_false (readable (queue));
    queue_put (queue, &jobs[1].item);
    queue_go (queue);
    assert_true (readable (queue));
    assert_ptr_equal (queue_take (queue, 0), &jobs[0].item);
    assert_false (readable (queue));
    queue_hold (queue);
    queue_put (queue, &jobs[0].item);
    queue_go (queue); /* nobody sleeps */
    assert_false (readable (queue));
    assert_ptr_equal (queue_take (queue, 0), &jobs[0].item);
    queue_destroy (&queue);
}

static void test_armed_threads (void **state)
{
    (void) state;
    queue_t *queue = queue_new ();
    pthread_t threads[THREADS];
    putter_t putters[THREADS];
    int next[THREADS] = {0};
    assert_true (queue_arm (queue)); /* from here on lazy */
    assert_null (queue_take (queue, 0));
    for (int i = 0; i < THREADS; i++) {
        putters[i] = (putter_t){queue, i};
        assert_int_equal (pthread_create (&threads[i], NULL, put_many, &putters[i]), 0);
    }
    for (int got = 0; got < THREADS * PER_THREAD;) {
        struct pollfd event = {.fd = queue_fd (queue), .events = POLLIN};
        if (queue_arm (queue))
            assert_int_equal (poll (&event, 1, 10000), 1); /* a wake that gets lost ends the test */
        for (queue_item_t *at = queue_take (queue, (size_t) (got % 100)); at; got++) {
            job_t *job = (job_t *) at;
            at = at->next;
            assert_int_equal (job->number, next[job->thread]++);
            free (job);
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    assert_null (queue_take (queue, 0)); /* takes back the last write, if it came late */
    assert_false (readable (queue));
    queue_destroy (&queue);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_order_and_parts), cmocka_unit_test (test_held_wakes_nobody),
        cmocka_unit_test (test_wait_times_out),  cmocka_unit_test (test_threads),
        cmocka_unit_test (test_gathers),         cmocka_unit_test (test_armed),
        cmocka_unit_test (test_armed_threads),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
