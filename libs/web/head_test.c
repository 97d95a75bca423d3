/* head_test.c - request heads that are taken and refused, and bodies in chunks in every cut. */
#include "web/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HOST        "Host: x\r\n"
#define COUNT(rows) (sizeof (rows) / sizeof (rows)[0])

/* ---- heads ---- */

/* `text` has its own size: some have a NUL within. */
typedef struct head_row {
    const char *text;
    size_t size;
    int status;
    const char *want; /* method, path, query, version, length and what else was seen */
} head_row_t;

#define TEXT(text) (text), sizeof (text) - 1
#define TAKEN(text, want)    \
    {                        \
        TEXT (text), 0, want \
    }
#define REFUSED(text, status)     \
    {                             \
        TEXT (text), status, NULL \
    }
#define LINE(line) "GET /a HTTP/1.1\r\n" HOST line "\r\n\r\n"

/* Exactly as large as the head, so that the sanitizer sees a byte beyond. */
static char *copy_of (const char *text, size_t size)
{
    char *copy = malloc (size > 0 ? size : 1);
    assert_non_null (copy);
    memcpy (copy, text, size);
    return copy;
}

static void told (const char *text, const head_t *head, char *out, size_t size)
{
    snprintf (out, size, "%s|%s|%s|%s|%lld%s%s%s", text + head->method, text + head->path,
              text + head->query, head->is_11 ? "1.1" : "1.0", (long long) head->length,
              head->closes ? "|closes" : "", head->expects ? "|expects" : "",
              head->continues ? "|continues" : "");
}

static void rows_are_read (const head_row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const head_row_t *row = &rows[i];
        char *text = copy_of (row->text, row->size), was[256] = "";
        head_t head;
        if (head_end (text, row->size, 0) != row->size)
            fail_msg ("%s\nends at %zu", row->text, head_end (text, row->size, 0));
        int status = head_read (text, row->size, &head);
        if (status != row->status)
            fail_msg ("%s\ngives %d, not %d", row->text, status, row->status);
        assert_int_equal (head.size, status == 0 ? row->size : 0);
        if (status == 0)
            told (text, &head, was, sizeof was);
        if (status == 0 && strcmp (was, row->want) != 0)
            fail_msg ("%s\nis read as %s, not %s", row->text, was, row->want);
        free (text);
    }
}

static const head_row_t line_rows[] = {
    TAKEN ("GET / HTTP/1.1\r\n" HOST "\r\n", "GET|/||1.1|0"),
    TAKEN ("M!#$%&'*+-.^_`|~09 /a HTTP/1.1\r\n" HOST "\r\n", "M!#$%&'*+-.^_`|~09|/a||1.1|0"),
    TAKEN ("get /a HTTP/1.1\r\n" HOST "\r\n", "get|/a||1.1|0"),
    TAKEN ("GET /a?b=c?d HTTP/1.1\r\n" HOST "\r\n", "GET|/a|b=c?d|1.1|0"),
    TAKEN ("GET /a? HTTP/1.1\r\n" HOST "\r\n", "GET|/a||1.1|0"),
    TAKEN ("GET //a/../%2e HTTP/1.1\r\n" HOST "\r\n", "GET|//a/../%2e||1.1|0"),
    TAKEN ("GET /\303\251?\377 HTTP/1.1\r\n" HOST "\r\n", "GET|/\303\251|\377|1.1|0"),
    TAKEN ("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS|*||1.1|0"),
    TAKEN ("GET http://x/a?b HTTP/1.1\r\n" HOST "\r\n", "GET|/a|b|1.1|0"),
    TAKEN ("GET HTTP://X:8080/ HTTP/1.1\r\nhOST: x:8080\r\n\r\n", "GET|/||1.1|0"),
    TAKEN ("GET http://x/a HTTP/1.0\r\n\r\n", "GET|/a||1.0|0|closes"),
    REFUSED ("GET http://y/a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET http://x:80/a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET http://x HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET http:///a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET https://x/a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET * HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("OPTIONS *a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("CONNECT x:80 HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET  /a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a  HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a b HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a HTTP/1.1 \r\n" HOST "\r\n", 400),
    REFUSED (" GET /a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET\t/a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a\001 HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a?\177 HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a\r HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a\0b HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("G(T /a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("G\303\251T /a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a\r\n" HOST "\r\n", 400),
    REFUSED ("GET\r\n" HOST "\r\n", 400),
    REFUSED (" /a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("garbage\r\n\r\n", 400),
    REFUSED ("\r\n\r\n", 400),
    REFUSED ("GET /a HTTP/1.1\n" HOST "\r\n", 400),
    REFUSED ("\nGET /a HTTP/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a http/1.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a HTTP/1.10\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a HTTP/11\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a HTTP/1.x\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a HTTP/x.1\r\n" HOST "\r\n", 400),
    REFUSED ("GET /a HTTP/1.2\r\n" HOST "\r\n", 505),
    REFUSED ("GET /a HTTP/0.9\r\n" HOST "\r\n", 505),
    REFUSED ("GET /a HTTP/2.0\r\n" HOST "\r\n", 505),
};

static void request_lines (void **state)
{
    (void) state;
    rows_are_read (line_rows, COUNT (line_rows));
}

static const head_row_t header_rows[] = {
    TAKEN (LINE ("Content-Length: 0"), "GET|/a||1.1|0"),
    TAKEN (LINE ("CONTENT-length:\t 05 \t"), "GET|/a||1.1|5"),
    TAKEN (LINE ("Content-Length: 999999999999999999"), "GET|/a||1.1|999999999999999999"),
    REFUSED (LINE ("Content-Length: 1000000000000000000"), 400), /* 19 digits */
    REFUSED (LINE ("Content-Length:"), 400),
    REFUSED (LINE ("Content-Length: +4"), 400),
    REFUSED (LINE ("Content-Length: -4"), 400),
    REFUSED (LINE ("Content-Length: 4, 4"), 400),
    REFUSED (LINE ("Content-Length: 4 4"), 400),
    REFUSED (LINE ("Content-Length: 0x4"), 400),
    REFUSED (LINE ("Content-Length: 4\r\nContent-Length: 4"), 400),
    REFUSED (LINE ("Content-Length: 4\r\ncontent-length: 5"), 400),
    TAKEN (LINE ("Transfer-Encoding: chunked"), "GET|/a||1.1|-1"),
    TAKEN (LINE ("transfer-encoding: CHUNKED"), "GET|/a||1.1|-1"),
    REFUSED (LINE ("Transfer-Encoding: gzip, chunked"), 400),
    REFUSED (LINE ("Transfer-Encoding: chunked, chunked"), 400),
    REFUSED (LINE ("Transfer-Encoding: identity"), 400),
    REFUSED (LINE ("Transfer-Encoding:"), 400),
    REFUSED (LINE ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400),
    REFUSED (LINE ("Transfer-Encoding: chunked\r\nContent-Length: 4"), 400),
    REFUSED (LINE ("Content-Length: 4\r\nTransfer-Encoding: chunked"), 400),
    REFUSED ("GET /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    REFUSED ("GET /a HTTP/1.1\r\n\r\n", 400),
    REFUSED ("GET /a HTTP/1.1\r\n" HOST HOST "\r\n", 400),
    REFUSED ("GET /a HTTP/1.1\r\n" HOST "host: y\r\n\r\n", 400),
    REFUSED ("GET /a HTTP/1.0\r\n" HOST HOST "\r\n", 400),
    TAKEN (LINE ("Connection: close"), "GET|/a||1.1|0|closes"),
    TAKEN (LINE ("Connection: x,\tCLOSE , y"), "GET|/a||1.1|0|closes"),
    TAKEN (LINE ("Connection: x\r\nConnection: close"), "GET|/a||1.1|0|closes"),
    TAKEN (LINE ("Connection: keep-alive, close"), "GET|/a||1.1|0|closes"),
    TAKEN (LINE ("Connection: closed, enclose"), "GET|/a||1.1|0"),
    TAKEN (LINE ("Connection:"), "GET|/a||1.1|0"),
    TAKEN (LINE ("Connection: upgrade\r\nUpgrade: h2c"), "GET|/a||1.1|0|closes"),
    TAKEN ("GET /a HTTP/1.0\r\n\r\n", "GET|/a||1.0|0|closes"),
    TAKEN ("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET|/a||1.0|0"),
    TAKEN ("GET /a HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET|/a||1.0|0|closes"),
    TAKEN ("GET /a HTTP/1.0\r\nContent-Length: 3\r\n\r\n", "GET|/a||1.0|3|closes"),
    TAKEN (LINE ("Expect: 100-Continue"), "GET|/a||1.1|0|expects|continues"),
    TAKEN (LINE ("Expect: 200-ok"), "GET|/a||1.1|0|expects"),
    TAKEN ("GET /a HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "GET|/a||1.0|0|closes"),
    TAKEN (LINE ("A:b\r\nA: \r\nA:"), "GET|/a||1.1|0"),
    TAKEN (LINE ("A: \303\251 \377\t\"\\"), "GET|/a||1.1|0"),
    REFUSED (LINE ("A"), 400),
    REFUSED (LINE (": b"), 400),
    REFUSED (LINE ("A : b"), 400),
    REFUSED (LINE ("A\t: b"), 400),
    REFUSED (LINE (" A: b"), 400),
    REFUSED (LINE ("A: b\r\n c"), 400), /* folded */
    REFUSED (LINE ("A: b\r\n\tc: d"), 400),
    REFUSED (LINE ("A(: b"), 400),
    REFUSED (LINE ("\303\251: b"), 400),
    REFUSED (LINE ("A: b\nB: c"), 400),
    REFUSED (LINE ("A: b\n"), 400),
    REFUSED (LINE ("\nA: b"), 400),
    REFUSED (LINE ("A: b\rB: c"), 400),
    REFUSED (LINE ("A: b\r"), 400),
    REFUSED (LINE ("A: \0"), 400),
    REFUSED (LINE ("A\0: b"), 400),
    REFUSED (LINE ("A: \001"), 400),
    REFUSED (LINE ("A: b\177"), 400),
    REFUSED (LINE ("A: \033[1m"), 400),
};

static void headers (void **state)
{
    (void) state;
    rows_are_read (header_rows, COUNT (header_rows));
}

static void lines_are_told_in_order_and_trimmed (void **state)
{
    (void) state;
    static const char sent[] = "GET /a HTTP/1.1\r\n" HOST "A:\t b c \t\r\na:\r\nX-Y:z:\r\n\r\n";
    static const char *const want[][2] = {{"Host", "x"}, {"A", "b c"}, {"a", ""}, {"X-Y", "z:"}};
    char *text = copy_of (sent, sizeof sent - 1);
    head_t head;
    assert_int_equal (head_read (text, sizeof sent - 1, &head), 0);
    assert_int_equal (head.line_count, COUNT (want));
    for (unsigned i = 0; i < head.line_count; i++) {
        assert_string_equal (text + head.lines[i].name, want[i][0]);
        assert_string_equal (text + head.lines[i].value, want[i][1]);
    }
    free (text);
}

static void lines_have_a_limit (void **state)
{
    (void) state;
    for (int more = HEAD_LINES_MAX - 2; more <= HEAD_LINES_MAX; more++) {
        char sent[1024];
        size_t size = (size_t) snprintf (sent, sizeof sent, "GET /a HTTP/1.1\r\n" HOST);
        for (int i = 0; i < more; i++)
            size += (size_t) snprintf (sent + size, sizeof sent - size, "a: b\r\n");
        size += (size_t) snprintf (sent + size, sizeof sent - size, "\r\n");
        char *text = copy_of (sent, size);
        head_t head;
        assert_int_equal (head_read (text, size, &head), more < HEAD_LINES_MAX ? 0 : 431);
        free (text);
    }
}

/* A refusal is answered under the method and path, where they could be read. */
static void refused_heads_tell_what_was_asked (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        bool told;
    } rows[] = {{"PUT /a?b HTTP/3.0\r\n\r\n", true},
                {"PUT /a?b HTTP/1.1\r\nA\r\n\r\n", true},
                {"PUT a HTTP/1.1\r\n\r\n", false},
                {"P(T /a HTTP/1.1\r\n\r\n", false},
                {"PUT /a\r\n\r\n", false}};
    for (size_t i = 0; i < COUNT (rows); i++) {
        size_t size = strlen (rows[i].text);
        char *text = copy_of (rows[i].text, size);
        head_t head;
        assert_int_not_equal (head_read (text, size, &head), 0);
        assert_int_equal (head.has_method, rows[i].told);
        if (rows[i].told) {
            assert_string_equal (text + head.method, "PUT");
            assert_string_equal (text + head.path, "/a");
            assert_string_equal (text + head.query, "b");
        }
        free (text);
    }
}

static void end_is_found_in_any_pieces (void **state)
{
    (void) state;
    static const char text[] = "GET /a HTTP/1.1\r\r\n" HOST "\r\n\r\r\n\r\nGET /b\r\n\r\n";
    size_t size = sizeof text - 1, want = sizeof "GET /a HTTP/1.1\r\r\n" HOST "\r\n" - 1;
    for (size_t first = 0; first <= size; first++)
        for (size_t second = first; second <= size; second++) {
            size_t cuts[] = {first, second, size}, looked = 0, end = 0;
            for (int i = 0; i < 3 && end == 0; i++) {
                char *copy = copy_of (text, cuts[i]);
                end = head_end (copy, cuts[i], looked);
                looked = cuts[i];
                free (copy);
            }
            assert_int_equal (end, want);
        }
    assert_int_equal (head_end ("\r\n\r", 3, 0), 0);
    assert_int_equal (head_end ("", 0, 0), 0);
}

/* ---- chunks ---- */

typedef struct chunk_row {
    const char *in;
    size_t size;
    bool sound;
    bool ended;
    const char *body;
    size_t left; /* of the input, when it ended */
} chunk_row_t;

#define BODY(in, body, left)              \
    {                                     \
        TEXT (in), true, true, body, left \
    }
#define CUT(in, body)                   \
    {                                   \
        TEXT (in), true, false, body, 0 \
    }
#define BROKEN(in, body)                 \
    {                                    \
        TEXT (in), false, false, body, 0 \
    }

static const chunk_row_t chunk_rows[] = {
    BODY ("0\r\n\r\n", "", 0),
    BODY ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0),
    BODY ("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "a", 16),
    BODY ("1\r\na\r\n0\r\n\r\n0\r\n\r\n", "a", 5),
    BODY ("A\r\n0123456789\r\n00\r\n\r\n", "0123456789", 0),
    BODY ("0a\r\n0123\r\n6789\r\n0\r\n\r\n", "0123\r\n6789", 0),
    BODY ("1;x\r\na\r\n0;y=\"z;\\\"\"\r\n\r\n", "a", 0),
    BODY ("1 \t;x = y\r\na\r\n0\t\r\n\r\n", "a", 0),
    BODY ("1\r\na\r\n0\r\nT: u\r\nV:\t\r\n\r\n", "a", 0),
    CUT ("", ""),
    CUT ("5\r\nhel", "hel"),
    CUT ("5\r\nhello\r\n0\r\n\r", "hello"),
    CUT ("FFFFFFFFFFFFFFF\r\na", "a"), /* 15 digits: never whole */
    BROKEN ("\r\n", ""),
    BROKEN (";x\r\na\r\n", ""),
    BROKEN (" 1\r\na\r\n", ""),
    BROKEN ("+1\r\na\r\n", ""),
    BROKEN ("-1\r\na\r\n", ""),
    BROKEN ("0x1\r\na\r\n", ""),
    BROKEN ("g\r\n", ""),
    BROKEN ("1\na\r\n", ""),
    BROKEN ("1\r\ra", ""),
    BROKEN ("1\r\naa\r\n", "a"),
    BROKEN ("1\r\na\n0\r\n\r\n", "a"),
    BROKEN ("1\r\na\ra", "a"),
    BROKEN ("1\r\na\r\n\r\n", "a"),
    BROKEN ("1\r\na\r\n0\r\n\ra", "a"),
    BROKEN ("1\r\na\r\n0\r\nT: u\n\r\n", "a"),
    BROKEN ("1\r\na\r\n0\r\nT: u\rV", "a"),
    BROKEN ("1;x\ny\r\na", ""),
    BROKEN ("1;\001\r\na", ""),
    BROKEN ("1;\177\r\na", ""),
    BROKEN ("0\r\n\177\r\n\r\n", ""),
    BROKEN ("0\r\na\0\r\n\r\n", ""),
    BROKEN ("1\0\r\na", ""),
    BROKEN ("FFFFFFFFFFFFFFFF\r\n", ""),
    BROKEN ("10000000000000000\r\n", ""),
};

typedef struct cut {
    size_t first;
    size_t second;
    size_t room;
} cut_t;

static void row_is_taken (const chunk_row_t *row, cut_t cut)
{
    size_t ends[] = {cut.first, cut.second, row->size}, at = 0, body = 0;
    chunks_t chunks = {0};
    char whole[64];
    bool sound = true;
    for (int i = 0; i < 3; i++)
        while (sound && at < ends[i] && !chunks_end (&chunks)) {
            size_t used, got;
            char *piece = copy_of (row->in + at, ends[i] - at), *out = malloc (cut.room);
            sound = chunks_take (&chunks, piece, ends[i] - at, &used, out, cut.room, &got);
            assert_true (got <= cut.room && used > 0 && used <= ends[i] - at);
            memcpy (whole + body, out, got);
            at += used;
            body += got;
            free (piece);
            free (out);
        }
    bool same = sound == row->sound && chunks_end (&chunks) == row->ended &&
                body == strlen (row->body) && memcmp (whole, row->body, body) == 0 &&
                (!row->ended || row->size - at == row->left);
    if (!same)
        fail_msg ("%s\ncut at %zu and %zu, with room for %zu: %d %d '%.*s'", row->in, cut.first,
                  cut.second, cut.room, sound, chunks_end (&chunks), (int) body, whole);
}

static void chunks_in_every_cut (void **state)
{
    (void) state;
    static const size_t rooms[] = {1, 2, 3, 7, 20};
    for (size_t i = 0; i < COUNT (chunk_rows); i++)
        for (size_t first = 0; first <= chunk_rows[i].size; first++)
            for (size_t second = first; second <= chunk_rows[i].size; second++)
                for (size_t room = 0; room < COUNT (rooms); room++)
                    row_is_taken (&chunk_rows[i], (cut_t){first, second, rooms[room]});
}

static void no_room_takes_nothing_of_the_body (void **state)
{
    (void) state;
    chunks_t chunks = {0};
    size_t used, got;
    char out[4];
    assert_true (chunks_take (&chunks, "3\r\nabc\r\n", 8, &used, out, 0, &got));
    assert_int_equal (used, 3);
    assert_int_equal (got, 0);
    assert_true (chunks_take (&chunks, "abc\r\n0\r\n\r\nx", 11, &used, out, 3, &got));
    assert_int_equal (used, 10);
    assert_memory_equal (out, "abc", 3);
    assert_true (chunks_end (&chunks));
    assert_true (chunks_take (&chunks, "x", 1, &used, out, sizeof out, &got)); /* after the end */
    assert_int_equal (used, 0);
}

typedef struct beside_row {
    const char *before;
    char filler; /* as often as it takes */
    const char *after;
} beside_row_t;

/* What is no body costs nothing but time, and has its limits: 8 KiB with each size, and as much behind the last chunk. */
static void beside_the_body_is_limited (void **state)
{
    (void) state;
    static const beside_row_t rows[] = {
        {"1;", 'x', "\r\n"}, {"", '0', "1\r\n"}, {"0\r\n", 't', "\r\n\r\n"}};
    enum { MOST = 8 * 1024, NEAR = 16 };
    for (size_t i = 0; i < COUNT (rows); i++)
        for (size_t count = MOST - NEAR; count <= MOST + NEAR; count += (size_t) 2 * NEAR) {
            size_t before = strlen (rows[i].before), after = strlen (rows[i].after), used, got;
            size_t size = before + count + after;
            char *in = malloc (size), out[1];
            chunks_t chunks = {0};
            memcpy (in, rows[i].before, before);
            memset (in + before, rows[i].filler, count);
            memcpy (in + before + count, rows[i].after, after);
            assert_int_equal (chunks_take (&chunks, in, size, &used, out, sizeof out, &got),
                              count < MOST);
            free (in);
        }
}

/* Many trailers, each short, come to the same limit; each chunk has its own. */
static void trailers_together_are_limited (void **state)
{
    (void) state;
    chunks_t chunks = {0};
    size_t used, got, lines = 0;
    char out[1];
    for (int i = 0; i < 9000; i++)
        assert_true (chunks_take (&chunks, "1;xy\r\na\r\n", 9, &used, out, sizeof out, &got));
    assert_true (chunks_take (&chunks, "0\r\n", 3, &used, out, sizeof out, &got));
    while (lines < 9000 && chunks_take (&chunks, "ab\r\n", 4, &used, out, sizeof out, &got))
        lines++;
    assert_int_equal (lines, 4096);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (request_lines),
        cmocka_unit_test (headers),
        cmocka_unit_test (lines_are_told_in_order_and_trimmed),
        cmocka_unit_test (lines_have_a_limit),
        cmocka_unit_test (refused_heads_tell_what_was_asked),
        cmocka_unit_test (end_is_found_in_any_pieces),
        cmocka_unit_test (chunks_in_every_cut),
        cmocka_unit_test (no_room_takes_nothing_of_the_body),
        cmocka_unit_test (beside_the_body_is_limited),
        cmocka_unit_test (trailers_together_are_limited),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
