/* follower.c - the thread that follows accounts' journal: each answered read is a beat that renews the lease on cached keys.
 *
 * Reading from a cursor tells accounts that this edge has forgotten all that was revoked before it; an edge that is stopped or cut off tells nothing and
 * its lease ends by itself. When the broker itself says that no accounts is there, nobody can revoke and the lease goes on: accounts counts a full lease after
 * it came back before it believes that it knows all edges. */
#include "edge.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PAGE = 500,
    POLL_MS = 300,
    POLL_TTL_MS = 1500,
    PAUSE_MS = 50,
    SLICE_MS = 50,
    CURSOR_MAX = 64,
    PAGE_MEMORY = 4 << 20
};

struct follower {
    edge_t *edge;
    pthread_t thread;
    atomic_bool quit;
    char name[32];
    uint8_t cursor[CURSOR_MAX];
    size_t cursor_size; /* 0 = from the head */
    bool told;          /* that it cannot be followed */
    arena_t *arena;
    int64_t uses_at; /* when the last uses of keys were told */
};

static void pause_ms (long ms)
{
    struct timespec wait = {.tv_nsec = ms * 1000000};
    nanosleep (&wait, NULL);
}

static call_t *poll_send (follower_t *self)
{
    call_t *call = call_new (self->edge->calls);
    if (!call)
        return NULL;
    common_journal_read_in_t in = {.cursor = bytes_of (self->cursor, self->cursor_size),
                                   .limit = PAGE,
                                   .wait_ms = self->cursor_size ? POLL_MS : 0,
                                   .follower = self->name,
                                   .lease = true};
    in.has = COMMON_JOURNAL_READ_IN_HAS_WAIT_MS;
    if (self->cursor_size)
        in.has |= COMMON_JOURNAL_READ_IN_HAS_CURSOR;
    snprintf (call->target, sizeof call->target, "accounts.journal_read");
    schema_pack (&common_journal_read_in_type, &in, &call->body);
    if (buf_failed (&call->body)) {
        call_drop (call);
        return NULL;
    }
    call_send (self->edge->svc, call, POLL_TTL_MS);
    return call;
}

/* False: follow anew from the head. */
static bool page_apply (follower_t *self, const call_t *call, int64_t sent_ms)
{
    common_journal_read_out_t page = {0};
    bool fresh = self->cursor_size == 0;
    if (schema_unpack (&common_journal_read_out_type, buf_bytes (&call->answer), self->arena, &page,
                       NULL))
        return false;
    if (page.cursor.size > CURSOR_MAX ||
        !key_lease_page (self->edge->keys, &page, fresh, sent_ms, self->arena))
        return false;
    if (page.cursor.size) {
        memcpy (self->cursor, page.cursor.data, page.cursor.size);
        self->cursor_size = page.cursor.size;
    }
    return true;
}

static void page_take (follower_t *self, const call_t *call, int64_t sent_ms)
{
    jmp_buf trap;
    arena_trap (self->arena, &trap);
    bool good = setjmp (trap) ? false : page_apply (self, call, sent_ms);
    arena_trap (self->arena, NULL);
    arena_reset (self->arena);
    if (good)
        return;
    key_cache_drop_all (self->edge->keys);
    self->cursor_size = 0;
    pause_ms (PAUSE_MS);
}

static void trouble_tell (follower_t *self, const failure_t *failure)
{
    bool lapsed = key_lease_until (self->edge->keys) <= clock_mono_ms ();
    if (lapsed && !self->told)
        svc_log (self->edge->svc, LOG_WARN, "accounts cannot be followed: cached keys are not used",
                 "reason", failure->text, NULL);
    self->told = lapsed;
}

static void poll_once (follower_t *self)
{
    int64_t sent_ms = clock_mono_ms (), until = sent_ms + POLL_TTL_MS + SLICE_MS;
    call_t *call = poll_send (self);
    bool done = false, lapsed = key_lease_until (self->edge->keys) <= sent_ms;
    while (call && !done && clock_mono_ms () < until && !atomic_load (&self->quit))
        done = web_wait_slice (&call->web.waiter, SLICE_MS);
    if (done && call->failure.code == 0) {
        page_take (self, call, sent_ms);
        if (lapsed)
            svc_wake (self->edge->svc);
        self->told = false;
    } else if (!atomic_load (&self->quit)) {
        failure_t failure = {.text = "no answer"};
        if (done)
            failure = call->failure;
        if (done && call->by_broker && failure.code == E_UNAVAILABLE)
            key_lease_renew (self->edge->keys, sent_ms);
        trouble_tell (self, &failure);
        pause_ms (PAUSE_MS);
    }
    if (call)
        web_call_release (&call->web);
}

/* ---- last uses of keys ---- */

enum { USES_AT_ONCE = 500, USES_LAST_MS = 500 };

/* NULL: there is nothing to tell. */
static call_t *uses_send (follower_t *self)
{
    accounts_key_use_t uses[USES_AT_ONCE];
    size_t count = key_uses_take (self->edge->uses, uses, USES_AT_ONCE);
    call_t *call = count ? call_new (self->edge->calls) : NULL;
    if (!call)
        return NULL;
    accounts_keys_used_in_t in = {.uses = {uses, count}};
    snprintf (call->target, sizeof call->target, "accounts.keys_used");
    schema_pack (&accounts_keys_used_in_type, &in, &call->body);
    if (buf_failed (&call->body)) {
        call_drop (call);
        return NULL;
    }
    call_send (self->edge->svc, call, POLL_TTL_MS);
    return call;
}

/* Nobody waits for the answer: a lost report is a minute of last uses that nobody misses, and following must not wait. */
static void uses_tell (follower_t *self)
{
    int64_t now = clock_mono_ms ();
    if (now - self->uses_at < self->edge->uses_every_ms)
        return;
    self->uses_at = now;
    for (call_t *call = uses_send (self); call; call = uses_send (self))
        web_call_release (&call->web);
}

static void uses_tell_last (follower_t *self)
{
    call_t *call = uses_send (self);
    if (!call)
        return;
    web_wait (&call->web.waiter, USES_LAST_MS);
    web_call_release (&call->web);
}

static void *follower_run (void *context)
{
    follower_t *self = context;
    while (!atomic_load (&self->quit)) {
        poll_once (self);
        uses_tell (self);
    }
    uses_tell_last (self);
    return NULL;
}

int follower_start (edge_t *edge)
{
    follower_t *self = calloc (1, sizeof *self);
    if (!self)
        return E_NO_MEMORY;
    self->edge = edge;
    self->uses_at = clock_mono_ms ();
    self->arena = arena_new (PAGE_MEMORY);
    snprintf (self->name, sizeof self->name, "edge#%u", svc_replica (edge->svc));
    if (!self->arena || pthread_create (&self->thread, NULL, follower_run, self)) {
        arena_destroy (&self->arena);
        free (self);
        return E_NO_MEMORY;
    }
    edge->follower = self;
    return 0;
}

void follower_stop (edge_t *edge)
{
    follower_t *self = edge->follower;
    if (!self)
        return;
    atomic_store (&self->quit, true);
    pthread_join (self->thread, NULL);
    arena_destroy (&self->arena);
    free (self);
    edge->follower = NULL;
}
