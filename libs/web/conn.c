/* conn.c - one connection: reads a request, hands it to submit and complete, sends the answer, and begins anew.
 *
 * A request whose head and short body are here is worked on where it came in, and parked without a thread. One that would have to be waited for byte by byte (a long body,
 * chunks, a client that expects a go) and one that asks for it (WEB_THREAD) is handed to a thread with socket and all, and comes back for the next. How it fails: with the
 * refusal that web.h tells of, or the connection's end. */
#include "web/server.h"

#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_LEAST = 4 * 1024,
    IN_KEPT = 16 * 1024,
    BODY_HERE = 64 * 1024, /* longer ones are read by a thread */
    AT_ONCE = 16,          /* requests, before the others get their turn */
    LINGER_MS = 500,
    LINGER_MAX = 256 * 1024
};

typedef enum fill {
    FILL_MORE,
    FILL_WAIT, /* nothing more at the moment */
    FILL_END   /* nothing more for ever */
} fill_t;

static const char malformed[] = "The request is not well-formed HTTP.";

static void work_done (conn_t *self);

/* ---- coming and going ---- */

static int64_t soon (uint32_t ms)
{
    return clock_mono_ms () + ms;
}

bool conn_open (loop_t *loop, int fd, const char *remote)
{
    conn_t *self = calloc (1, sizeof *self);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = self};
    if (self == NULL)
        return false;
    self->loop = loop;
    self->fd = fd;
    memcpy (self->remote, remote, strlen (remote) + 1); /* an address of 15 characters at most */
    if (epoll_ctl (loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free (self);
        return false;
    }
    loop->connections++;
    atomic_fetch_add (&loop->server->connections, 1);
    int64_t now_ms = clock_mono_ms ();
    loop_timer (self, now_ms + loop->server->config.header_timeout_ms);
    silent_add (self, now_ms);
    return true;
}

void conn_close (conn_t *self)
{
    if (self->state == CONN_HEAD)
        silent_remove (self);
    close (self->fd);
    self->fd = -1;
    self->state = CONN_CLOSED;
    loop_forget (self);
}

/* The client is to get what was sent before it hears of what it sent in vain. */
static void conn_linger (conn_t *self)
{
    shutdown (self->fd, SHUT_WR);
    self->state = CONN_LINGER;
    self->readable = true;
    loop_timer (self, soon (LINGER_MS));
}

static void linger_on (conn_t *self)
{
    char piece[4096];
    ssize_t got = 1;
    while (got > 0 && self->lingered < LINGER_MAX) {
        got = recv (self->fd, piece, sizeof piece, 0);
        self->lingered += got > 0 ? (size_t) got : 0;
    }
    if (got >= 0 || errno != EAGAIN)
        conn_close (self);
}

/* ---- reading ---- */

static fill_t conn_fill (conn_t *self, size_t want)
{
    if (!self->readable)
        return FILL_WAIT;
    size_t room = want > READ_LEAST ? want : READ_LEAST;
    uint8_t *to = buf_reserve (&self->in, room + 1);
    if (to == NULL)
        return FILL_END;
    ssize_t got = recv (self->fd, to, room, 0);
    if (got > 0) {
        self->in.size += (size_t) got;
        self->readable = (size_t) got == room || self->hung_up;
        return FILL_MORE;
    }
    if (got < 0 && errno == EINTR)
        return FILL_MORE;
    self->readable = false;
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? FILL_WAIT : FILL_END;
}

/* A CRLF before a request is passed over (RFC 9112, 2.2). */
static void skip_empty_lines (conn_t *self)
{
    size_t skip = 0;
    while (self->in.size - skip >= 2 && memcmp (self->in.data + skip, "\r\n", 2) == 0)
        skip += 2;
    if (skip == 0)
        return;
    self->in.size -= skip;
    memmove (self->in.data, self->in.data + skip, self->in.size);
}

static void work_begin (conn_t *self)
{
    if (self->state == CONN_HEAD)
        silent_remove (self);
    self->state = CONN_WORK;
    if (self->counted)
        return;
    self->counted = true;
    atomic_fetch_add (&self->loop->server->requests, 1);
}

/* The request that is here ends with this answer, and the connection too. */
static void conn_refuse (conn_t *self, int status, const char *text)
{
    work_begin (self);
    self->request.close = self->request.body_done = true;
    request_refuse (&self->request, status, text);
    work_done (self);
}

/* True once the head is read; the state is another one if it was refused. */
static bool head_is_here (conn_t *self)
{
    size_t most = self->loop->server->config.headers_max;
    skip_empty_lines (self);
    size_t end = head_end ((char *) self->in.data, self->in.size, self->looked);
    if (end == 0 && self->in.size <= most) {
        self->looked = self->in.size;
        return false;
    }
    self->looked = 0;
    self->in_used = end;
    request_start (&self->request, self);
    int status =
        end == 0 || end > most ? 431 : head_read ((char *) self->in.data, end, &self->request.head);
    if (status != 0) {
        conn_refuse (self, status,
                     status == 431   ? "The request has too many headers, or too long ones."
                     : status == 505 ? "This version of HTTP is not spoken here."
                                     : malformed);
        return false;
    }
    self->request.close = self->request.head.closes;
    return true;
}

/* Bytes of the body that are not here yet; 0 also for a body that a thread reads. */
static size_t body_missing (const conn_t *self)
{
    const head_t *head = &self->request.head;
    if (head->length <= 0 || head->length > BODY_HERE || head->expects)
        return 0;
    size_t need = head->size + (size_t) head->length;
    return need > self->in.size ? need - self->in.size : 0;
}

/* True if a request is whole and may be served. */
static bool request_is_here (conn_t *self)
{
    if (self->state == CONN_HEAD) {
        if (self->in.size == 0 || !head_is_here (self))
            return false;
        if (body_missing (self) == 0)
            return true;
        work_begin (self);
        self->state = CONN_BODY;
        loop_timer (self, soon (self->loop->server->config.body_timeout_ms));
    }
    return self->state == CONN_BODY && body_missing (self) == 0;
}

/* ---- serving ---- */

/* Where the body is whole, it is taken from where it was read; the byte behind it is the next request's. */
static void body_place (conn_t *self)
{
    web_request_t *request = &self->request;
    size_t size = (size_t) request->head.length;
    uint8_t *at = self->in.data + request->head.size;
    self->in_used = request->head.size + size;
    self->kept = (char) at[size]; /* there is room for it: conn_fill, rest_join */
    at[size] = '\0';
    request->whole = bytes_of (at, size);
}

static void body_unplace (conn_t *self)
{
    if (self->request.whole.data != NULL)
        self->in.data[self->in_used] = (uint8_t) self->kept;
    self->request.whole = (bytes_t){0};
}

/* What came behind the head is read by the thread, which must not move the head. False without memory. */
static bool rest_part (conn_t *self)
{
    buf_add (&self->rest, self->in.data + self->in_used, self->in.size - self->in_used);
    self->in.size = self->in_used;
    return !buf_failed (&self->rest);
}

/* And what it did not need is the next request's. Without memory `in` fails, and reading it ends the connection. */
static void rest_join (conn_t *self)
{
    buf_t *rest = &self->rest;
    size_t left = rest->size - self->rest_used;
    if (left > 0 && buf_reserve (&self->in, left + 1) != NULL) /* and for the NUL: body_place */
        buf_add (&self->in, rest->data + self->rest_used, left);
    buf_free (rest);
    self->rest_used = 0;
}

static bool to_thread (conn_t *self, bool begun)
{
    self->begun = begun;
    self->state = CONN_THREAD;
    loop_timer (self, INT64_MAX);
    if (threads_put (self->loop->server, self)) {
        self->loop->away++;
        return true;
    }
    self->state = CONN_WORK;
    request_refuse (&self->request, 503, "There is no thread for this request; try again.");
    return false;
}

static void park (conn_t *self)
{
    self->state = CONN_PARKED;
    self->loop->parked++;
    loop_timer (self, self->loop->aborting ? 0 : soon (self->request.park_ms));
}

/* True if the request is done with, false if it waits for somebody. */
static bool go_on (conn_t *self, web_next_t next)
{
    const web_config_t *config = &self->loop->server->config;
    web_request_t *request = &self->request;
    while (next != WEB_DONE) {
        web_call_t *call = request->call;
        if (next == WEB_THREAD)
            return !to_thread (self, true);
        if (call == NULL)
            return true;
        if (web_call_tell (call, self->loop->completed, self)) {
            park (self);
            return false;
        }
        request->call = NULL;
        next = config->complete (config->context, request, call, true);
        web_call_release (call);
    }
    return true;
}

/* Answered: what the request held goes, and what is left of the answer with it. */
static void work_end (conn_t *self)
{
    web_request_t *request = &self->request;
    body_unplace (self);
    request_free (request);
    buf_t *in = &self->in;
    in->size -= self->in_used;
    if (in->size > 0)
        memmove (in->data, in->data + self->in_used, in->size);
    else if (in->capacity > IN_KEPT)
        buf_free (in);
    self->in_used = 0;
    if (self->out.size == 0 && !request->close) {
        self->out_sent = 0;
        self->state = CONN_HEAD;
        int64_t now_ms = clock_mono_ms ();
        loop_timer (self, now_ms + self->loop->server->config.idle_timeout_ms);
        silent_add (self, now_ms);
    } else if (self->out.size == 0) {
        conn_linger (self);
    } else {
        self->state = CONN_ANSWER;
        loop_timer (self, soon (self->loop->server->config.answer_timeout_ms));
        return;
    }
    if (!self->counted)
        return;
    self->counted = false;
    server_done (self->loop->server, &self->loop->server->requests);
}

static void answered (conn_t *self)
{
    if (self->state == CONN_LINGER)
        linger_on (self);
    else
        conn_advance (self);
}

/* The caller goes on with the next request, if there is one. */
static void work_done (conn_t *self)
{
    request_end (&self->request);
    work_end (self);
    if (self->state == CONN_LINGER)
        linger_on (self);
}

static void conn_serve (conn_t *self)
{
    web_request_t *request = &self->request;
    const web_config_t *config = &self->loop->server->config;
    work_begin (self);
    const head_t *head = &request->head;
    if (head->length != 0 && (head->expects || head->length < 0 || head->length > BODY_HERE)) {
        if (!rest_part (self))
            conn_refuse (self, 503, "There is no memory for this request; try again.");
        else if (!to_thread (self, false))
            work_done (self);
        return;
    }
    request->body_done = true;
    if (head->length > 0)
        body_place (self);
    if (go_on (self, config->submit (config->context, request)))
        work_done (self);
}

static void conn_ended (conn_t *self)
{
    if (self->state == CONN_BODY) {
        self->request.body_status = 400;
        conn_refuse (self, 400, "The body is shorter than its Content-Length.");
    } else if (self->in.size > 0) {
        request_start (&self->request, self);
        conn_refuse (self, 400, malformed);
    } else {
        conn_close (self);
    }
}

void conn_advance (conn_t *self)
{
    int served = 0;
    while (self->state == CONN_HEAD || self->state == CONN_BODY) {
        if (request_is_here (self)) {
            conn_serve (self);
            if (++served == AT_ONCE) {
                loop_ready (self);
                return;
            }
            continue;
        }
        if (self->state != CONN_HEAD && self->state != CONN_BODY)
            continue; /* refused */
        fill_t got = conn_fill (self, self->state == CONN_BODY ? body_missing (self) : 0);
        if (got == FILL_END)
            conn_ended (self);
        else if (got == FILL_WAIT && self->state == CONN_HEAD && self->loop->stopping &&
                 self->in.size == 0)
            conn_close (self);
        else if (got == FILL_WAIT)
            return;
    }
}

void conn_completed (conn_t *self, web_call_t *call, bool in_time)
{
    const web_config_t *config = &self->loop->server->config;
    self->loop->parked--;
    self->state = CONN_WORK;
    self->request.call = NULL;
    web_next_t next = config->complete (config->context, &self->request, call, in_time);
    web_call_release (call);
    if (go_on (self, next))
        work_done (self);
    conn_advance (self);
}

void conn_returned (conn_t *self)
{
    self->state = CONN_WORK;
    self->readable = true;
    work_end (self);
    rest_join (self);
    answered (self);
}

/* ---- what the loop sees ---- */

static void answer_on (conn_t *self)
{
    if (!answer_flush (self)) {
        self->request.close = true;
        buf_clear (&self->out);
    }
    if (self->out.size > 0)
        return;
    work_end (self);
    answered (self);
}

void conn_event (conn_t *self, uint32_t events)
{
    self->hung_up |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    self->readable |= (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (self->state == CONN_HEAD || self->state == CONN_BODY)
        conn_advance (self);
    else if (self->state == CONN_ANSWER)
        answer_on (self);
    else if (self->state == CONN_LINGER)
        linger_on (self);
}

/* A parked request whose call was completed just now goes on when it arrives. */
static void park_late (conn_t *self)
{
    if (web_call_give_up (self->request.call))
        conn_completed (self, self->request.call, false);
    else
        loop_timer (self, INT64_MAX);
}

/* A loop that was held up looks at the times before it has seen all that came in time. */
static bool came_meanwhile (conn_t *self)
{
    if (self->state != CONN_HEAD && self->state != CONN_BODY)
        return false;
    self->readable = true;
    conn_advance (self);
    return self->state == CONN_CLOSED || self->timer.place != 0; /* it rings for what is next */
}

void conn_late (conn_t *self)
{
    web_server_t *server = self->loop->server;
    if (self->state == CONN_PARKED) {
        park_late (self);
        return;
    }
    if (self->state == CONN_THREAD || came_meanwhile (self))
        return;
    if (self->state == CONN_ANSWER || (self->state != CONN_LINGER && self->in.size > 0))
        atomic_fetch_add (&server->timed_out, 1);
    if (self->state == CONN_BODY) {
        self->request.body_status = 408;
        conn_refuse (self, 408, "The body came too slowly.");
    } else if (self->state == CONN_HEAD && self->in.size > 0) {
        request_start (&self->request, self);
        conn_refuse (self, 408, "The request's headers came too slowly.");
    } else {
        if (self->state == CONN_ANSWER) {
            self->request.close = true;
            buf_clear (&self->out);
            work_end (self);
        }
        conn_close (self);
    }
}
