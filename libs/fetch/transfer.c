/* transfer.c - one transfer: the request copied, curl's options set, the guard at each connect, and curl's result turned into an answer.
 *
 * How far a request got is known from curl's pre-request callback, which runs when a connection is ready (new or kept) and before the first
 * byte is written: a transfer that never came there was not sent. After it the transfer counts as sent, except on plain http when curl has
 * written nothing at all. A second call means that curl is about to repeat the request on a fresh connection. */
#include "fetch/transfer.h"

#include "base/clock.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    ANSWER_DEFAULT = 64 * 1024,
    ANSWER_HEADERS_MAX = 64 * 1024,
    ANSWER_DROP_MAX = 256 * 1024, /* read on and thrown away, so that the connection can be kept */
    BUFFER_KEEP = 128 * 1024,
    KEPT_AGE_S = 20, /* an idle connection older than this is not used again */
    TIMEOUT_DEFAULT_MS = 30000,
    RETRY_AFTER_MAX_S = 7 * 24 * 3600
};

transfer_t *transfer_new (fetch_t *fetch, const guard_t *guard)
{
    transfer_t *self = calloc (1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->fetch = fetch;
    self->guard = guard;
    self->stream.fd = -1;
    self->easy = curl_easy_init ();
    if (self->easy == NULL)
        transfer_destroy (&self);
    return self;
}

void transfer_destroy (transfer_t **self)
{
    if (self == NULL || *self == NULL)
        return;
    transfer_clear (*self);
    buf_free (&(*self)->copy);
    buf_free (&(*self)->answer_headers);
    buf_free (&(*self)->answer_body);
    curl_easy_cleanup ((*self)->easy);
    free (*self);
    *self = NULL;
}

static void buffer_recycle (buf_t *buffer)
{
    buffer->failed = false;
    if (buffer->capacity > BUFFER_KEEP)
        buf_free (buffer);
    else
        buf_clear (buffer);
}

void transfer_clear (transfer_t *self)
{
    stream_clear (&self->stream);
    buffer_recycle (&self->copy);
    buffer_recycle (&self->answer_headers);
    buffer_recycle (&self->answer_body);
    *self = (transfer_t){.fetch = self->fetch,
                         .guard = self->guard,
                         .easy = self->easy,
                         .is_post = self->is_post,
                         .stream = self->stream,
                         .copy = self->copy,
                         .answer_headers = self->answer_headers,
                         .answer_body = self->answer_body};
}

/* ---- the request ---- */

/* "Name: value" with a token for a name and nothing that could end the line. "Name:" with no value would make curl send none. */
static bool header_is_sound (const char *line)
{
    char name[128];
    size_t length = strcspn (line, ":");
    if (line[length] != ':' || length >= sizeof name)
        return false;
    memcpy (name, line, length);
    name[length] = '\0';
    return text_is_token (name) && text_is_header_value (line + length + 1);
}

static bool header_is_named (const char *line, const char *name)
{
    size_t length = strlen (name);
    return strncasecmp (line, name, length) == 0 && line[length] == ':';
}

/* What curl would add by itself: a form's type, and a wait for "100 Continue". */
static const char no_type[] = "Content-Type:", no_wait[] = "Expect:";

/* Count the lines, with what is added to them, and their bytes. 0 or E_BAD_REQUEST. */
static int headers_measure (const char *const *lines, size_t *count, size_t *size, bool *typed)
{
    *typed = false;
    *count = 2;
    *size = sizeof no_type + sizeof no_wait;
    for (; lines != NULL && *lines != NULL; lines++) {
        if (!header_is_sound (*lines))
            return E_BAD_REQUEST;
        *typed = *typed || header_is_named (*lines, "Content-Type");
        *count += 1;
        *size += strlen (*lines) + 1;
    }
    return E_OK;
}

static char *copy_add (transfer_t *self, const void *data, size_t size)
{
    char *at = (char *) self->copy.data + self->copy.size;
    buf_add (&self->copy, data, size);
    return at;
}

static void header_put (transfer_t *self, struct curl_slist **at, const char *line)
{
    struct curl_slist *node = *at;
    node->data = copy_add (self, line, strlen (line) + 1);
    node->next = node + 1;
    *at = node + 1;
}

/* The lines as curl wants them, in the copy: the nodes are at its beginning. */
static void headers_put (transfer_t *self, const char *const *lines, bool typed)
{
    struct curl_slist *at = self->headers;
    for (; lines != NULL && *lines != NULL; lines++)
        header_put (self, &at, *lines);
    if (!typed)
        header_put (self, &at, no_type);
    header_put (self, &at, no_wait);
    at[-1].next = NULL;
}

static bool method_is_repeatable (const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp (method, methods[i]) == 0)
            return true;
    return false;
}

/* All of the request in one piece of memory, which never moves while it is filled; the headers' lines come behind. */
static int copy_fill (transfer_t *self, const fetch_request_t *request, size_t headers, size_t size)
{
    size_t nodes = headers * sizeof (struct curl_slist);
    size_t method = strlen (request->method) + 1, url = strlen (request->url) + 1;
    if (request->body.size > SIZE_MAX / 2 ||
        !buf_reserve (&self->copy, nodes + method + url + request->body.size + size))
        return E_NO_MEMORY;
    self->headers = (struct curl_slist *) (void *) self->copy.data;
    self->copy.size = nodes;
    self->method = copy_add (self, request->method, method);
    self->url = copy_add (self, request->url, url);
    self->body = (uint8_t *) copy_add (self, request->body.data, request->body.size);
    self->body_size = request->body.size;
    return E_OK;
}

int transfer_fill (transfer_t *self, const fetch_request_t *request)
{
    uint32_t timeout_ms = request->timeout_ms != 0 ? request->timeout_ms : TIMEOUT_DEFAULT_MS;
    self->deadline_ms = clock_mono_ms () + timeout_ms;
    self->answer_max = request->answer_max != 0 ? request->answer_max : ANSWER_DEFAULT;
    self->guarded = request->guarded;
    if (request->method == NULL || request->url == NULL || !text_is_token (request->method))
        return E_BAD_REQUEST;
    self->repeatable = request->guarded || method_is_repeatable (request->method);
    size_t count, size;
    bool typed;
    int code = headers_measure (request->headers, &count, &size, &typed);
    if (code == E_OK)
        code = copy_fill (self, request, count, size);
    if (code != E_OK)
        return code;
    headers_put (self, request->headers, typed);
    return stream_fill (&self->stream, request);
}

/* ---- what curl calls ---- */

static bool address_may_be_dialled (transfer_t *self, const guard_address_t *address)
{
    if (self->guarded)
        return guard_allows (self->guard, address);
    return guard_classify (address) != GUARD_NEVER;
}

static void address_note (transfer_t *self, const struct sockaddr *address)
{
    const void *from = address->sa_family == AF_INET
                           ? (const void *) &((const struct sockaddr_in *) address)->sin_addr
                           : (const void *) &((const struct sockaddr_in6 *) address)->sin6_addr;
    if (inet_ntop (address->sa_family, from, self->address, sizeof self->address) == NULL)
        self->address[0] = '\0';
}

static curl_socket_t on_open (void *context, curlsocktype purpose, struct curl_sockaddr *dial)
{
    transfer_t *self = context;
    guard_address_t address;
    if (purpose != CURLSOCKTYPE_IPCXN || !guard_address_of (&dial->addr, &address))
        return CURL_SOCKET_BAD;
    if (!address_may_be_dialled (self, &address)) {
        self->blocked = true;
        return CURL_SOCKET_BAD;
    }
    self->opened = true;
    address_note (self, &dial->addr);
    return socket (dial->family, dial->socktype | SOCK_CLOEXEC, dial->protocol);
}

/* Also the guard of kept connections: one that an unguarded transfer opened is not for a guarded one. */
static int on_ready (void *context, char *remote, char *local, int remote_port, int local_port)
{
    (void) local;
    (void) remote_port;
    (void) local_port;
    transfer_t *self = context;
    guard_address_t address;
    if (!guard_address_read (remote, &address) || !address_may_be_dialled (self, &address)) {
        self->blocked = true;
        self->opened = false;
        return CURL_PREREQFUNC_ABORT;
    }
    if (self->sends > 0 && (!self->repeatable || self->sends > 1)) {
        self->repeat_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    self->sends++;
    snprintf (self->address, sizeof self->address, "%s", remote);
    return CURL_PREREQFUNC_OK;
}

static size_t on_header (char *data, size_t one, size_t size, void *context)
{
    (void) one;
    transfer_t *self = context;
    if (size >= 5 && memcmp (data, "HTTP/", 5) == 0)
        buf_clear (&self->answer_headers); /* after "100 Continue" comes another block */
    if (self->answer_headers.size + size <= ANSWER_HEADERS_MAX)
        buf_add (&self->answer_headers, data, size);
    return size;
}

static bytes_t body_of (const transfer_t *self)
{
    return bytes_of (self->body, self->body_size);
}

static size_t on_send (char *out, size_t one, size_t size, void *context)
{
    transfer_t *self = context;
    long got = stream_read (&self->stream, body_of (self), out, one * size);
    return got < 0 ? CURL_READFUNC_ABORT : (size_t) got;
}

/* curl begins anew on another connection, if it may. */
static int on_rewind (void *context, curl_off_t offset, int origin)
{
    transfer_t *self = context;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_CANTSEEK;
    self->stream.at = (uint64_t) offset;
    return CURL_SEEKFUNC_OK;
}

static bool is_streamed (const transfer_t *self)
{
    long status = 0;
    curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
    return self->stream.limit > 0 && status >= 200 && status < 300;
}

static size_t on_body (char *data, size_t one, size_t size, void *context)
{
    (void) one;
    transfer_t *self = context;
    if (self->stream.limit > 0 && (self->stream.taken || is_streamed (self)))
        return stream_take (&self->stream, bytes_of (data, size)) ? size : 0;
    size_t room = self->answer_max - self->answer_body.size;
    size_t kept = size < room ? size : room;
    buf_add (&self->answer_body, data, kept);
    self->dropped += size - kept;
    if (self->dropped <= ANSWER_DROP_MAX && !buf_failed (&self->answer_body))
        return size;
    self->enough = !buf_failed (&self->answer_body);
    return 0; /* ends the transfer */
}

/* ---- to curl ---- */

static void arm_method (transfer_t *self)
{
    CURL *easy = self->easy;
    bool post = strcmp (self->method, "POST") == 0;
    if (strcmp (self->method, "HEAD") == 0) {
        curl_easy_setopt (easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (self->stream.path != NULL) {
        curl_easy_setopt (easy, CURLOPT_POST, 1L);
        curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE,
                          (curl_off_t) stream_size (&self->stream, body_of (self)));
        curl_easy_setopt (easy, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt (easy, CURLOPT_READDATA, self);
        curl_easy_setopt (easy, CURLOPT_SEEKFUNCTION, on_rewind);
        curl_easy_setopt (easy, CURLOPT_SEEKDATA, self);
    } else if (post || self->body_size > 0) {
        curl_easy_setopt (easy, CURLOPT_POST, 1L);
        curl_easy_setopt (easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) self->body_size);
        curl_easy_setopt (easy, CURLOPT_POSTFIELDS, (char *) self->body);
    }
    if (!post && strcmp (self->method, "GET") != 0)
        curl_easy_setopt (easy, CURLOPT_CUSTOMREQUEST, self->method);
    else if (!post && self->body_size > 0)
        curl_easy_setopt (easy, CURLOPT_CUSTOMREQUEST, "GET");
}

static void arm_callbacks (transfer_t *self)
{
    CURL *easy = self->easy;
    curl_easy_setopt (easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt (easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt (easy, CURLOPT_OPENSOCKETDATA, self);
    curl_easy_setopt (easy, CURLOPT_PREREQFUNCTION, on_ready);
    curl_easy_setopt (easy, CURLOPT_PREREQDATA, self);
    curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt (easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt (easy, CURLOPT_WRITEDATA, self);
}

/* What is the same for all requests. It stays set while one plain POST follows another. */
static CURLcode arm_always (transfer_t *self, const char *user_agent, bool allow_http)
{
    CURL *easy = self->easy;
    curl_easy_reset (easy);
    CURLcode bad =
        curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, allow_http ? "http,https" : "https");
    /* Without these the environment (http_proxy, ALL_PROXY) would choose where we dial. */
    if (bad == CURLE_OK)
        bad = curl_easy_setopt (easy, CURLOPT_PROXY, "");
    if (bad == CURLE_OK)
        bad = curl_easy_setopt (easy, CURLOPT_NOPROXY, "*");
    if (bad == CURLE_OK && user_agent != NULL)
        bad = curl_easy_setopt (easy, CURLOPT_USERAGENT, user_agent);

    curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt (easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt (easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1L); /* a dead resolver is not waited for */
    curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt (easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt (easy, CURLOPT_MAXAGE_CONN, (long) KEPT_AGE_S);
    curl_easy_setopt (easy, CURLOPT_TCP_NODELAY, 1L);
    arm_callbacks (self);
    return bad;
}

int transfer_arm (transfer_t *self, const char *user_agent, bool allow_http, int64_t now_ms)
{
    CURL *easy = self->easy;
    int64_t left = self->deadline_ms - now_ms;
    bool is_post = strcmp (self->method, "POST") == 0 && self->stream.path == NULL;
    CURLcode bad = CURLE_OK;
    self->dialled_ms = now_ms;
    if (!is_post || !self->is_post)
        bad = arm_always (self, user_agent, allow_http);
    self->is_post = is_post && bad == CURLE_OK;
    if (bad == CURLE_OK)
        bad = curl_easy_setopt (easy, CURLOPT_URL, self->url);
    if (bad != CURLE_OK)
        return bad == CURLE_OUT_OF_MEMORY ? E_NO_MEMORY : E_BAD_REQUEST;
    curl_easy_setopt (easy, CURLOPT_TIMEOUT_MS, (long) (left > 1 ? left : 1));
    curl_easy_setopt (easy, CURLOPT_HTTPHEADER, self->headers);
    arm_method (self);
    return stream_open (&self->stream);
}

/* ---- the answer ---- */

bool fetch_header (const fetch_answer_t *answer, const char *name, bytes_t *out)
{
    const char *line = answer->headers != NULL ? answer->headers : "";
    while (*line != '\0') {
        size_t length = strcspn (line, "\r\n");
        if (header_is_named (line, name)) {
            const char *from = line + strlen (name) + 1;
            const char *to = line + length;
            while (from < to && (*from == ' ' || *from == '\t'))
                from++;
            while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
                to--;
            *out = bytes_of (from, (size_t) (to - from));
            return true;
        }
        line += length;
        line += strspn (line, "\r\n");
    }
    return false;
}

/* RFC 9110, 10.2.3: seconds or a date. */
int64_t fetch_retry_after (const fetch_answer_t *answer)
{
    bytes_t value;
    char text[64];
    if (!fetch_header (answer, "Retry-After", &value) || value.size == 0 ||
        value.size >= sizeof text)
        return 0;
    memcpy (text, value.data, value.size);
    text[value.size] = '\0';
    int64_t seconds = 0;
    if (strspn (text, "0123456789") == value.size) {
        seconds = value.size > 9 ? RETRY_AFTER_MAX_S : strtoll (text, NULL, 10);
    } else {
        time_t at = curl_getdate (text, NULL);
        if (at == (time_t) -1)
            return 0;
        seconds = (int64_t) at - clock_now_ms () / 1000;
    }
    if (seconds < 0)
        return 0;
    return (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
}

typedef struct result_row {
    CURLcode result;
    int code;
    const char *reason;
} result_row_t;

static const result_row_t result_table[] = {
    {CURLE_OPERATION_TIMEDOUT, E_TIMEOUT, "no complete answer in time"},
    {CURLE_URL_MALFORMAT, E_BAD_REQUEST, "this is not a URL"},
    {CURLE_UNSUPPORTED_PROTOCOL, E_BAD_REQUEST, "the URL's scheme is not allowed"},
    {CURLE_LOGIN_DENIED, E_BAD_REQUEST, "the URL has a user or password"},
    {CURLE_OUT_OF_MEMORY, E_NO_MEMORY, "no memory"},
    {CURLE_COULDNT_RESOLVE_HOST, E_UNAVAILABLE, "the host's name has no address"},
    {CURLE_COULDNT_CONNECT, E_UNAVAILABLE, "the connection was refused or the host not reached"},
    {CURLE_PEER_FAILED_VERIFICATION, E_UNAVAILABLE, "the TLS certificate was not accepted"},
    {CURLE_SSL_CONNECT_ERROR, E_UNAVAILABLE, "the TLS handshake failed"},
    {CURLE_GOT_NOTHING, E_UNAVAILABLE, "the connection closed without an answer"},
    {CURLE_SEND_ERROR, E_UNAVAILABLE, "the connection broke while sending"},
    {CURLE_RECV_ERROR, E_UNAVAILABLE, "the connection broke while receiving"},
    {CURLE_PARTIAL_FILE, E_UNAVAILABLE, "the connection closed in the middle of the answer"},
    {CURLE_WEIRD_SERVER_REPLY, E_UNAVAILABLE, "the answer is not HTTP"},
};

static fetch_stage_t stage_of (const transfer_t *self)
{
    if (self->sends == 0)
        return FETCH_NOT_SENT;
    long written = 0;
    curl_easy_getinfo (self->easy, CURLINFO_REQUEST_SIZE, &written);
    return self->plain && self->sends == 1 && written == 0 ? FETCH_NOT_SENT : FETCH_SENT;
}

static void answer_failed (const transfer_t *self, CURLcode result, fetch_answer_t *answer)
{
    answer->stage = stage_of (self);
    answer->code = E_UNAVAILABLE;
    answer->reason = curl_easy_strerror (result);
    for (size_t i = 0; i < sizeof result_table / sizeof result_table[0]; i++)
        if (result_table[i].result == result) {
            answer->code = result_table[i].code;
            answer->reason = result_table[i].reason;
            break;
        }
    if (self->blocked && !self->opened && answer->stage == FETCH_NOT_SENT) {
        answer->code = E_BLOCKED_TARGET;
        answer->reason = "the host's address may not be dialled";
    } else if (self->repeat_refused) {
        answer->code = E_UNAVAILABLE;
        answer->reason = "the kept connection closed while sending";
    } else if (answer->stage == FETCH_SENT && answer->code == E_BAD_REQUEST) {
        answer->code = E_UNAVAILABLE;
        answer->reason = "the answer is not HTTP";
    } else if (self->stream.code != E_OK) {
        answer->code = self->stream.code;
        answer->reason = self->stream.failure.text;
    } else if (buf_failed (&self->answer_body)) {
        answer->code = E_NO_MEMORY;
        answer->reason = "no memory for the answer";
    }
}

/* A body that was streamed is whole, or was ended by us. */
static void answer_streamed (transfer_t *self, fetch_answer_t *answer)
{
    answer->code = stream_end (&self->stream);
    if (answer->code != E_OK)
        answer->reason = self->stream.failure.text;
    else
        answer->file = &self->stream.file;
}

void transfer_finish (transfer_t *self, CURLcode result, int code, const char *reason)
{
    fetch_answer_t answer = {0};
    long status = 0;
    int64_t now_ms = clock_mono_ms ();
    if (self->dialled_ms != 0)
        answer.duration_ms = (uint32_t) (now_ms - self->dialled_ms);
    memcpy (answer.address, self->address, sizeof answer.address);
    if (code != E_OK) {
        answer.stage = stage_of (self);
        answer.code = code;
        answer.reason = reason;
    } else if (result == CURLE_OK || self->enough || (self->stream.taken && self->stream.code)) {
        curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
        answer.stage = FETCH_ANSWERED;
        answer.status = (int) status;
        answer.reason = "";
        answer.headers = buf_text (&self->answer_headers);
        answer.body = buf_bytes (&self->answer_body);
        answer.truncated = self->dropped > 0;
        answer.retry_after_ms = fetch_retry_after (&answer);
        if (is_streamed (self))
            answer_streamed (self, &answer);
    } else {
        answer_failed (self, result, &answer);
    }
    if (answer.headers == NULL)
        answer.headers = "";
    if (self->done != NULL)
        self->done (self->context, &answer);
}
