/* fetch.c - outbound HTTP for one thread: transfers over curl's multi interface, started in turn by host, finished by callback.
 *
 * How it fails: every started transfer is called back exactly once, with the stage it reached; nothing here blocks but fetch_work, as long as it
 * is told to. */
#include "fetch/fetch.h"
#include "fetch/transfer.h"
#include "fetch/watch.h"

#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_DEFAULT = 256, PER_HOST_DEFAULT = 32, IDLE_HANDLES_MAX = 256 };

struct fetch {
    CURLM *multi;
    watch_t watch;
    guard_t guard;
    lines_t lines;
    char *user_agent;
    bool allow_http;
    unsigned connections;
    bool ending;
    transfer_t *active_first; /* inside curl */
    unsigned active;
    unsigned running; /* not yet called back */
    transfer_t *idle; /* with their handles, for the next requests */
    unsigned idle_count;
    transfer_t *refused; /* cannot be tried; called back by the next fetch_work */
    int64_t earliest_ms; /* no deadline in the lines is before this */
};

static int fetch_set_up (fetch_t *self, const fetch_config_t *config, failure_t *failure)
{
    char bad[64] = "";
    int code = guard_read (config->allow, &self->guard, bad, sizeof bad);
    if (code != E_OK)
        return failure_set (failure, code, "allow", "'%s' is not a network", bad);
    self->multi = curl_multi_init ();
    if (self->multi == NULL || watch_open (&self->watch, self->multi) != E_OK)
        return failure_set (failure, E_NO_MEMORY, "", "no memory or descriptor for curl");
    if (config->user_agent != NULL && !(self->user_agent = strdup (config->user_agent)))
        return failure_set (failure, E_NO_MEMORY, "", "no memory for curl");
    self->allow_http = config->allow_http;
    self->connections = config->connections != 0 ? config->connections : CONNECTIONS_DEFAULT;
    self->lines.per_host = config->per_host != 0 ? config->per_host : PER_HOST_DEFAULT;
    self->earliest_ms = INT64_MAX;
    curl_multi_setopt (self->multi, CURLMOPT_MAXCONNECTS, (long) self->connections);
    return E_OK;
}

int fetch_new (const fetch_config_t *config, fetch_t **out, failure_t *failure)
{
    if (curl_global_init (CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return failure_set (failure, E_UNAVAILABLE, "", "curl cannot be used here");
    fetch_t *self = calloc (1, sizeof *self);
    if (self != NULL)
        self->watch.epoll_fd = -1;
    int code = self != NULL ? fetch_set_up (self, config, failure)
                            : failure_set (failure, E_NO_MEMORY, "", "no memory");
    if (code != E_OK)
        fetch_destroy (&self);
    else
        *out = self;
    return code;
}

static void active_add (fetch_t *self, transfer_t *transfer)
{
    transfer->active_previous = NULL;
    transfer->active_next = self->active_first;
    if (self->active_first != NULL)
        self->active_first->active_previous = transfer;
    self->active_first = transfer;
    self->active++;
}

static void active_remove (fetch_t *self, transfer_t *transfer)
{
    curl_multi_remove_handle (self->multi, transfer->easy);
    if (transfer->active_previous != NULL)
        transfer->active_previous->active_next = transfer->active_next;
    else
        self->active_first = transfer->active_next;
    if (transfer->active_next != NULL)
        transfer->active_next->active_previous = transfer->active_previous;
    self->active--;
}

/* ---- starting ---- */

static transfer_t *idle_take (fetch_t *self)
{
    transfer_t *transfer = self->idle;
    if (transfer == NULL)
        return transfer_new (self, &self->guard);
    self->idle = transfer->next;
    self->idle_count--;
    transfer->next = NULL;
    return transfer;
}

static void idle_put (fetch_t *self, transfer_t *transfer)
{
    transfer_clear (transfer);
    if (self->idle_count >= IDLE_HANDLES_MAX) {
        transfer_destroy (&transfer);
        return;
    }
    transfer->next = self->idle;
    self->idle = transfer;
    self->idle_count++;
}

static void refused_put (fetch_t *self, transfer_t *transfer, int code)
{
    transfer->refused = code;
    transfer->next = self->refused;
    self->refused = transfer;
}

void fetch_start (fetch_t *self, const fetch_request_t *request, fetch_done_fn *done, void *context)
{
    transfer_t *transfer = self->ending ? NULL : idle_take (self);
    if (transfer == NULL) { /* nothing to remember it by: the one callback that comes from here */
        fetch_answer_t answer = {.code = self->ending ? E_UNAVAILABLE : E_NO_MEMORY,
                                 .reason = self->ending ? "ending" : "no memory",
                                 .headers = ""};
        done (context, &answer);
        return;
    }
    self->running++;
    int code = transfer_fill (transfer, request);
    transfer->done = done;
    transfer->context = context;
    if (code == E_OK)
        code = lines_join (&self->lines, transfer);
    if (code != E_OK)
        refused_put (self, transfer, code);
    else if (transfer->deadline_ms < self->earliest_ms)
        self->earliest_ms = transfer->deadline_ms;
}

/* ---- finishing ---- */

/* The place is free before the callback, so that what it starts can have it. */
static void fetch_finish (fetch_t *self, transfer_t *transfer, CURLcode result, int code,
                          const char *reason)
{
    lines_leave (&self->lines, transfer);
    self->running--;
    transfer_finish (transfer, result, code, reason);
    idle_put (self, transfer);
}

static const char *refused_reason (int code)
{
    if (code == E_NOT_FOUND)
        return "the file to be sent is not there";
    return code == E_BAD_REQUEST ? "the URL, method or a header is malformed" : "no memory";
}

static unsigned finish_refused (fetch_t *self)
{
    unsigned count = 0;
    transfer_t *transfer = self->refused;
    self->refused = NULL;
    while (transfer != NULL) {
        transfer_t *next = transfer->next;
        fetch_finish (self, transfer, CURLE_OK, transfer->refused,
                      refused_reason (transfer->refused));
        transfer = next;
        count++;
    }
    return count;
}

static unsigned finish_expired (fetch_t *self)
{
    int64_t now_ms = clock_mono_ms ();
    if (now_ms < self->earliest_ms)
        return 0;
    unsigned count = 0;
    transfer_t *transfer = lines_expired (&self->lines, now_ms, &self->earliest_ms);
    while (transfer != NULL) {
        transfer_t *next = transfer->next;
        fetch_finish (self, transfer, CURLE_OK, E_TIMEOUT,
                      "not sent in time: too many requests to this host are under way");
        transfer = next;
        count++;
    }
    return count;
}

static unsigned finish_done (fetch_t *self)
{
    unsigned count = 0;
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read (self->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; /* gone once the handle is removed */
        CURL *easy = message->easy_handle;
        char *private = NULL;
        curl_easy_getinfo (easy, CURLINFO_PRIVATE, &private);
        transfer_t *transfer = (transfer_t *) (void *) private;
        active_remove (self, transfer);
        fetch_finish (self, transfer, result, E_OK, NULL);
        count++;
    }
    return count;
}

/* ---- working ---- */

static void start_waiting (fetch_t *self)
{
    int64_t now_ms = clock_mono_ms ();
    while (self->active < self->connections) {
        transfer_t *transfer = lines_next (&self->lines);
        if (transfer == NULL)
            return;
        int code = transfer_arm (transfer, self->user_agent, self->allow_http, now_ms);
        if (code == E_OK && curl_multi_add_handle (self->multi, transfer->easy) != CURLM_OK)
            code = E_NO_MEMORY;
        if (code == E_OK)
            active_add (self, transfer);
        else
            refused_put (self, transfer, code);
    }
}

static unsigned work_once (fetch_t *self)
{
    unsigned count = finish_expired (self);
    start_waiting (self);
    watch_timer (&self->watch);
    count += finish_done (self);
    return count + finish_refused (self);
}

static int wait_bounded (const fetch_t *self, int timeout_ms)
{
    if (self->earliest_ms == INT64_MAX || self->lines.waiting == 0)
        return timeout_ms;
    int64_t left = self->earliest_ms - clock_mono_ms ();
    if (left < 0)
        left = 0;
    return left < timeout_ms ? (int) left : timeout_ms;
}

void fetch_work (fetch_t *self, int timeout_ms, int wake_fd)
{
    if (timeout_ms < 0)
        timeout_ms = 0;
    if (work_once (self) > 0)
        return; /* the caller may have more to start now */
    watch_wait (&self->watch, wait_bounded (self, timeout_ms), wake_fd);
    work_once (self);
}

unsigned fetch_running (const fetch_t *self)
{
    return self->running;
}

/* ---- the end ---- */

static void end_active (fetch_t *self)
{
    while (self->active_first != NULL) {
        transfer_t *transfer = self->active_first;
        active_remove (self, transfer);
        fetch_finish (self, transfer, CURLE_OK, E_UNAVAILABLE, "ended before an answer came");
    }
}

static void end_waiting (fetch_t *self)
{
    transfer_t *transfer = lines_expired (&self->lines, INT64_MAX, &self->earliest_ms);
    while (transfer != NULL) {
        transfer_t *next = transfer->next;
        fetch_finish (self, transfer, CURLE_OK, E_UNAVAILABLE, "ended before it was sent");
        transfer = next;
    }
}

void fetch_destroy (fetch_t **self_p)
{
    if (self_p == NULL || *self_p == NULL)
        return;
    fetch_t *self = *self_p;
    *self_p = NULL;
    self->ending = true;
    end_active (self);
    end_waiting (self);
    finish_refused (self);
    for (transfer_t *transfer = self->idle, *next; transfer != NULL; transfer = next) {
        next = transfer->next;
        transfer_destroy (&transfer);
    }
    lines_free (&self->lines);
    curl_multi_cleanup (self->multi);
    watch_close (&self->watch);
    guard_free (&self->guard);
    free (self->user_agent);
    free (self);
    curl_global_cleanup ();
}
