/* answer.c - status line, headers, body. One write for small answers. How it fails: the client is gone, and only web_answer_piece says so. */
#include "web/server.h"

#include "base/clock.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ANSWER_TOGETHER = 32 * 1024, REST_MAX = 64 * 1024, WRITE_SLICE_MS = 250 };

typedef struct status_row {
    int status;
    const char *words;
} status_row_t;

/* RFC 9110, 15; others are sent with their class's words. */
static const status_row_t status_table[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const char *status_words (int status)
{
    for (size_t i = 0; i < sizeof status_table / sizeof status_table[0]; i++)
        if (status_table[i].status == status)
            return status_table[i].words;
    static const char *const classes[] = {"Continue", "OK", "Redirect", "Client Error",
                                          "Server Error"};
    return status >= 100 && status < 600 ? classes[status / 100 - 1] : "Unknown";
}

static bool status_has_body (int status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* No byte below a space in eight bytes at once. */
static bool word_is_sound (const char *at)
{
    static const uint64_t each = UINT64_C (0x0101010101010101);
    uint64_t word;
    memcpy (&word, at, sizeof word);
    return ((word - each * 0x20) & ~word & each * 0x80) == 0;
}

static bool line_is_sound (const char *line, size_t length)
{
    size_t i = 0;
    while (length - i >= 8 && word_is_sound (line + i))
        i += 8;
    for (; i < length; i++)
        if ((unsigned char) line[i] < 0x20 && line[i] != '\t')
            return false;
    return true;
}

/* Written once a second: formatting it costs more than the rest of a head. */
static void add_date (memory_t *memory, buf_t *out)
{
    time_t now = time (NULL);
    struct tm tm;
    if (memory->date_s != now) {
        memory->date_s = now;
        if (gmtime_r (&now, &tm) == NULL ||
            strftime (memory->date, sizeof memory->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
                      &tm) == 0)
            memory->date[0] = '\0';
    }
    buf_add_str (out, memory->date);
}

static void add_number (buf_t *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buf_add (out, digits + at, sizeof digits - at);
}

static void head_write (web_request_t *self, buf_t *out, const char *const *headers,
                        uint64_t length)
{
    buf_clear (out);
    buf_add_str (out, "HTTP/1.1 ");
    add_number (out, (uint64_t) self->status);
    buf_add_byte (out, ' ');
    buf_add_str (out, status_words (self->status));
    buf_add (out, "\r\n", 2);
    add_date (self->memory, out);
    for (; headers != NULL && *headers != NULL; headers++) {
        size_t size = strlen (*headers);
        if (!line_is_sound (*headers, size))
            continue;
        buf_add (out, *headers, size);
        buf_add (out, "\r\n", 2);
    }
    if (status_has_body (self->status)) {
        buf_add_str (out, "Content-Length: ");
        add_number (out, length);
        buf_add (out, "\r\n", 2);
    }
    buf_add_str (out, self->close ? "Connection: close\r\n\r\n" : "Connection: keep-alive\r\n\r\n");
}

/* NULL without memory: the client sees the connection end. */
static buf_t *head_make (web_request_t *self, const char *const *headers, uint64_t length)
{
    memory_t *memory = request_memory (self);
    if (memory != NULL)
        head_write (self, &memory->head, headers, length);
    if (memory != NULL && !buf_failed (&memory->head))
        return &memory->head;
    self->close = true;
    return NULL;
}

/* Will the connection be usable after this answer? A short rest of the body is read away (request_drain), a long one is not. */
static bool rest_is_short (const web_request_t *self)
{
    if (self->body_done)
        return true;
    int64_t length = web_body_length (self);
    if (length < 0 || length - self->body_taken > REST_MAX)
        return false;
    return self->body_until_ms != 0 || !self->head.expects;
}

static void answer_settle (web_request_t *self, int status)
{
    self->answered = true;
    self->status = status;
    if (atomic_load (&self->server->stopping) || self->body_status != 0 || !rest_is_short (self))
        self->close = true;
}

/* Bytes that the client's socket took at once; below 0 if the client is gone. */
static ssize_t some_write (const conn_t *conn, const void *data, size_t size)
{
    ssize_t sent;
    while ((sent = send (conn->fd, data, size, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        continue;
    return sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : sent;
}

/* A thread waits for the client, for so long. */
static bool thread_write (web_request_t *self, const char *data, size_t size)
{
    int64_t until_ms = clock_mono_ms () + self->server->config.answer_timeout_ms, now_ms;
    struct pollfd wait = {.fd = self->conn->fd, .events = POLLOUT};
    while (size > 0) {
        ssize_t sent = some_write (self->conn, data, size);
        if (sent < 0)
            return false;
        data += sent;
        size -= (size_t) sent;
        if (sent > 0)
            continue;
        now_ms = clock_mono_ms ();
        bool late = now_ms >= until_ms;
        if (late)
            atomic_fetch_add (&self->server->timed_out, 1);
        if (late || atomic_load (&self->server->aborting))
            return false;
        poll (&wait, 1,
              until_ms - now_ms < WRITE_SLICE_MS ? (int) (until_ms - now_ms) : WRITE_SLICE_MS);
    }
    return true;
}

/* A loop does not: what is left goes when the client takes it. */
static bool loop_write (conn_t *conn, const char *data, size_t size)
{
    ssize_t sent = conn->out.size == 0 ? some_write (conn, data, size) : 0;
    if (sent < 0)
        return false;
    buf_add (&conn->out, data + sent, size - (size_t) sent);
    return !buf_failed (&conn->out);
}

bool answer_flush (conn_t *conn)
{
    buf_t *out = &conn->out;
    ssize_t sent = some_write (conn, out->data + conn->out_sent, out->size - conn->out_sent);
    if (sent < 0)
        return false;
    conn->out_sent += (size_t) sent;
    if (conn->out_sent == out->size) {
        buf_free (out);
        conn->out_sent = 0;
    }
    return true;
}

static bool answer_write (web_request_t *self, const void *data, size_t size)
{
    if (size == 0 ||
        (self->on_thread ? thread_write (self, data, size) : loop_write (self->conn, data, size)))
        return true;
    buf_free (&self->conn->out);
    self->conn->out_sent = 0;
    self->close = true;
    return false;
}

static bool answer_is_head (const web_request_t *self)
{
    const char *method = web_method (self);
    return method != NULL && strcmp (method, "HEAD") == 0;
}

void web_answer (web_request_t *self, int status, const char *const *headers, bytes_t body)
{
    if (self->answered)
        return;
    answer_settle (self, status);
    buf_t *out = head_make (self, headers, body.size);
    if (out == NULL)
        return;
    bool with_body = status_has_body (status) && !answer_is_head (self);
    size_t together = with_body && body.size <= ANSWER_TOGETHER ? body.size : 0;
    uint8_t *to = together ? buf_reserve (out, together) : NULL;
    if (to != NULL) {
        memcpy (to, body.data, together);
        out->size += together;
    } else if (together) {
        buf_clear (out); /* no memory */
        self->close = true;
        return;
    }
    if (answer_write (self, out->data, out->size) && with_body && together < body.size)
        answer_write (self, body.data, body.size);
}

void web_answer_begin (web_request_t *self, int status, const char *const *headers, uint64_t length)
{
    if (self->answered)
        return;
    answer_settle (self, status);
    self->answer_left = status_has_body (status) && !answer_is_head (self) ? length : 0;
    buf_t *out = head_make (self, headers, length);
    if (out == NULL || !answer_write (self, out->data, out->size)) {
        self->close = true;
        self->answer_left = 0;
    }
}

bool web_answer_piece (web_request_t *self, const void *data, size_t size)
{
    if (size > self->answer_left)
        return false;
    bool written = answer_write (self, data, size);
    self->answer_left = written ? self->answer_left - size : 0;
    return written;
}

bool web_answered (const web_request_t *self)
{
    return self->answered;
}

void web_close_after (web_request_t *self)
{
    self->close = true;
}

void web_drop (web_request_t *self)
{
    if (self->answered)
        return;
    answer_settle (self, 499);
    self->close = true;
}
