/* callbacks_send.c - the thread that sends what is due: headers and signatures, attempts, answers.
 *
 * How it fails: a target that does not answer costs its attempts and is shown in the list. */
#include "callbacks_inner.h"

#include "base/clock.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORK_SLICE_MS = 1000 };

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
    self->sent = must_printf ("{\"data\":%s,\"meta\":{\"attempt\":%u,\"delivered_to\":%s}}",
                              self->body, self->attempts + 1, quoted);
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
    callback_wait_end (self);
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
    bool live = !self->ending && callback->generation == self->generation;
    if (after != NULL && live)
        callback_heap_put (self, after);
    else
        callback_end (self, after, true);
    bool again = !accepted && !callback->raw && live &&
                 callback->attempts < (unsigned) callback->sim->settings.callback_attempts;
    if (!again) {
        callback_end (self, callback, false);
        return;
    }
    unsigned doubled = callback->attempts - 1 < 20 ? callback->attempts - 1 : 20;
    callback->due_ms =
        clock_mono_ms () + callback->sim->settings.callback_retry_ms * ((int64_t) 1 << doubled);
    callback_heap_put (self, callback);
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
        callback_t *callback = callback_heap_take (self);
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

void *callbacks_run (void *context)
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
