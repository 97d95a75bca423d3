/* stream_test.c - bodies from files and into blobs against the scripted server: bytes exact, limits held, nothing left on disk. */
#define _GNU_SOURCE /* nftw */
#include "fetch/fetch.h"
#include "fetch/http_peer_test.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { FILE_SIZE = 150000, BIG_SIZE = 300 * 1024 };

typedef struct seen {
    unsigned calls;
    fetch_answer_t answer;
    bool has_file;
    fetch_file_t file;
    char *body;
    size_t body_size;
} seen_t;

typedef struct fixture {
    http_peer_t *peer;
    fetch_t *fetch;
    blobs_t *blobs;
    char folder[64];
    char path[96];
    uint8_t bytes[FILE_SIZE];
} fixture_t;

static void on_done (void *context, const fetch_answer_t *answer)
{
    seen_t *seen = context;
    seen->calls++;
    seen->answer = *answer;
    seen->has_file = answer->file != NULL;
    if (answer->file != NULL)
        seen->file = *answer->file;
    seen->body_size = answer->body.size;
    seen->body = malloc (answer->body.size + 1);
    if (answer->body.size > 0)
        memcpy (seen->body, answer->body.data, answer->body.size);
    seen->body[answer->body.size] = '\0';
}

static int set_up (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    char media[96];
    failure_t failure = {0};
    fetch_config_t config = {.allow = "127.0.0.0/8", .allow_http = true};
    snprintf (f->folder, sizeof f->folder, "/tmp/aviary-stream-XXXXXX");
    assert_non_null (mkdtemp (f->folder));
    snprintf (f->path, sizeof f->path, "%s/file", f->folder);
    snprintf (media, sizeof media, "%s/media", f->folder);
    for (size_t i = 0; i < sizeof f->bytes; i++)
        f->bytes[i] = (uint8_t) ('a' + i % 23);
    int fd = open (f->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal (write (fd, f->bytes, sizeof f->bytes), sizeof f->bytes);
    close (fd);
    assert_int_equal (blobs_open (media, 0, &f->blobs, &failure), 0);
    assert_int_equal (fetch_new (&config, &f->fetch, &failure), 0);
    f->peer = http_peer_new ();
    *state = f;
    return 0;
}

static int remove_one (const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void) st, (void) kind, (void) at;
    return remove (path);
}

static int tear_down (void **state)
{
    fixture_t *f = *state;
    fetch_destroy (&f->fetch);
    http_peer_destroy (&f->peer);
    blobs_close (&f->blobs);
    nftw (f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free (f);
    return 0;
}

static seen_t run (fixture_t *f, const char *path, fetch_request_t request)
{
    char url[128];
    seen_t seen = {0};
    snprintf (url, sizeof url, "http://127.0.0.1:%u%s", http_peer_port (f->peer), path);
    request.url = url;
    request.method = request.method != NULL ? request.method : "POST";
    request.timeout_ms = 5000;
    fetch_start (f->fetch, &request, on_done, &seen);
    while (fetch_running (f->fetch) > 0)
        fetch_work (f->fetch, 1000, -1);
    assert_int_equal (seen.calls, 1);
    return seen;
}

static int count_one (void *context, id16_t id, uint64_t size, bool kept)
{
    (void) id, (void) size, (void) kept;
    ++*(unsigned *) context;
    return 0;
}

static unsigned blobs_left (fixture_t *f)
{
    unsigned count = 0;
    failure_t failure = {0};
    char temp[96];
    snprintf (temp, sizeof temp, "%s/media/temp", f->folder);
    assert_int_equal (blobs_walk (f->blobs, count_one, &count, &failure), 0);
    assert_int_equal (rmdir (temp), 0); /* else a temporary file is left */
    return count;
}

static void body_is_prefix_file_and_tail (void **state)
{
    fixture_t *f = *state;
    static const struct {
        const char *head;
        uint64_t offset, size;
        const char *tail;
    } rows[] = {{"--head\r\n", 0, FILE_SIZE, "\r\n--tail"},
                {"", 100, 1000, ""},
                {"only the head", 0, 0, " and the tail"},
                {"h", FILE_SIZE - 1, 1, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seen_t seen = run (f, "/echo",
                           (fetch_request_t){.body = bytes_of_str (rows[i].head),
                                             .body_file = f->path,
                                             .body_file_offset = rows[i].offset,
                                             .body_file_size = rows[i].size,
                                             .body_tail = bytes_of_str (rows[i].tail),
                                             .answer_max = 1 << 20});
        assert_int_equal (seen.answer.stage, FETCH_ANSWERED);
        const char *body = strstr (seen.body, "\r\n\r\n");
        assert_non_null (body);
        body += 4;
        size_t head = strlen (rows[i].head);
        assert_int_equal (seen.body + seen.body_size - body,
                          head + rows[i].size + strlen (rows[i].tail));
        assert_memory_equal (body, rows[i].head, head);
        assert_memory_equal (body + head, f->bytes + rows[i].offset, rows[i].size);
        assert_string_equal (body + head + rows[i].size, rows[i].tail);
        assert_null (strstr (seen.body, "Transfer-Encoding"));
        free (seen.body);
    }
}

static void file_that_is_not_there_is_not_sent (void **state)
{
    fixture_t *f = *state;
    static const struct {
        const char *path;
        uint64_t offset, size;
    } rows[] = {
        {"/nowhere/at/all", 0, 1}, {NULL, 1, FILE_SIZE}, {NULL, UINT64_MAX, 2}, {"/tmp", 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seen_t seen = run (f, "/echo",
                           (fetch_request_t){.body_file = rows[i].path ? rows[i].path : f->path,
                                             .body_file_offset = rows[i].offset,
                                             .body_file_size = rows[i].size});
        assert_int_equal (seen.answer.stage, FETCH_NOT_SENT);
        assert_int_equal (seen.answer.code, E_NOT_FOUND);
        free (seen.body);
    }
    assert_int_equal (http_peer_requests (f->peer), 0);
}

static void answer_becomes_a_blob (void **state)
{
    fixture_t *f = *state;
    id16_t id = {.b = {1, 2, 3}};
    seen_t seen = run (f, "/big",
                       (fetch_request_t){.method = "GET",
                                         .answer_limit = BIG_SIZE,
                                         .answer_blobs = f->blobs,
                                         .answer_blob = id});
    assert_int_equal (seen.answer.code, 0);
    assert_int_equal (seen.answer.status, 200);
    assert_true (seen.has_file);
    assert_int_equal (seen.file.size, BIG_SIZE);
    assert_int_equal (seen.file.seen.type, BLOB_TXT);
    assert_true (id_equal (seen.file.blob, id));
    assert_int_equal (seen.body_size, 0);
    blob_reader_t *reader = NULL;
    failure_t failure = {0};
    uint8_t sha[BLOB_SHA256_SIZE];
    assert_int_equal (blob_reader_new (f->blobs, id, &reader, &failure), 0);
    assert_int_equal (blob_reader_size (reader), BIG_SIZE);
    assert_int_equal (blob_reader_sha256 (reader, sha, &failure), 0);
    assert_memory_equal (sha, seen.file.sha256, sizeof sha);
    blob_reader_destroy (&reader);
    free (seen.body);
    assert_int_equal (blobs_left (f), 1);
}

static void long_cut_and_refused_answers_leave_nothing (void **state)
{
    fixture_t *f = *state;
    static const struct {
        const char *path;
        fetch_stage_t stage;
        int status, code;
    } rows[] = {{"/big", FETCH_ANSWERED, 200, E_MEDIA_TOO_LARGE},
                {"/endless", FETCH_ANSWERED, 200, E_MEDIA_TOO_LARGE},
                {"/partial", FETCH_SENT, 0, E_UNAVAILABLE},
                {"/redirect", FETCH_ANSWERED, 302, 0},
                {"/seconds", FETCH_ANSWERED, 429, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seen_t seen = run (f, rows[i].path,
                           (fetch_request_t){.method = "GET",
                                             .answer_limit = BIG_SIZE - 1,
                                             .answer_blobs = f->blobs,
                                             .answer_blob = {.b = {9}}});
        assert_int_equal (seen.answer.stage, rows[i].stage);
        assert_int_equal (seen.answer.status, rows[i].status);
        assert_int_equal (seen.answer.code, rows[i].code);
        assert_false (seen.has_file);
        free (seen.body);
    }
    assert_int_equal (blobs_left (f), 0);
}

static void counting_keeps_nothing (void **state)
{
    fixture_t *f = *state;
    seen_t seen = run (f, "/big", (fetch_request_t){.method = "GET", .answer_limit = 5 << 20});
    assert_int_equal (seen.answer.code, 0);
    assert_true (seen.has_file);
    assert_int_equal (seen.file.size, BIG_SIZE);
    assert_true (id_is_nil (seen.file.blob));
    assert_int_equal (seen.body_size, 0);
    free (seen.body);
    seen = run (f, "/big", (fetch_request_t){.method = "GET", .answer_limit = 1000});
    assert_int_equal (seen.answer.code, E_MEDIA_TOO_LARGE);
    free (seen.body);
    assert_int_equal (blobs_left (f), 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ROW (body_is_prefix_file_and_tail), ROW (file_that_is_not_there_is_not_sent),
        ROW (answer_becomes_a_blob),        ROW (long_cut_and_refused_answers_leave_nothing),
        ROW (counting_keeps_nothing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
