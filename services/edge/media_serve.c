/* media_serve.c - GET /media/ORG/HOLDER/ID.EXT?expires&signature: a file by its signed link, without a key.
 *
 * The link says who may read what and until when; messaging says whether the file is still there. Bytes are read from the blob folder piece by piece, ranges too.
 * Nothing that a browser could run is served as what it is. */
#include "edge.h"

#include "base/clock.h"
#include "sign/url.h"

#include "gen/messaging.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_MS = 3000, PIECE_SIZE = 64 << 10, NAME_SIZE = 3 * 4 * 240 + 1 };
static const char root[] = "/media/";

typedef struct wanted_file {
    id16_t org;
    id16_t holder;
    id16_t id;
} wanted_file_t;

/* ---- what is asked for ---- */

static bool read_uuid (const char **at, char end, id16_t *out)
{
    const char *text = *at;
    if (strlen (text) <= ID_UUID_LENGTH || text[ID_UUID_LENGTH] != end ||
        !id_read_uuid (text, ID_UUID_LENGTH, out))
        return false;
    *at = text + ID_UUID_LENGTH + 1;
    return true;
}

static bool path_read (const char *raw, wanted_file_t *out)
{
    const char *at = raw + sizeof root - 1;
    return read_uuid (&at, '/', &out->org) && read_uuid (&at, '/', &out->holder) &&
           read_uuid (&at, '.', &out->id) && *at && !strchr (at, '/');
}

static web_next_t refused (exchange_t *x, const failure_t *failure)
{
    if (!address_take (x))
        return answer_fail (x, E_RATE_LIMITED, NULL, NULL);
    return answer_failure (x, failure, false);
}

/* A number and what stands behind it; false if there is none. Too large is the largest. */
static bool number_read (const char **at, uint64_t *out)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    *out = strtoull (*at, &end, 10);
    *at = end;
    return true;
}

typedef struct range {
    bool given;
    bool good; /* some of it is there */
    uint64_t first;
    uint64_t last;
} range_t;

/* "bytes=FIRST-LAST", "bytes=FIRST-", "bytes=-COUNT" (RFC 9110, 14.1.2); anything else asks for all. */
static range_t range_read (const char *text, uint64_t size)
{
    range_t all = {.good = true, .last = size - 1}, out = {.given = true, .last = size - 1};
    uint64_t last = 0;
    if (!text || strncmp (text, "bytes=", 6) != 0)
        return all;
    text += 6;
    if (*text == '-') {
        text++;
        if (!number_read (&text, &last) || *text)
            return all;
        out.good = last > 0;
        out.first = last < size ? size - last : 0;
        return out;
    }
    if (!number_read (&text, &out.first) || *text++ != '-')
        return all;
    bool closed = number_read (&text, &last);
    if (*text || (closed && last < out.first))
        return all;
    if (closed && last < size)
        out.last = last;
    out.good = out.first < size;
    return out;
}

/* ---- how it is served ---- */

/* RFC 8187: what is no attr-char as %XX. */
static void name_write (const char *name, char out[NAME_SIZE])
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    size_t used = 0;
    for (; *name && used + 4 < NAME_SIZE; name++)
        used += (size_t) snprintf (out + used, NAME_SIZE - used,
                                   strchr (plain, *name) ? "%c" : "%%%02X", (unsigned char) *name);
    out[used] = 0;
}

static void pieces_send (exchange_t *x, blob_reader_t *reader, uint64_t first, uint64_t length)
{
    uint8_t *piece = malloc (PIECE_SIZE);
    bool going = piece != NULL;
    while (going && length > 0) {
        long got = blob_reader_pread (reader, first, piece,
                                      length < PIECE_SIZE ? (size_t) length : PIECE_SIZE);
        going = got > 0 && web_answer_piece (x->web, piece, (size_t) got);
        first += got > 0 ? (uint64_t) got : 0;
        length -= got > 0 ? (uint64_t) got : 0;
    }
    if (length > 0)
        web_close_after (x->web); /* the rest is missing, and the client is to see that */
    free (piece);
}

static web_next_t file_send (exchange_t *x, blob_reader_t *reader,
                             const messaging_media_open_out_t *file)
{
    char disposition[NAME_SIZE + 64], content[96], name[NAME_SIZE] = "";
    uint64_t size = blob_reader_size (reader);
    range_t range = range_read (web_header (x->web, "Range"), size);
    blob_type_t type = blob_type_read (file->mime_type ? file->mime_type : "");
    bool safe = type < BLOB_TYPE_COUNT && type != BLOB_UNKNOWN && !blob_type_is_active (type);
    if (size == 0 || !range.good)
        return answer_plain_with (x, 416, "text/plain", "Accept-Ranges: bytes",
                                  bytes_of_str ("there is no such range\n"));
    if (file->filename)
        name_write (file->filename, name);
    snprintf (disposition, sizeof disposition, "Content-Disposition: %s%s%s",
              safe ? "inline" : "attachment", *name ? "; filename*=UTF-8''" : "", name);
    snprintf (content, sizeof content, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
              range.first, range.last, size);
    const char *more[] = {disposition,
                          "Accept-Ranges: bytes",
                          "Cache-Control: private, no-cache",
                          "Content-Security-Policy: default-src 'none'; sandbox",
                          range.given ? content : NULL,
                          NULL};
    uint64_t length = range.last - range.first + 1;
    answer_open (x, range.given ? 206 : 200,
                 safe ? blob_type_mime (type) : "application/octet-stream", more, length);
    if (strcmp (x->method, "HEAD") != 0)
        pieces_send (x, reader, range.first, length);
    return WEB_DONE;
}

typedef struct opening {
    call_t *call;
    messaging_media_open_out_t *out;
} opening_t;

static int opened_unpack (exchange_t *x, void *more)
{
    opening_t *opening = more;
    opening->out = arena_new_of (x->arena, messaging_media_open_out_t);
    return schema_unpack (&messaging_media_open_out_type, buf_bytes (&opening->call->answer),
                          x->arena, opening->out, NULL);
}

static web_next_t opened (exchange_t *x, call_t *call, bool in_time)
{
    opening_t opening = {.call = call};
    blob_reader_t *reader = NULL;
    failure_t failure = {0};
    if (in_time && call->failure.code == E_NOT_FOUND)
        return answer_fail (x, E_NOT_FOUND, NULL, "There is no such file any more");
    if (!in_time || call->failure.code || exchange_guard (x, opened_unpack, &opening))
        return answer_fail (x, E_UNAVAILABLE, NULL,
                            "The file cannot be looked up at the moment; try again soon");
    int code = blob_reader_new (x->edge->media, x->blob, &reader, &failure);
    if (code)
        return answer_fail (x, code == E_NOT_FOUND ? code : E_UNAVAILABLE, NULL,
                            "The file cannot be read");
    web_next_t next = file_send (x, reader, opening.out);
    blob_reader_destroy (&reader);
    return next;
}

/* Bytes go out as the client takes them. */
static web_next_t serve_file (exchange_t *x)
{
    wanted_file_t wanted;
    call_t *call =
        path_read (web_raw_path (x->web), &wanted)
            ? ask_call (x, schema_op_find ("messaging.media_open", strlen ("messaging.media_open")))
            : NULL;
    if (!call)
        return answer_fail (x, E_UNAVAILABLE, NULL, NULL);
    messaging_media_open_in_t in = {.org = wanted.org, .holder = wanted.holder, .id = wanted.id};
    schema_pack (&messaging_media_open_in_type, &in, &call->body);
    x->blob = wanted.id;
    return ask_park (x, call, OPEN_MS, opened);
}

static web_next_t serve (exchange_t *x, const char *raw)
{
    failure_t failure = {0};
    if (strcmp (x->method, "GET") != 0 && strcmp (x->method, "HEAD") != 0)
        return answer_plain (x, 405, "text/plain", bytes_of_str ("GET or HEAD\n"));
    const char *query = web_query (x->web);
    if (sign_url_verify (x->edge->media_key, raw, query ? query : "", clock_now_ms () / 1000,
                         &failure))
        return refused (x, &failure);
    return exchange_thread (x, serve_file);
}
bool media_serves (exchange_t *x, web_next_t *next)
{
    const char *raw = web_raw_path (x->web);
    if (!raw || strncmp (raw, root, sizeof root - 1) != 0)
        return false;
    *next = serve (x, raw);
    return true;
}
