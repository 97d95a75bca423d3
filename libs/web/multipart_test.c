/* multipart_test.c - parts in and out in pieces of any size, everything that is refused and why, and 100 MB into a blob in little memory. */
#include "web/multipart.h"

#include "blob/blob.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a body in memory, and a log of what came out ---- */

typedef struct memory {
    const char *at;
    size_t left;
    size_t step;
    long end; /* given when all is out: 0, or minus a status */
} memory_t;

static long memory_pull (void *context, void *out, size_t size)
{
    memory_t *self = context;
    size_t n = self->step < size ? self->step : size;
    if (self->left == 0)
        return self->end;
    if (n > self->left)
        n = self->left;
    memcpy (out, self->at, n);
    self->at += n;
    self->left -= n;
    return (long) n;
}

typedef struct log {
    buf_t text;
    int refuse; /* code that begin returns */
} log_t;

static int log_begin (void *context, const multipart_part_t *part, failure_t *failure)
{
    log_t *self = context;
    if (self->refuse)
        return failure_set (failure, self->refuse, part->name, "not wanted");
    buf_printf (&self->text, "%u:%s,%s,%s=", part->index, part->name,
                part->filename ? part->filename : "-",
                part->content_type ? part->content_type : "-");
    return 0;
}

static int log_data (void *context, bytes_t data, failure_t *failure)
{
    log_t *self = context;
    (void) failure;
    assert_true (data.size > 0);
    buf_add (&self->text, data.data, data.size);
    return 0;
}

static int log_end (void *context, failure_t *failure)
{
    log_t *self = context;
    (void) failure;
    buf_add_str (&self->text, ";");
    return 0;
}

static int read_body (const char *type, const char *body, size_t size, size_t step, log_t *log,
                      failure_t *failure)
{
    memory_t memory = {body, size, step, 0};
    const multipart_sink_t sink = {log_begin, log_data, log_end, log};
    return multipart_read (type, memory_pull, &memory, NULL, &sink, failure);
}

/* ---- what is taken ---- */

#define TYPE "multipart/form-data; boundary=X"
#define PART(disposition, headers, data) \
    "--X\r\nContent-Disposition: form-data; " disposition "\r\n" headers "\r\n" data "\r\n"

static const struct {
    const char *type;
    const char *body;
    const char *want;
} taken[] = {
    {TYPE, PART ("name=\"a\"", "", "1") "--X--\r\n", "0:a,-,-=1;"},
    {TYPE, PART ("name=\"a\"", "", "1") "--X--", "0:a,-,-=1;"},
    {TYPE, PART ("name=\"a\"", "", "") PART ("name=b", "", "2") "--X--\r\n", "0:a,-,-=;1:b,-,-=2;"},
    {TYPE, "--X--\r\n", ""},
    {TYPE, "ignored\r\n" PART ("name=\"a\"", "", "1") "--X--\r\nignored, too", "0:a,-,-=1;"},
    {TYPE, "\r\n" PART ("name=\"a\"", "", "1") "--X-- \t \r\n", "0:a,-,-=1;"},
    {TYPE,
     PART ("name=\"file\"; filename=\"a.jpg\"", "Content-Type: image/jpeg\r\n",
           "\r\n--\r\n-X--X\r\n") "--X--\r\n",
     "0:file,a.jpg,image/jpeg=\r\n--\r\n-X--X\r\n;"},
    {TYPE, PART ("name=\"a\\\"b\"; filename=\"\xc3\xa4 \\x.txt\"", "", "") "--X--\r\n", NULL},
    {TYPE, PART ("name=\"a\\\"b\"; filename=\"\xc3\xa4 ;=.txt\"", "", "") "--X--\r\n",
     "0:a\"b,\xc3\xa4 ;=.txt,-=;"},
    {TYPE, PART ("name=\"f\"; filename=\"\"", "", "") "--X--\r\n", "0:f,,-=;"},
    {TYPE, PART ("name=\"a\"", "content-TRANSFER-encoding: Binary\r\nX-Other: y\r\n", "1") "--X--",
     "0:a,-,-=1;"},
    {"MULTIPART/Form-Data ; charset=x;boundary=\"X\"", PART ("name=\"a\"", "", "1") "--X--",
     "0:a,-,-=1;"},
    {"multipart/form-data; boundary=\"a b:c\"",
     "--a b:c\r\ncontent-disposition:form-data;name=\"a\"\r\n\r\n1\r\n--a b:c--", "0:a,-,-=1;"},
};

static void test_taken (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        for (size_t step = 1; step < 200; step++) {
            log_t log = {0};
            failure_t failure = {0};
            int code = read_body (taken[i].type, taken[i].body, strlen (taken[i].body), step, &log,
                                  &failure);
            if (taken[i].want == NULL)
                assert_int_equal (code, E_BAD_REQUEST);
            else if (code || strcmp (buf_text (&log.text), taken[i].want) != 0)
                fail_msg ("row %zu, step %zu: %s %s", i, step, failure.text, buf_text (&log.text));
            buf_free (&log.text);
        }
}

/* Cut anywhere, a body is refused. */
static void test_cut (void **state)
{
    (void) state;
    static const char body[] = PART ("name=\"a\"", "", "1")
        PART ("name=\"file\"; filename=\"a.jpg\"", "Content-Type: image/jpeg\r\n", "2") "--X--";
    for (size_t size = 0; size < sizeof body - 1; size++) {
        log_t log = {0};
        failure_t failure = {0};
        assert_int_equal (read_body (TYPE, body, size, 7, &log, &failure), E_BAD_REQUEST);
        assert_int_equal (failure.code, E_BAD_REQUEST);
        assert_true (strlen (failure.text) > 10);
        buf_free (&log.text);
    }
}

/* ---- what is refused ---- */

static const struct {
    const char *type;
    const char *body;
    int want;
    const char *text; /* part of what is said */
} refused[] = {
    {NULL, "", E_BAD_REQUEST, "multipart/form-data"},
    {"", "", E_BAD_REQUEST, "multipart/form-data"},
    {"application/json", "{}", E_BAD_REQUEST, "multipart/form-data"},
    {"multipart/mixed; boundary=X", "", E_BAD_REQUEST, "multipart/form-data"},
    {"multipart/form-data", "", E_BAD_REQUEST, "boundary"},
    {"multipart/form-data; boundary=", "", E_BAD_REQUEST, "boundary"},
    {"multipart/form-data; boundary=\"\"", "", E_BAD_REQUEST, "boundary"},
    {"multipart/form-data; boundary=\"X", "", E_BAD_REQUEST, "boundary"},
    {"multipart/form-data; boundary=X; boundary=X", "", E_BAD_REQUEST, "boundary"},
    {"multipart/form-data; boundary=\"X \"", "", E_BAD_REQUEST, "boundary"},
    {"multipart/form-data; boundary=X<Y", "", E_BAD_REQUEST, "boundary"},
    {"multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901"
     "2345678901",
     "", E_BAD_REQUEST, "boundary"},
    {TYPE, "", E_BAD_REQUEST, "not in it"},
    {TYPE, "{}", E_BAD_REQUEST, "not in it"},
    {TYPE, PART ("name=\"a\"", "", "1") "--Xtra\r\n--X--\r\n", E_BAD_REQUEST, "something else"},
    {TYPE, PART ("name=\"a\"", "", "1") "--X--tra", E_BAD_REQUEST, "something else"},
    {TYPE, "--X\nContent-Disposition: form-data; name=a\n\n1\n--X--", E_BAD_REQUEST, ""},
    {TYPE, "--X\r\n\r\n1\r\n--X--", E_BAD_REQUEST, "no Content-Disposition"},
    {TYPE, "--X\r\nContent-Type: text/plain\r\n\r\n1\r\n--X--", E_BAD_REQUEST,
     "no Content-Disposition"},
    {TYPE, "--X\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--X--", E_BAD_REQUEST,
     "not form-data"},
    {TYPE, PART ("filename=\"a\"", "", "1") "--X--", E_BAD_REQUEST, "no name"},
    {TYPE, PART ("name=\"a", "", "1") "--X--", E_BAD_REQUEST, "cannot be read"},
    {TYPE, PART ("name", "", "1") "--X--", E_BAD_REQUEST, "cannot be read"},
    {TYPE, PART ("name=\"a\" x", "", "1") "--X--", E_BAD_REQUEST, "cannot be read"},
    {TYPE, PART ("name=\"a\"; name=\"b\"", "", "1") "--X--", E_BAD_REQUEST, "two names"},
    {TYPE, PART ("name=\"\xff\"", "", "1") "--X--", E_BAD_REQUEST, "UTF-8"},
    {TYPE, PART ("name=\"a\"; filename=\"\xc3\"", "", "1") "--X--", E_BAD_REQUEST, "UTF-8"},
    {TYPE, PART ("name=\"a\x01\"", "", "1") "--X--", E_BAD_REQUEST, "control"},
    {TYPE, PART ("name=\"a\";\r\n filename=\"b\"", "", "1") "--X--", E_BAD_REQUEST, ""},
    {TYPE, PART ("name=\"a\"", "no colon\r\n", "1") "--X--", E_BAD_REQUEST, "not a header"},
    {TYPE, PART ("name=\"a\"", "X : y\r\n", "1") "--X--", E_BAD_REQUEST, "not a header"},
    {TYPE, PART ("name=\"a\"", "Content-Disposition: form-data; name=b\r\n", "1") "--X--",
     E_BAD_REQUEST, "two Content-Disposition"},
    {TYPE, PART ("name=\"a\"", "Content-Type: a/b\r\nContent-Type: a/b\r\n", "1") "--X--",
     E_BAD_REQUEST, "two Content-Type"},
    {TYPE, PART ("name=\"a\"", "Content-Transfer-Encoding: base64\r\n", "MQ==") "--X--",
     E_BAD_REQUEST, "Content-Transfer-Encoding"},
    {TYPE, PART ("name=\"a\"; filename=\"../../etc/passwd\"", "", "1") "--X--", E_BAD_REQUEST,
     "without a path"},
    {TYPE, PART ("name=\"a\"; filename=\"/etc/passwd\"", "", "1") "--X--", E_BAD_REQUEST,
     "without a path"},
    {TYPE, PART ("name=\"a\"; filename=\"C:\\x.doc\"", "", "1") "--X--", E_BAD_REQUEST,
     "without a path"},
    {TYPE, PART ("name=\"a\"; filename=\"..\"", "", "1") "--X--", E_BAD_REQUEST, "without a path"},
};

static void test_refused (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        for (size_t step = 1; step < 300; step += 13) {
            log_t log = {0};
            failure_t failure = {0};
            int code = read_body (refused[i].type, refused[i].body, strlen (refused[i].body), step,
                                  &log, &failure);
            if (code != refused[i].want || strstr (failure.text, refused[i].text) == NULL)
                fail_msg ("row %zu, step %zu: %d, %s", i, step, code, failure.text);
            assert_int_equal (failure.code, code);
            buf_free (&log.text);
        }
}

static void put_many (buf_t *out, const char *text, unsigned count)
{
    while (count-- > 0)
        buf_add_str (out, text);
}

static int read_buf (buf_t *body, const multipart_limits_t *limits, long end, log_t *log)
{
    failure_t failure = {0};
    memory_t memory = {buf_text (body), body->size, 1000, end};
    const multipart_sink_t sink = {log_begin, log_data, log_end, log};
    int code = multipart_read (TYPE, memory_pull, &memory, limits, &sink, &failure);
    assert_int_equal (failure.code, code);
    buf_free (&log->text);
    buf_free (body);
    return code;
}

static void test_limits (void **state)
{
    (void) state;
    static const struct {
        const char *before, *many, *after;
        unsigned count;
        int want;
    } bodies[] = {
        {"", PART ("name=\"a\"", "", "1"), "--X--", 16, 0},
        {"", PART ("name=\"a\"", "", "1"), "--X--", 17, E_TOO_LARGE},
        {"--X\r\nContent-Disposition: form-data; name=a\r\nX-Y: ", "y", "\r\n\r\n1\r\n--X--", 4000,
         0},
        {"--X\r\nContent-Disposition: form-data; name=a\r\nX-Y: ", "y", "\r\n\r\n1\r\n--X--", 4096,
         E_TOO_LARGE},
        {"--X\r\nContent-Disposition: form-data; name=a\r\n", "X-Y: y\r\n", "", 100000,
         E_TOO_LARGE},
        {"--X\r\nContent-Disposition: form-data; name=\"", "y", "\"\r\n\r\n1\r\n--X--", 255, 0},
        {"--X\r\nContent-Disposition: form-data; name=\"", "y", "\"\r\n\r\n1\r\n--X--", 256,
         E_TOO_LARGE},
        {"--X\r\nContent-Disposition: form-data; name=a; filename=\"", "y", "\"\r\n\r\n1\r\n--X--",
         256, E_TOO_LARGE},
        {"", "preamble", "\r\n--X--", 100000, E_BAD_REQUEST},
        {"--X--\r\n", "epilogue", "", 100000, E_BAD_REQUEST},
        {"--X--", " ", "", 100000, E_BAD_REQUEST},
        {"--X", " ", "", 100000, E_BAD_REQUEST},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        buf_t body = {0};
        log_t log = {0};
        buf_add_str (&body, bodies[i].before);
        put_many (&body, bodies[i].many, bodies[i].count);
        buf_add_str (&body, bodies[i].after);
        int code = read_buf (&body, NULL, 0, &log);
        if (code != bodies[i].want)
            fail_msg ("row %zu: %d", i, code);
    }
}

/* The source's troubles and the sink's refusal are the result. */
static void test_ends (void **state)
{
    (void) state;
    static const struct {
        long end;
        int refuse;
        uint64_t body;
        int want;
    } ends[] = {{-408, 0, 0, E_TIMEOUT},          {-413, 0, 0, E_TOO_LARGE},
                {-400, 0, 0, E_BAD_REQUEST},      {-1, 0, 0, E_BAD_REQUEST},
                {0, E_FORBIDDEN, 0, E_FORBIDDEN}, {0, 0, 20, E_TOO_LARGE}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        buf_t body = {0};
        log_t log = {.refuse = ends[i].refuse};
        const multipart_limits_t limits = {.body = ends[i].body};
        buf_add_str (&body, PART ("name=\"a\"", "", "1"));
        assert_int_equal (read_buf (&body, &limits, ends[i].end, &log), ends[i].want);
    }
}

/* ---- an upload into a blob ---- */

typedef struct upload {
    blobs_t *blobs;
    blob_writer_t *writer;
    blob_seen_t seen;
    uint8_t sha[BLOB_SHA256_SIZE];
    char claimed[MULTIPART_TEXT_SIZE];
} upload_t;

static int upload_begin (void *context, const multipart_part_t *part, failure_t *failure)
{
    upload_t *self = context;
    snprintf (self->claimed, sizeof self->claimed, "%s",
              part->content_type ? part->content_type : "");
    return blob_writer_new (self->blobs, blob_kind_limit (BLOB_KIND_COUNT), &self->writer, failure);
}

static int upload_data (void *context, bytes_t data, failure_t *failure)
{
    upload_t *self = context;
    return blob_writer_add (self->writer, data, failure);
}

static int upload_end (void *context, failure_t *failure)
{
    upload_t *self = context;
    int code = blob_writer_end (self->writer, &self->seen, self->sha, failure);
    return code ? code : blob_type_check (BLOB_KIND_DOCUMENT, self->claimed, &self->seen, failure);
}

/* A file of `size` bytes that begins with `start`, made as it is pulled; `cut` bytes are missing at the end. */
typedef struct stream {
    const char *head, *start, *tail;
    uint64_t size, at, cut;
} stream_t;

static long stream_pull (void *context, void *out, size_t size)
{
    stream_t *self = context;
    const size_t head = strlen (self->head), start = strlen (self->start);
    const uint64_t all = head + self->size + strlen (self->tail) - self->cut;
    size_t n = 0;
    for (; n < size && self->at < all; n++, self->at++) {
        uint64_t at = self->at;
        ((char *) out)[n] = at < head                ? self->head[at]
                            : at < head + start      ? self->start[at - head]
                            : at < head + self->size ? (char) (at % 251)
                                                     : self->tail[at - head - self->size];
    }
    return (long) n;
}

static unsigned count_names (const char *folder, const char *part)
{
    char path[128];
    unsigned count = 0;
    snprintf (path, sizeof path, "%s/%s", folder, part);
    DIR *dir = opendir (path);
    assert_non_null (dir);
    for (struct dirent *entry; (entry = readdir (dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir (dir);
    return count;
}

static void test_upload (void **state)
{
    (void) state;
    static const struct {
        const char *type, *start;
        uint64_t size, cut;
        int want;
    } files[] = {
        {"application/pdf", "%PDF-1.7\n", 100 << 20, 0, 0},
        {"application/pdf", "%PDF-1.7\n", (100 << 20) + 1, 0, E_MEDIA_TOO_LARGE},
        {"application/pdf", "%PDF-1.7\n", 1 << 20, 10, E_BAD_REQUEST},
        {"application/pdf", "\xff\xd8\xff", 1 << 20, 0, E_BAD_REQUEST},
        {"text/plain", "<svg onload='x'>", 16, 0, E_BAD_REQUEST},
        {"text/html", "<html>", 6, 0, E_BAD_REQUEST},
    };
    char folder[] = "/tmp/aviary-multipart-XXXXXX", head[256], command[96];
    struct rusage before, after;
    upload_t upload = {0};
    assert_non_null (mkdtemp (folder));
    assert_int_equal (blobs_open (folder, 0, &upload.blobs, NULL), 0);
    getrusage (RUSAGE_SELF, &before);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        failure_t failure = {0};
        id16_t id = {{(uint8_t) (i + 1)}};
        snprintf (head, sizeof head,
                  "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n"
                  "Content-Type: %s\r\n\r\n",
                  files[i].type);
        stream_t stream = {head, files[i].start, "\r\n--X--\r\n", files[i].size, 0, files[i].cut};
        const multipart_sink_t sink = {upload_begin, upload_data, upload_end, &upload};
        int code = multipart_read (TYPE, stream_pull, &stream, NULL, &sink, &failure);
        if (code != files[i].want)
            fail_msg ("row %zu: %d, %s", i, code, failure.text);
        if (code == 0)
            assert_int_equal (blob_writer_finish (&upload.writer, id, NULL), 0);
        else
            blob_writer_destroy (&upload.writer);
        assert_int_equal (count_names (folder, "temp"), 0);
        assert_int_equal (count_names (folder, "pending"), code == 0);
        if (code == 0)
            assert_int_equal (blobs_delete (upload.blobs, id, NULL), 0);
    }
    getrusage (RUSAGE_SELF, &after);
    assert_true (after.ru_maxrss - before.ru_maxrss < 8 << 10); /* KiB */
    blobs_close (&upload.blobs);
    snprintf (command, sizeof command, "rm -rf %s", folder);
    assert_int_equal (system (command), 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_taken),   cmocka_unit_test (test_cut),
        cmocka_unit_test (test_refused), cmocka_unit_test (test_limits),
        cmocka_unit_test (test_ends),    cmocka_unit_test (test_upload)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
