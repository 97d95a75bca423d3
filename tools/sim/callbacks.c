/* callbacks.c - see callbacks.h: a heap of what is due, one thread with curl, and the list of what was sent.
 *
 * How it fails: a target that does not answer costs its attempts and is shown in the list; over PENDING_MAX new callbacks are not kept. */
#include "callbacks.h"

#include "base/clock.h"
#include "fetch/fetch.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    LIST_MAX = 40000,
    PENDING_MAX = 200000,
    ANSWERS_KEPT = 8,
    WORK_SLICE_MS = 1000,
    ANSWER_BODY_MAX = 64 * 1024
};

typedef struct attempt {
    int64_t at_ms;
    int status;
    char error[96];
} attempt_t;

struct callback {
    sim_t *sim;
    int64_t id;
    unsigned shares; /* heap or flight, and the list */
    provider_t provider;
    const char *method;
    char *event;
    char *message_id;
    char *url;
    char *failover;
    char *body;
    cJSON *more_headers;
    bool raw;
    signature_t signature;
    int64_t timestamp;
    int64_t delay_ms;
    int64_t due_ms; /* monotonic */
    size_t answer_max;
    callback_t *after; /* next in the chain */
    callback_act_fn *act;
    sim_wait_t *wait;
    cJSON *headers; /* as sent last */
    char *sent;     /* body as sent last */
    char *sent_url;
    unsigned attempts;
    attempt_t answers[ANSWERS_KEPT];
};

struct callbacks {
    sim_t *sim;
    pthread_t thread;
    bool started;
    bool ending; /* under the lock */
    int wake_fd;
    fetch_t *fetch;
    callback_t **heap;
    size_t heap_size;
    size_t heap_capacity;
    int64_t last_id;
    table_t *list; /* id -> callback_t */
};

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

static void wait_end (callback_t *self)
{
    sim_wait_t *wait = self->wait;
    self->wait = NULL;
    if (wait != NULL)
        web_call_complete (&wait->call);
}

static void callback_release (callback_t *self)
{
    if (--self->shares > 0)
        return;
    wait_end (self);
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

void callback_free (callback_t *self)
{
    if (self != NULL)
        callback_release (self);
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

static void heap_put (callbacks_t *self, callback_t *callback)
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

static callback_t *heap_take (callbacks_t *self)
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
    heap_put (self, callback);
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

/* ---- sending ---- */

static const char *header_note (callback_t *self, const char *name, const char *value)
{
    json_set_text (self->headers, name, value);
    return value;
}

static void headers_sign (callback_t *self, bytes_t body)
{
    char text[96], stamp[24];
    const sim_t *sim = self->sim;
    if (self->signature == SIGNATURE_NONE || strcmp (self->method, "POST") != 0)
        return;
    if (self->provider == PROVIDER_META) {
        signature_meta (sim->settings.meta_app_secret, body, text);
        if (self->signature == SIGNATURE_WRONG)
            text[7] = text[7] == '0' ? '1' : '0';
        header_note (self, "X-Hub-Signature-256", text);
        return;
    }
    int64_t seconds = self->timestamp != 0 ? self->timestamp : clock_now_ms () / 1000;
    snprintf (stamp, sizeof stamp, "%" PRId64, seconds);
    signature_telnyx (sim->telnyx_secret, stamp, body, text);
    if (self->signature == SIGNATURE_WRONG)
        text[0] = text[0] == 'A' ? 'B' : 'A';
    header_note (self, "telnyx-signature-ed25519", text);
    header_note (self, "telnyx-timestamp", stamp);
}

static void headers_make (callback_t *self, bytes_t body)
{
    const cJSON *member;
    cJSON_Delete (self->headers);
    self->headers = cJSON_CreateObject ();
    if (strcmp (self->method, "POST") == 0)
        header_note (self, "Content-Type", "application/json");
    header_note (self, "User-Agent",
                 self->provider == PROVIDER_META ? "facebookexternalua" : "telnyx-webhooks");
    headers_sign (self, body);
    cJSON_ArrayForEach (member, self->more_headers)
    {
        if (cJSON_IsString (member))
            header_note (self, member->string, member->valuestring);
    }
}

/* The target of this attempt: the second half of Telnyx's goes to the failover URL. */
static const char *attempt_url (const callback_t *self)
{
    int64_t half = (self->sim->settings.callback_attempts + 1) / 2;
    return self->failover != NULL && self->attempts >= half ? self->failover : self->url;
}

static void body_make (callback_t *self)
{
    free (self->sent);
    self->sent = NULL;
    if (self->body == NULL)
        return;
    if (self->provider != PROVIDER_TELNYX || self->raw) {
        self->sent = must_strdup (self->body);
        return;
    }
    cJSON *url = cJSON_CreateString (self->sent_url);
    char *quoted = json_print (url);
    self->sent = must_printf ("{\"data\":%s,\"meta\":{\"attempt\":%u,\"delivered_to\":%s}}", self->body,
                              self->attempts + 1, quoted);
    free (quoted);
    cJSON_Delete (url);
}

static void callback_done (void *context, const fetch_answer_t *answer);

/* Under the lock: everything of the request is copied by fetch_start. */
static void callback_send (callbacks_t *self, callback_t *callback)
{
    enum { HEADERS_MAX = 24 };
    char *lines[HEADERS_MAX + 1] = {NULL};
    size_t count = 0;
    const cJSON *member;
    text_replace (&callback->sent_url, attempt_url (callback));
    body_make (callback);
    bytes_t body = bytes_of_str (callback->sent != NULL ? callback->sent : "");
    headers_make (callback, body);
    cJSON_ArrayForEach (member, callback->headers)
    {
        if (count < HEADERS_MAX)
            lines[count++] = must_printf ("%s: %s", member->string, member->valuestring);
    }
    if (callback->attempts == 0 && callback->act == NULL) {
        char key[24];
        snprintf (key, sizeof key, "%" PRId64, callback->id);
        callback->shares++;
        table_put (self->list, key, callback);
    }
    fetch_request_t request = {.method = callback->method,
                               .url = callback->sent_url,
                               .headers = (const char *const *) lines,
                               .body = body,
                               .timeout_ms = (uint32_t) callback->sim->settings.callback_timeout_ms,
                               .answer_max = callback->answer_max,
                               .guarded = true};
    fetch_start (self->fetch, &request, callback_done, callback);
    for (size_t i = 0; i < count; i++)
        free (lines[i]);
}

static void wait_fill (callback_t *self, const fetch_answer_t *answer, bool accepted)
{
    sim_wait_t *wait = self->wait;
    bytes_t type = {0};
    if (wait == NULL)
        return;
    wait->accepted = accepted;
    wait->status = answer->status;
    wait->id = self->id;
    snprintf (wait->error, sizeof wait->error, "%s",
              answer->stage != FETCH_ANSWERED && answer->reason != NULL ? answer->reason : "");
    wait->body_size = answer->body.size;
    wait->body = must_alloc (answer->body.size + 1);
    if (answer->body.size > 0)
        memcpy (wait->body, answer->body.data, answer->body.size);
    if (fetch_header (answer, "Content-Type", &type))
        snprintf (wait->content_type, sizeof wait->content_type, "%.*s", (int) type.size,
                  (const char *) type.data);
    wait_end (self);
}

static void attempt_note (callback_t *self, const fetch_answer_t *answer)
{
    attempt_t *attempt =
        &self->answers[self->attempts < ANSWERS_KEPT ? self->attempts : ANSWERS_KEPT - 1];
    attempt->at_ms = sim_now_ms (self->sim);
    attempt->status = answer->stage == FETCH_ANSWERED ? answer->status : 0;
    snprintf (attempt->error, sizeof attempt->error, "%s",
              attempt->status == 0 && answer->reason != NULL ? answer->reason : "");
    self->attempts++;
}

static void callback_settle (callbacks_t *self, callback_t *callback, const fetch_answer_t *answer)
{
    bool accepted = answer->stage == FETCH_ANSWERED && answer->status / 100 == 2;
    attempt_note (callback, answer);
    wait_fill (callback, answer, accepted);
    callback_t *after = callback->after;
    callback->after = NULL;
    if (after != NULL && !self->ending)
        heap_put (self, after);
    else
        callback_free (after);
    bool again = !accepted && !callback->raw && !self->ending &&
                 callback->attempts < (unsigned) callback->sim->settings.callback_attempts;
    if (!again) {
        callback_release (callback);
        return;
    }
    unsigned doubled = callback->attempts - 1 < 20 ? callback->attempts - 1 : 20;
    callback->due_ms =
        clock_mono_ms () + callback->sim->settings.callback_retry_ms * ((int64_t) 1 << doubled);
    heap_put (self, callback);
}

/* From fetch_work and fetch_destroy, both without the lock; fetch_start's own refusal comes under it, which the mutex allows (it is recursive). */
static void callback_done (void *context, const fetch_answer_t *answer)
{
    callback_t *callback = context;
    sim_t *sim = callback->sim;
    pthread_mutex_lock (&sim->lock);
    callback_settle (sim->callbacks, callback, answer);
    pthread_mutex_unlock (&sim->lock);
}

/* Start what is due; how long until the next. */
static int due_start (callbacks_t *self)
{
    int64_t now_ms = clock_mono_ms ();
    while (self->heap_size > 0 && self->heap[0]->due_ms <= now_ms) {
        callback_t *callback = heap_take (self);
        if (callback->act == NULL) {
            callback_send (self, callback);
            continue;
        }
        callback->act (self->sim, callback->body);
        callback_release (callback);
    }
    int64_t wait_ms = self->heap_size > 0 ? self->heap[0]->due_ms - now_ms : WORK_SLICE_MS;
    return (int) (wait_ms < WORK_SLICE_MS ? wait_ms : WORK_SLICE_MS);
}

static void *thread_run (void *context)
{
    callbacks_t *self = context;
    for (;;) {
        uint64_t wakes;
        (void) !read (self->wake_fd, &wakes, sizeof wakes);
        pthread_mutex_lock (&self->sim->lock);
        int wait_ms = self->ending ? -1 : due_start (self);
        pthread_mutex_unlock (&self->sim->lock);
        if (wait_ms < 0)
            return NULL;
        fetch_work (self->fetch, wait_ms, self->wake_fd);
    }
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
    self->started = pthread_create (&self->thread, NULL, thread_run, self) == 0;
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
        for (callback_t *callback = heap_take (self), *after; callback != NULL; callback = after) {
            after = callback->after;
            callback_release (callback);
        }
    table_destroy (&self->list);
    free (self->heap);
    if (self->wake_fd >= 0)
        close (self->wake_fd);
    free (self);
    *self_p = NULL;
}

/* ---- asking others ---- */

static sim_wait_t *ask_post (sim_t *sim, callback_t *callback)
{
    callback->method = "GET";
    callback->raw = true;
    sim_wait_t *wait = callback_wait (callback);
    callbacks_post (sim, &callback, 1, NULL);
    return wait;
}

static void query_add (buf_t *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= '0' && *text <= '9') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= 'a' && *text <= 'z') || strchr ("-._~", *text) != NULL;
        buf_printf (out, plain ? "%c" : "%%%02X", (unsigned char) *text);
    }
}

sim_wait_t *callback_handshake (sim_t *sim, const char *url, const char *verify_token,
                                char challenge[16])
{
    buf_t full = {0};
    sim_digits (sim, challenge, 10);
    buf_printf (&full, "%s%chub.mode=subscribe&hub.challenge=%s&hub.verify_token=", url,
                strchr (url, '?') != NULL ? '&' : '?', challenge);
    query_add (&full, verify_token);
    callback_t *callback = callback_new (PROVIDER_META, "handshake", buf_text (&full), NULL);
    buf_free (&full);
    return ask_post (sim, callback);
}

bool handshake_passed (const sim_wait_t *wait, const char *challenge)
{
    return wait != NULL && wait->status == 200 && wait->body != NULL &&
           strcmp (wait->body, challenge) == 0;
}

sim_wait_t *callback_fetch (sim_t *sim, const char *url, size_t most)
{
    callback_t *callback = callback_new (PROVIDER_TELNYX, "media.fetch", url, NULL);
    callback->answer_max = most;
    return ask_post (sim, callback);
}

/* ---- the list ---- */

static cJSON *answers_show (const callback_t *self)
{
    cJSON *out = cJSON_CreateArray ();
    for (unsigned i = 0; i < self->attempts && i < ANSWERS_KEPT; i++) {
        char at[CLOCK_ISO_SIZE];
        cJSON *one = cJSON_CreateObject ();
        clock_write_iso (self->answers[i].at_ms, at);
        json_add_text (one, "at", at);
        if (self->answers[i].status != 0)
            json_add_number (one, "status", self->answers[i].status);
        else
            json_add_text (one, "error", self->answers[i].error);
        cJSON_AddItemToArray (out, one);
    }
    return out;
}

static cJSON *callback_show (const callback_t *self)
{
    static const char *const signatures[] = {"right", "wrong", "none"};
    cJSON *out = cJSON_CreateObject ();
    json_add_number (out, "id", (double) self->id);
    json_add_text (out, "provider", provider_name (self->provider));
    json_add_text (out, "event", self->event);
    json_add_text (out, "message_id", self->message_id);
    json_add_text (out, "method", self->method);
    json_add_text (out, "url", self->sent_url);
    json_add_copy (out, "headers", self->headers);
    json_add_text (out, "body", self->sent);
    json_add_text (out, "signature",
                   self->sent == NULL ? "none" : signatures[self->signature]);
    json_add_number (out, "attempts", self->attempts);
    const attempt_t *last =
        self->attempts > 0
            ? &self->answers[(self->attempts < ANSWERS_KEPT ? self->attempts : ANSWERS_KEPT) - 1]
            : NULL;
    json_add (out, "answered_status",
              last != NULL && last->status != 0 ? cJSON_CreateNumber (last->status)
                                                : cJSON_CreateNull ());
    json_add (out, "answers", answers_show (self));
    return out;
}

cJSON *callbacks_list (sim_t *sim, const char *provider, int64_t after)
{
    cJSON *out = cJSON_CreateArray ();
    table_entry_t *at = NULL;
    const callback_t *callback;
    while ((callback = table_next (sim->callbacks->list, &at)) != NULL)
        if (callback->id > after &&
            (provider == NULL || strcmp (provider, provider_name (callback->provider)) == 0))
            cJSON_AddItemToArray (out, callback_show (callback));
    return out;
}

cJSON *callbacks_show_one (sim_t *sim, int64_t id)
{
    char key[24];
    snprintf (key, sizeof key, "%" PRId64, id);
    const callback_t *callback = table_get (sim->callbacks->list, key);
    return callback != NULL ? callback_show (callback) : NULL;
}

void callbacks_forget (sim_t *sim)
{
    table_clear (sim->callbacks->list);
}

size_t callbacks_pending (sim_t *sim)
{
    return sim->callbacks->heap_size;
}
