/* request.c - one request: checked, handed to submit and complete, its body read under one deadline.
 *
 * civetweb reads headers kindly (the first of two Content-Lengths, "+4x" as 4, chunked beside a length, folded lines); behind a proxy that reads
 * them otherwise this would let one request hide in another's body, so such requests are refused here. How it fails: with an answer. */
#include "web/server.h"

#include "base/clock.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PARK_SLICE_MS = 250, /* how soon a parked request sees that the server aborts */
    BODY_PIECE = 16 * 1024,
    BODY_AT_ONCE =
        64 * 1024, /* of what was announced: more has to come before there is room for it */
    KEPT_MAX = 8 * 1024,
    DRAIN_MAX = 256 * 1024,
    DRAIN_MS = 500
};

void request_init (web_request_t *self, web_server_t *server, struct mg_connection *connection)
{
    memset (self, 0, sizeof *self);
    self->server = server;
    self->connection = connection;
    self->info = mg_get_request_info (connection);
    self->status = 500;
    self->facts.length = -1;
    atomic_init (&self->watched.phase, WATCH_WORK);
    atomic_init (&self->watched.deadline_ms, INT64_MAX);
    if (self->info == NULL)
        return;
    if (self->info->request_method != NULL && text_is_token (self->info->request_method))
        self->method = self->info->request_method;
    self->watched.peer = watch_peer (self->info->remote_addr, self->info->remote_port);
    self->is_watched = true;
}

/* ---- what a request works with ---- */

void memory_destroy (memory_t *self)
{
    arena_destroy (&self->arena);
    buf_free (&self->body);
    buf_free (&self->head);
    buf_free (&self->text);
    free (self);
}

static memory_t *memory_new (const web_server_t *server)
{
    memory_t *self = calloc (1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->arena = arena_new (server->config.arena_max);
    self->date_s = -1;
    if (self->arena != NULL)
        return self;
    free (self);
    return NULL;
}

/* Empty, and what one request made large is not kept for all that follow. */
static void buf_rest (buf_t *self)
{
    if (self->capacity > KEPT_MAX)
        buf_free (self);
    buf_clear (self);
}

memory_t *request_memory (web_request_t *self)
{
    if (self->memory == NULL)
        self->memory = memory_new (self->server);
    return self->memory;
}

arena_t *web_arena (web_request_t *self)
{
    memory_t *memory = request_memory (self);
    return memory != NULL ? memory->arena : NULL;
}

buf_t *web_text (web_request_t *self)
{
    memory_t *memory = request_memory (self);
    if (memory == NULL)
        return NULL;
    buf_clear (&memory->text);
    return &memory->text;
}

void request_free (web_request_t *self)
{
    memory_t *memory = self->memory;
    self->memory = NULL;
    if (memory != NULL) {
        arena_reset (memory->arena);
        buf_rest (&memory->body);
        buf_rest (&memory->head);
        buf_rest (&memory->text);
    }
    if (self->is_watched)
        watch_leave (self->server, &self->watched, memory);
    else if (memory != NULL)
        memory_destroy (memory);
}

/* ---- what was asked ---- */

const char *web_method (const web_request_t *self)
{
    return self->method;
}

const char *web_raw_path (const web_request_t *self)
{
    return self->info != NULL ? self->info->local_uri_raw : NULL;
}

const char *web_query (const web_request_t *self)
{
    return self->info != NULL && self->info->query_string != NULL ? self->info->query_string : "";
}

bool web_header_at (const web_request_t *self, size_t index, const char **name, const char **value)
{
    if (self->info == NULL || index >= (size_t) self->info->num_headers)
        return false;
    *name = self->info->http_headers[index].name;
    *value = self->info->http_headers[index].value;
    return *name != NULL && *value != NULL; /* a malformed request is told before its headers are */
}

static char lower (char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
}

/* Most names differ at once: no call for those. */
static bool name_is (const char *a, const char *b)
{
    while (lower (*a) == lower (*b)) {
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
    return false;
}

const char *web_header (const web_request_t *self, const char *name)
{
    const struct mg_header *at = self->info != NULL ? self->info->http_headers : NULL;
    const struct mg_header *end = at != NULL ? at + self->info->num_headers : NULL;
    char first = lower (*name);
    for (; at < end && at->name != NULL; at++)
        if (lower (*at->name) == first && name_is (at->name, name))
            return at->value;
    return NULL;
}

const char *web_remote (const web_request_t *self)
{
    return self->info != NULL ? self->info->remote_addr : "";
}

void web_set_data (web_request_t *self, void *data)
{
    self->data = data;
}

void *web_data (const web_request_t *self)
{
    return self->data;
}

int64_t web_body_length (const web_request_t *self)
{
    if (self->facts.coding != NULL)
        return -1;
    return self->facts.length >= 0 ? self->facts.length : 0;
}

/* ---- checks ---- */

typedef struct header_counts {
    unsigned length;
    unsigned coding;
    unsigned host;
} header_counts_t;

static int length_read (const char *value, header_facts_t *facts)
{
    size_t digits = strspn (value, "0123456789");
    if (digits == 0 || digits >= 19 || value[digits] != '\0')
        return 400;
    if (facts->length < 0)
        facts->length = strtoll (value, NULL, 10);
    return 0;
}

/* Checks a header and notes it, if it is one of ours; the first of a name counts. */
static int header_take (const char *name, const char *value, header_facts_t *facts,
                        header_counts_t *counts)
{
    if (!text_is_token (name) || strchr (value, '\r') != NULL || strchr (value, '\n') != NULL)
        return 400;
    if (name_is (name, "Content-Length")) {
        counts->length++;
        return length_read (value, facts);
    }
    if (name_is (name, "Transfer-Encoding")) {
        counts->coding++;
        facts->coding = facts->coding != NULL ? facts->coding : value;
        return strcasecmp (value, "chunked") == 0 ? 0 : 400;
    }
    if (name_is (name, "Connection"))
        facts->connection = facts->connection != NULL ? facts->connection : value;
    else if (name_is (name, "Expect"))
        facts->expect = facts->expect != NULL ? facts->expect : value;
    else if (name_is (name, "Upgrade"))
        facts->upgrade = true;
    counts->host += name_is (name, "Host");
    return 0;
}

/* 0, or the status to refuse with. */
static int request_check (web_request_t *self)
{
    header_counts_t counts = {0};
    const char *name, *value;
    if (self->info == NULL || self->method == NULL || self->info->local_uri_raw == NULL)
        return 400;
    if (self->info->num_headers >= MG_MAX_HEADERS)
        return 431; /* civetweb drops those after the last */
    for (size_t i = 0; web_header_at (self, i, &name, &value); i++) {
        int status = header_take (name, value, &self->facts, &counts);
        if (status != 0)
            return status;
    }
    bool is_11 = self->info->http_version != NULL && strcmp (self->info->http_version, "1.1") == 0;
    if (counts.length + counts.coding > 1 || counts.host > 1)
        return 400;
    if ((is_11 && counts.host == 0) || (!is_11 && counts.coding > 0))
        return 400;
    return 0;
}

static bool header_has_word (const char *value, const char *word)
{
    size_t length = strlen (word);
    while (value != NULL && *value != '\0') {
        value += strspn (value, " \t,");
        size_t span = strcspn (value, " \t,");
        if (span == length && strncasecmp (value, word, length) == 0)
            return true;
        value += span;
    }
    return false;
}

static bool request_wants_close (const web_request_t *self)
{
    const char *connection = self->facts.connection;
    if (header_has_word (connection, "close") || self->facts.upgrade)
        return true;
    bool is_11 = strcmp (self->info->http_version, "1.1") == 0;
    return !is_11 && !header_has_word (connection, "keep-alive");
}

/* ---- the way through ---- */

static bool park_wait (web_request_t *self)
{
    int64_t left_ms = self->park_ms, until_ms = clock_mono_ms () + left_ms;
    for (;; left_ms = until_ms - clock_mono_ms ()) {
        if (left_ms <= 0 || atomic_load (&self->server->aborting))
            return web_wait (&self->call->waiter, 0);
        if (web_wait_slice (&self->call->waiter,
                            left_ms < PARK_SLICE_MS ? (uint32_t) left_ms : PARK_SLICE_MS))
            return true;
    }
}

static void request_serve (web_request_t *self)
{
    const web_config_t *config = &self->server->config;
    web_next_t next = config->submit (config->context, self);
    while (next == WEB_WAIT && self->call != NULL) {
        bool in_time = park_wait (self);
        web_call_t *call = self->call;
        self->call = NULL;
        next = config->complete != NULL ? config->complete (config->context, self, call, in_time)
                                        : WEB_DONE;
        web_call_release (call);
    }
    if (!self->answered)
        request_refuse (self, 500, "The request was not answered.");
}

void web_park (web_request_t *self, web_call_t *call, uint32_t timeout_ms)
{
    if (self->call != NULL)
        web_call_release (self->call);
    self->call = call;
    self->park_ms = timeout_ms;
}

void request_run (web_request_t *self)
{
    int status = request_check (self);
    self->body_done = status != 0 || web_body_length (self) == 0;
    self->close = status != 0 || request_wants_close (self);
    if (mg_get_user_connection_data (self->connection) == &self->server->late) {
        self->close =
            true; /* without a word, as if nobody listened any more: the client goes to another server */
    } else if (status == 0) {
        request_serve (self);
    } else {
        request_refuse (self, status,
                        status == 431 ? "The request has too many headers."
                                      : "The request's headers are not sound.");
    }
}

void request_refuse (web_request_t *self, int status, const char *text)
{
    const web_config_t *config = &self->server->config;
    if (config->refuse != NULL)
        config->refuse (config->context, self, status, text);
    if (!self->answered) {
        const char *headers[] = {"Content-Type: text/plain; charset=utf-8", NULL};
        web_answer (self, status, headers, bytes_of_str (text));
    }
}

/* ---- the body ---- */

static void body_begin (web_request_t *self)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    self->body_begun = true;
    const char *expect = self->facts.expect;
    if (!self->answered && expect != NULL && strcasecmp (expect, "100-continue") == 0)
        mg_write (self->connection, go_on, sizeof go_on - 1);
    watch_phase_set (&self->watched, WATCH_BODY,
                     self->body_timeout_ms != 0 ? self->body_timeout_ms
                                                : self->server->config.body_timeout_ms);
}

void web_body_allow (web_request_t *self, uint32_t timeout_ms)
{
    self->body_timeout_ms = timeout_ms;
}

/* The end, or why it did not come: the watch cut it, or the client did. */
static long body_end (web_request_t *self, int got, int64_t waited_ms)
{
    bool cut = watch_phase_set (&self->watched, WATCH_WORK, 0);
    bool whole = got == 0 && !cut;
    int64_t length = web_body_length (self);
    if (whole && length >= 0 && self->body_taken < length)
        whole = false;
    self->body_done = true;
    if (whole)
        return 0;
    self->close = true;
    /* A gap longer than civetweb's own limit looks to it like the end. */
    bool slow = cut || waited_ms + 100 >= self->server->config.header_timeout_ms;
    self->body_status = slow ? 408 : 400;
    return -self->body_status;
}

long web_body_piece (web_request_t *self, void *out, size_t size)
{
    if (self->body_status != 0)
        return -self->body_status;
    if (self->body_done || size == 0)
        return 0;
    if (!self->body_begun)
        body_begin (self);
    int64_t from_ms = clock_mono_ms ();
    int got = mg_read (self->connection, out, size < BODY_PIECE ? size : BODY_PIECE);
    if (got > 0) {
        self->body_taken += got;
        if (atomic_load (&self->watched.phase) != WATCH_CUT &&
            self->body_taken != web_body_length (self))
            return got;
        return body_end (self, 0, 0) == 0 ? got : -self->body_status;
    }
    return body_end (self, got, clock_mono_ms () - from_ms);
}

/* How much room to make for what comes next. */
static size_t body_room (const web_request_t *self)
{
    int64_t left = web_body_length (self) - self->body_taken;
    return left <= 0 ? BODY_PIECE : left < BODY_AT_ONCE ? (size_t) left + 1 : BODY_AT_ONCE;
}

int web_body (web_request_t *self, size_t limit, bytes_t *out)
{
    if (!self->body_done && web_body_length (self) > (int64_t) limit)
        return 413;
    memory_t *memory = request_memory (self);
    if (memory == NULL)
        return 503;
    buf_t *body = &memory->body;
    while (!self->body_done) {
        size_t room = body_room (self);
        uint8_t *to = buf_reserve (body, room);
        if (to == NULL)
            return 503;
        long got = web_body_piece (self, to, room);
        if (got <= 0)
            break;
        body->size += (size_t) got;
        if (body->size > limit)
            return 413;
    }
    if (self->body_status != 0)
        return self->body_status;
    if (buf_reserve (body, 1) == NULL) /* for the NUL */
        return 503;
    *out = bytes_of (buf_text (body), body->size);
    return body->size > limit ? 413 : 0;
}

/* A close with unread bytes would reset the connection, and the client could lose the answer that says why. */
void request_drain (web_request_t *self)
{
    char piece[4096];
    if (self->body_done)
        return;
    const char *expect = self->facts.expect;
    if (!self->body_begun && expect != NULL) { /* it waits for a go that will not come */
        self->close = true;
        return;
    }
    int64_t length = web_body_length (self);
    self->body_begun = true;
    watch_phase_set (&self->watched, WATCH_BODY, DRAIN_MS);
    size_t taken = 0;
    int got = 1;
    while (got > 0 && taken < DRAIN_MAX && (length < 0 || self->body_taken < length)) {
        got = mg_read (self->connection, piece, sizeof piece);
        if (got > 0) {
            taken += (size_t) got;
            self->body_taken += got;
        }
    }
    bool cut = watch_phase_set (&self->watched, WATCH_WORK, 0);
    bool whole = length < 0 ? got == 0 : self->body_taken == length;
    if (cut || !whole)
        self->close = true;
    self->body_done = true;
}
