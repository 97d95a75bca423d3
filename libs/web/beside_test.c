/* beside_test.c - work that the loop's thread does beside: woken by its descriptors, run on that thread alone, begun once and ended once. */
#include "web/web.h"
#include "web/web_client_test.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct beside {
    int fds[WEB_BESIDE_FDS];
    pthread_t thread;
    atomic_uint begun, ended, runs, heard, sleeps;
    atomic_bool wrong; /* something ran on another thread */
    atomic_int wait_ms;
} beside_t;

static void here (beside_t *self)
{
    if (!pthread_equal (self->thread, pthread_self ()))
        atomic_store (&self->wrong, true);
}

static void beside_begin (void *context, int fds[WEB_BESIDE_FDS])
{
    beside_t *self = context;
    self->thread = pthread_self ();
    memcpy (fds, self->fds, sizeof self->fds);
    atomic_fetch_add (&self->begun, 1);
}

static bool beside_arm (void *context)
{
    here (context);
    atomic_fetch_add (&((beside_t *) context)->sleeps, 1);
    return true;
}

static int beside_run (void *context, bool silent)
{
    beside_t *self = context;
    eventfd_t count;
    here (self);
    for (int i = silent ? 1 : 0; i < WEB_BESIDE_FDS;
         i++) /* what comes just now is heard next time */
        if (eventfd_read (self->fds[i], &count) == 0 && i == 0)
            atomic_fetch_add (&self->heard, 1);
    atomic_fetch_add (&self->runs, 1);
    return atomic_load (&self->wait_ms);
}

static void beside_end (void *context)
{
    here (context);
    atomic_fetch_add (&((beside_t *) context)->ended, 1);
}

static const web_beside_t work = {beside_begin, beside_arm, beside_run, beside_end};

static web_next_t submit (void *context, web_request_t *request)
{
    here (context);
    web_answer (request, 200, (const char *const[]){NULL}, bytes_of_str ("x"));
    return WEB_DONE;
}

static web_server_t *server_of (beside_t *self, unsigned loops)
{
    web_server_t *server = NULL;
    web_config_t config = {.listen = "127.0.0.1:0",
                           .loops = loops,
                           .submit = submit,
                           .beside = &work,
                           .context = self};
    failure_t failure = {0};
    atomic_init (&self->wait_ms, 60000);
    for (int i = 0; i < WEB_BESIDE_FDS; i++)
        self->fds[i] = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_int_equal (web_server_new (&config, &server, &failure), 0);
    return server;
}

static void server_end (beside_t *self, web_server_t *server)
{
    assert_true (web_server_stop (server, 5000));
    web_server_destroy (&server);
    for (int i = 0; i < WEB_BESIDE_FDS; i++)
        close (self->fds[i]);
}

static void until (const atomic_uint *count, unsigned least)
{
    for (int i = 0; i < 10000 && atomic_load (count) < least; i++)
        poll (NULL, 0, 1);
    assert_true (atomic_load (count) >= least);
}

static void runs_when_woken (void **state)
{
    (void) state;
    beside_t self = {0};
    web_server_t *server = server_of (&self, 1);
    until (&self.begun, 1);
    for (unsigned i = 0; i < 9; i++) {
        unsigned runs = atomic_load (&self.runs), heard = atomic_load (&self.heard);
        assert_int_equal (eventfd_write (self.fds[i % WEB_BESIDE_FDS], 1), 0);
        until (&self.runs, runs + 1);
        if (i % WEB_BESIDE_FDS == 0)
            until (&self.heard, heard + 1);
        assert_int_equal (web_client_ask (web_server_port (server),
                                          "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                              .status,
                          200);
    }
    assert_true (atomic_load (&self.sleeps) > 0);
    assert_int_equal (atomic_load (&self.ended), 0);
    server_end (&self, server);
    assert_int_equal (atomic_load (&self.begun), 1);
    assert_int_equal (atomic_load (&self.ended), 1);
    assert_false (atomic_load (&self.wrong));
}

static void runs_when_it_wants (void **state)
{
    (void) state;
    beside_t self = {0};
    web_server_t *server = server_of (&self, 1);
    until (&self.runs, 1);
    atomic_store (&self.wait_ms, 5);
    assert_int_equal (eventfd_write (self.fds[1], 1), 0);
    until (&self.runs, 10); /* nobody wakes it */
    server_end (&self, server);
    assert_false (atomic_load (&self.wrong));
}

static void several_loops_leave_it_alone (void **state)
{
    (void) state;
    beside_t self = {0};
    web_server_t *server = server_of (&self, 2);
    server_end (&self, server);
    assert_int_equal (atomic_load (&self.begun) + atomic_load (&self.runs), 0);
    assert_int_equal (atomic_load (&self.ended), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (runs_when_woken),
                                       cmocka_unit_test (runs_when_it_wants),
                                       cmocka_unit_test (several_loops_leave_it_alone)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
