/* request.c - one request: what it says, its body, and on a thread the whole way from submit to its answer.
 *
 * A short body is there before submit. Any other is read by a thread, under one deadline and with a limit to each silence. How it fails: with an answer. */
#include "web/server.h"

#include "base/clock.h"
#include "base/text.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    SLICE_MS = 250, /* how soon a thread sees that the server aborts */
    BODY_PIECE = 16 * 1024,
    BODY_AT_ONCE =
        64 * 1024, /* of what was announced: more has to come before there is room for it */
    KEPT_MAX = 8 * 1024,
    DRAIN_MAX = 256 * 1024,
    DRAIN_MS = 500
};

void request_start (web_request_t *self, conn_t *conn)
{
    size_t head = offsetof (web_request_t, head);
    memset (self, 0, head);
    memset (&self->head, 0, offsetof (head_t, lines));
    memset ((char *) self + head + sizeof self->head, 0, sizeof *self - head - sizeof self->head);
    self->server = conn->loop->server;
    self->conn = conn;
    self->status = 500;
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
    web_server_t *server = self->server;
    if (self->memory != NULL)
        return self->memory;
    pthread_mutex_lock (&server->lock);
    memory_t *memory = server->idle;
    if (memory != NULL)
        server->idle = memory->next;
    pthread_mutex_unlock (&server->lock);
    self->memory = memory != NULL ? memory : memory_new (server);
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
    web_server_t *server = self->server;
    self->memory = NULL;
    if (self->call != NULL)
        web_call_release (self->call);
    self->call = NULL;
    if (memory == NULL)
        return;
    arena_reset (memory->arena);
    buf_rest (&memory->body);
    buf_rest (&memory->head);
    buf_rest (&memory->text);
    pthread_mutex_lock (&server->lock);
    memory->next = server->idle;
    server->idle = memory;
    pthread_mutex_unlock (&server->lock);
}

/* ---- what was asked ---- */

static const char *text_at (const web_request_t *self, uint32_t offset)
{
    return (const char *) self->conn->in.data + offset;
}

const char *web_method (const web_request_t *self)
{
    return self->head.has_method ? text_at (self, self->head.method) : NULL;
}

const char *web_raw_path (const web_request_t *self)
{
    return self->head.has_method ? text_at (self, self->head.path) : NULL;
}

const char *web_query (const web_request_t *self)
{
    return self->head.has_method ? text_at (self, self->head.query) : "";
}

bool web_header_at (const web_request_t *self, size_t index, const char **name, const char **value)
{
    if (index >= self->head.line_count)
        return false;
    *name = text_at (self, self->head.lines[index].name);
    *value = text_at (self, self->head.lines[index].value);
    return true;
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
    const head_line_t *at = self->head.lines, *end = at + self->head.line_count;
    for (; at < end; at++)
        if (name_is (text_at (self, at->name), name))
            return text_at (self, at->value);
    return NULL;
}

const char *web_remote (const web_request_t *self)
{
    return self->conn->remote;
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
    return self->head.length;
}

/* ---- on a thread ---- */

static bool park_wait (web_request_t *self)
{
    int64_t left_ms = self->park_ms, until_ms = clock_mono_ms () + left_ms;
    for (;; left_ms = until_ms - clock_mono_ms ()) {
        if (left_ms <= 0 || atomic_load (&self->server->aborting))
            return web_wait (&self->call->waiter, 0);
        if (web_wait_slice (&self->call->waiter,
                            left_ms < SLICE_MS ? (uint32_t) left_ms : SLICE_MS))
            return true;
    }
}

static web_next_t thread_step (web_request_t *self, web_next_t next)
{
    const web_config_t *config = &self->server->config;
    web_call_t *call = self->call;
    if (next == WEB_THREAD)
        return config->resume (config->context, self);
    if (call == NULL)
        return WEB_DONE;
    bool in_time = park_wait (self);
    self->call = NULL;
    next = config->complete (config->context, self, call, in_time);
    web_call_release (call);
    return next;
}

/* A close with unread bytes would reset the connection, and the client could lose the answer that says why. */
static void request_drain (web_request_t *self)
{
    char piece[4096];
    if (self->body_done)
        return;
    if (self->body_until_ms == 0 && self->head.expects) { /* it waits for a go that will not come */
        self->close = true;
        return;
    }
    self->body_until_ms = clock_mono_ms () + DRAIN_MS;
    size_t taken = 0;
    while (!self->body_done && taken < DRAIN_MAX) {
        long got = web_body_piece (self, piece, sizeof piece);
        taken += got > 0 ? (size_t) got : 0;
    }
    if (!self->body_done)
        self->close = true;
}

void request_run (web_request_t *self, bool begun)
{
    const web_config_t *config = &self->server->config;
    web_next_t next = begun ? WEB_THREAD : config->submit (config->context, self);
    while (next != WEB_DONE)
        next = thread_step (self, next);
    request_end (self);
    request_drain (self);
}

void web_park (web_request_t *self, web_call_t *call, uint32_t timeout_ms)
{
    if (self->call != NULL)
        web_call_release (self->call);
    self->call = call;
    self->park_ms = timeout_ms;
}

/* ---- answers in the application's place ---- */

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

void request_end (web_request_t *self)
{
    if (!self->answered)
        request_refuse (self, 500, "The request was not answered.");
}

/* ---- the body ---- */

static void body_begin (web_request_t *self)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uint32_t most_ms =
        self->body_timeout_ms != 0 ? self->body_timeout_ms : self->server->config.body_timeout_ms;
    self->body_until_ms = clock_mono_ms () + most_ms;
    if (!self->answered && self->head.continues)
        send (self->conn->fd, go_on, sizeof go_on - 1,
              MSG_NOSIGNAL); /* lost: the client goes on by itself or ends */
}

void web_body_allow (web_request_t *self, uint32_t timeout_ms)
{
    self->body_timeout_ms = timeout_ms;
}

static long body_fail (web_request_t *self, int status)
{
    if (status == 408)
        atomic_fetch_add (&self->server->timed_out, 1);
    self->body_done = true;
    self->close = true;
    self->body_status = status;
    return -status;
}

/* Until the socket can be read: 0, or 408. */
static int body_wait (web_request_t *self)
{
    int64_t now_ms = clock_mono_ms (), until_ms = now_ms + self->server->config.header_timeout_ms;
    if (self->body_until_ms < until_ms)
        until_ms = self->body_until_ms;
    struct pollfd wait = {.fd = self->conn->fd, .events = POLLIN};
    for (; now_ms < until_ms; now_ms = clock_mono_ms ()) {
        int64_t left_ms = until_ms - now_ms;
        if (poll (&wait, 1, left_ms < SLICE_MS ? (int) left_ms : SLICE_MS) > 0)
            return 0;
        if (atomic_load (&self->server->aborting))
            break;
    }
    return 408;
}

/* Bytes from the client: more than 0, or minus the status that their lack is answered with. */
static long body_recv (web_request_t *self, void *out, size_t size)
{
    for (;;) {
        ssize_t got =
            clock_mono_ms () < self->body_until_ms ? recv (self->conn->fd, out, size, 0) : 0;
        if (got > 0)
            return (long) got;
        if (clock_mono_ms () >= self->body_until_ms)
            return -408;
        if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return -400;
        int status = body_wait (self);
        if (status != 0)
            return -status;
    }
}

/* What came behind the head goes first. */
static size_t rest_take (conn_t *conn, void *out, size_t size)
{
    size_t left = conn->rest.size - conn->rest_used, span = left < size ? left : size;
    if (span > 0)
        memcpy (out, conn->rest.data + conn->rest_used, span);
    conn->rest_used += span;
    return span;
}

static long piece_sized (web_request_t *self, void *out, size_t size)
{
    int64_t left = self->head.length - self->body_taken;
    size_t most = (int64_t) size < left ? size : (size_t) left;
    size_t got = rest_take (self->conn, out, most);
    return got > 0 ? (long) got : body_recv (self, out, most < BODY_PIECE ? most : BODY_PIECE);
}

/* Bytes; 0 at the end. */
static long piece_chunked (web_request_t *self, void *out, size_t size)
{
    conn_t *conn = self->conn;
    for (;;) {
        size_t used, got;
        bool sound = chunks_take (&self->chunks, (char *) conn->rest.data + conn->rest_used,
                                  conn->rest.size - conn->rest_used, &used, out, size, &got);
        conn->rest_used += used;
        if (!sound)
            return -400;
        if (got > 0 || chunks_end (&self->chunks))
            return (long) got;
        buf_clear (&conn->rest);
        conn->rest_used = 0;
        uint8_t *to = buf_reserve (&conn->rest, BODY_PIECE);
        long more = to != NULL ? body_recv (self, to, BODY_PIECE) : -503;
        if (more < 0)
            return more;
        conn->rest.size = (size_t) more;
    }
}

static long piece_whole (web_request_t *self, void *out, size_t size)
{
    size_t left = self->whole.size - (size_t) self->body_taken, span = left < size ? left : size;
    memcpy (out, self->whole.data + self->body_taken, span);
    self->body_taken += (int64_t) span;
    return (long) span;
}

long web_body_piece (web_request_t *self, void *out, size_t size)
{
    if (self->body_status != 0)
        return -self->body_status;
    if (self->whole.data != NULL && size > 0)
        return piece_whole (self, out, size);
    if (self->body_done || size == 0)
        return 0;
    if (self->body_until_ms == 0)
        body_begin (self);
    bool sized = self->head.length >= 0;
    long got = sized ? piece_sized (self, out, size) : piece_chunked (self, out, size);
    if (got < 0)
        return body_fail (self, (int) -got);
    self->body_taken += got;
    self->body_done = sized ? self->body_taken == self->head.length : chunks_end (&self->chunks);
    return got;
}

/* How much room to make for what comes next. */
static size_t body_room (const web_request_t *self)
{
    int64_t left = web_body_length (self) - self->body_taken;
    return left <= 0 ? BODY_PIECE : left < BODY_AT_ONCE ? (size_t) left + 1 : BODY_AT_ONCE;
}

static int body_gather (web_request_t *self, size_t limit, bytes_t *out)
{
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

int web_body (web_request_t *self, size_t limit, bytes_t *out)
{
    if (web_body_length (self) > (int64_t) limit)
        return 413;
    if (self->whole.data == NULL)
        return body_gather (self, limit, out);
    *out = self->whole;
    return 0;
}
