/* callbacks.c - see callbacks.h: making and posting them, the heap of what is due, start and end of the thread.
 *
 * How it fails: over PENDING_MAX new callbacks are not kept. */
#include "callbacks_inner.h"

#include "base/clock.h"
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LIST_MAX = 40000, PENDING_MAX = 200000, ANSWER_BODY_MAX = 64 * 1024 };

/* ---- one callback ---- */

callback_t *callback_new (provider_t provider, const char *event, const char *url, char *body)
{
    callback_t *self = must_alloc (sizeof *self);
    self->shares = 1;
    self->provider = provider;
    self->method = "POST";
    self->event = must_strdup (event);
    self->url = must_strdup (url);
    self->body = body;
    self->answer_max = ANSWER_BODY_MAX;
    return self;
}

static void wait_destroy (web_call_t *call)
{
    sim_wait_t *self = (sim_wait_t *) call;
    free (self->body);
    free (self);
}

void callback_wait_end (callback_t *self)
{
    sim_wait_t *wait = self->wait;
    self->wait = NULL;
    if (wait != NULL)
        web_call_complete (&wait->call);
}

void callback_release (callback_t *self)
{
    if (--self->shares > 0)
        return;
    callback_wait_end (self);
    free (self->event);
    free (self->message_id);
    free (self->url);
    free (self->failover);
    free (self->body);
    free (self->sent);
    free (self->sent_url);
    cJSON_Delete (self->more_headers);
    cJSON_Delete (self->headers);
    free (self);
}

static void list_free_entry (void *value)
{
    callback_release (value);
}

void callback_delay (callback_t *self, int64_t delay_ms)
{
    self->delay_ms = delay_ms;
}

void callback_message (callback_t *self, const char *message_id)
{
    text_replace (&self->message_id, message_id);
}

void callback_failover (callback_t *self, const char *url)
{
    text_replace (&self->failover, url != NULL && *url != '\0' ? url : NULL);
}

void callback_raw (callback_t *self, signature_t signature, int64_t timestamp, const cJSON *headers)
{
    self->raw = true;
    self->signature = signature;
    self->timestamp = timestamp;
    self->more_headers = headers != NULL ? cJSON_Duplicate (headers, true) : NULL;
}

sim_wait_t *callback_wait (callback_t *self)
{
    sim_wait_t *wait = must_alloc (sizeof *wait);
    web_call_init (&wait->call, wait_destroy);
    self->wait = wait;
    return wait;
}

static callback_t *callback_copy (const callback_t *self)
{
    callback_t *copy =
        callback_new (self->provider, self->event, self->url, must_strdup (self->body));
    copy->delay_ms = self->delay_ms;
    callback_message (copy, self->message_id);
    callback_failover (copy, self->failover);
    return copy;
}

/* ---- the heap, earliest first ---- */

static bool is_before (const callback_t *a, const callback_t *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->id < b->id;
}

void callback_heap_put (callbacks_t *self, callback_t *callback)
{
    if (self->heap_size == self->heap_capacity) {
        self->heap_capacity = self->heap_capacity > 0 ? self->heap_capacity * 2 : 64;
        self->heap = must_grow (self->heap, self->heap_capacity * sizeof *self->heap);
    }
    size_t at = self->heap_size++;
    for (; at > 0 && is_before (callback, self->heap[(at - 1) / 2]); at = (at - 1) / 2)
        self->heap[at] = self->heap[(at - 1) / 2];
    self->heap[at] = callback;
}

callback_t *callback_heap_take (callbacks_t *self)
{
    callback_t *first = self->heap[0], *last = self->heap[--self->heap_size];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < self->heap_size && is_before (self->heap[child + 1], self->heap[child]))
            child++;
        if (child >= self->heap_size || !is_before (self->heap[child], last))
            break;
        self->heap[at] = self->heap[child];
        at = child;
    }
    if (self->heap_size > 0)
        self->heap[at] = last;
    return first;
}

static void thread_wake (const callbacks_t *self)
{
    uint64_t one = 1;
    (void) !write (self->wake_fd, &one, sizeof one);
}

/* The base of delays is the posting; a chained one is never before its time. */
static void callback_queue (callbacks_t *self, callback_t *callback)
{
    callback_heap_put (self, callback);
    thread_wake (self);
}

/* ---- posting ---- */

static void list_reverse (callback_t **list, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        callback_t *other = list[count - 1 - i];
        int64_t delay_ms = other->delay_ms;
        other->delay_ms = list[i]->delay_ms;
        list[i]->delay_ms = delay_ms;
        list[count - 1 - i] = list[i];
        list[i] = other;
    }
}

static callback_t **chain_add (callbacks_t *self, callback_t **slot, callback_t *callback)
{
    callback->sim = self->sim;
    callback->id = ++self->last_id;
    callback->due_ms = clock_mono_ms () + callback->delay_ms;
    callback->generation = self->generation;
    self->pending++;
    *slot = callback;
    return &callback->after;
}

void callbacks_post (sim_t *sim, callback_t **list, size_t count, const rule_action_t *action)
{
    callbacks_t *self = sim->callbacks;
    bool none = action != NULL && action->no_callbacks;
    callback_t *first = NULL, **slot = &first;
    if (action != NULL && action->reorder_callbacks)
        list_reverse (list, count);
    for (size_t i = 0; i < count; i++) {
        if (none || list[i]->url == NULL || self->ending || self->heap_size >= PENDING_MAX) {
            callback_release (list[i]);
            continue;
        }
        slot = chain_add (self, slot, list[i]);
        unsigned copies = action != NULL ? action->duplicate_callbacks : 0;
        for (unsigned copy = 0; copy < copies; copy++)
            slot = chain_add (self, slot, callback_copy (list[i]));
    }
    if (first != NULL)
        callback_queue (self, first);
}

void callbacks_later (sim_t *sim, int64_t delay_ms, callback_act_fn *act, const char *key)
{
    callbacks_t *self = sim->callbacks;
    callback_t *callback = callback_new (PROVIDER_CONTROL, "later", NULL, must_strdup (key));
    callback->sim = sim;
    callback->act = act;
    callback->id = ++self->last_id;
    callback->due_ms = clock_mono_ms () + delay_ms;
    callback_queue (self, callback);
}

void callback_end (callbacks_t *self, callback_t *callback, bool with_chain)
{
    while (callback != NULL) {
        callback_t *after = with_chain ? callback->after : NULL;
        if (callback->act == NULL)
            self->pending--;
        callback_release (callback);
        callback = after;
    }
}

void callbacks_cancel (sim_t *sim)
{
    callbacks_t *self = sim->callbacks;
    size_t count = self->heap_size, kept = 0;
    callback_t **all = self->heap;
    self->generation++;
    self->heap = must_alloc (self->heap_capacity * sizeof *self->heap);
    self->heap_size = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i]->act == NULL)
            callback_end (self, all[i], true);
        else
            all[kept++] = all[i];
    for (size_t i = 0; i < kept; i++)
        callback_heap_put (self, all[i]);
    free (all);
}

/* ---- life ---- */

callbacks_t *callbacks_new (sim_t *sim)
{
    callbacks_t *self = must_alloc (sizeof *self);
    self->sim = sim;
    self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->list = table_new (LIST_MAX, list_free_entry);
    return self;
}

int callbacks_start (callbacks_t *self)
{
    fetch_config_t config = {.allow = "0.0.0.0/0,::/0", .allow_http = true};
    if (self->wake_fd < 0 || fetch_new (&config, &self->fetch, NULL) != 0)
        return -1;
    self->started = pthread_create (&self->thread, NULL, callbacks_run, self) == 0;
    return self->started ? 0 : -1;
}

void callbacks_destroy (callbacks_t **self_p)
{
    if (self_p == NULL || *self_p == NULL)
        return;
    callbacks_t *self = *self_p;
    pthread_mutex_lock (&self->sim->lock);
    self->ending = true;
    pthread_mutex_unlock (&self->sim->lock);
    thread_wake (self);
    if (self->started)
        pthread_join (self->thread, NULL);
    fetch_destroy (&self->fetch);
    while (self->heap_size > 0)
        callback_end (self, callback_heap_take (self), true);
    table_destroy (&self->list);
    free (self->heap);
    if (self->wake_fd >= 0)
        close (self->wake_fd);
    free (self);
    *self_p = NULL;
}
