/* blob_test.c - the folder: writing, limits, adopting, deleting, sweeping, walking, and what a killed writer leaves. */
#include "blob/blob.h"

#include "base/clock.h"
#include "base/text.h"
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct house {
    char folder[64];
    blobs_t *blobs;
    id_source_t ids;
} house_t;

static int house_open (void **state)
{
    house_t *self = calloc (1, sizeof *self);
    strcpy (self->folder, "/tmp/aviary-blob-XXXXXX");
    if (mkdtemp (self->folder) == NULL || blobs_open (self->folder, 0, &self->blobs, NULL) != 0)
        return -1;
    *state = self;
    return 0;
}

static int house_close (void **state)
{
    house_t *self = *state;
    char command[96];
    blobs_close (&self->blobs);
    snprintf (command, sizeof command, "rm -rf %s", self->folder);
    int rc = system (command);
    free (self);
    return rc;
}

static id16_t new_id (house_t *self)
{
    return id_next (&self->ids, clock_now_ms ());
}

/* Files (not folders) under a folder of the house. */
static unsigned count_files (const char *folder)
{
    unsigned count = 0;
    DIR *dir = opendir (folder);
    assert_non_null (dir);
    for (struct dirent *entry; (entry = readdir (dir)) != NULL;) {
        char path[512];
        struct stat st;
        snprintf (path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || lstat (path, &st) != 0)
            continue;
        count += S_ISDIR (st.st_mode) ? count_files (path) : 1;
    }
    closedir (dir);
    return count;
}

static unsigned files_of (const house_t *self, const char *part)
{
    char path[128];
    snprintf (path, sizeof path, "%s/%s", self->folder, part);
    return count_files (path);
}

static id16_t put (house_t *self, const char *text)
{
    blob_writer_t *writer = NULL;
    blob_seen_t seen;
    uint8_t sha[BLOB_SHA256_SIZE];
    id16_t id = new_id (self);
    assert_int_equal (blob_writer_new (self->blobs, 1000, &writer, NULL), 0);
    assert_int_equal (blob_writer_add (writer, bytes_of_str (text), NULL), 0);
    assert_int_equal (blob_writer_end (writer, &seen, sha, NULL), 0);
    assert_int_equal (blob_writer_finish (&writer, id, NULL), 0);
    assert_null (writer);
    return id;
}

static void assert_reads (house_t *self, id16_t id, const char *want)
{
    char text[64] = "";
    blob_reader_t *reader = NULL;
    assert_int_equal (blob_reader_new (self->blobs, id, &reader, NULL), 0);
    assert_int_equal (blob_reader_size (reader), strlen (want));
    assert_int_equal (blob_reader_pread (reader, 0, text, sizeof text - 1), strlen (want));
    assert_string_equal (text, want);
    assert_int_equal (blob_reader_pread (reader, strlen (want), text, 10), 0);
    blob_reader_destroy (&reader);
}

static void test_life (void **state)
{
    house_t *self = *state;
    blob_reader_t *reader = NULL;
    id16_t id = put (self, "hello");
    assert_int_equal (files_of (self, "temp"), 0);
    assert_int_equal (files_of (self, "pending"), 1);
    assert_reads (self, id, "hello");
    assert_int_equal (blobs_adopt (self->blobs, id, NULL), 0);
    assert_int_equal (blobs_adopt (self->blobs, id, NULL), 0); /* again: nothing to do */
    assert_int_equal (files_of (self, "pending"), 0);
    assert_int_equal (files_of (self, "kept"), 1);
    assert_reads (self, id, "hello");

    assert_int_equal (blob_reader_new (self->blobs, id, &reader, NULL), 0);
    assert_int_equal (blobs_delete (self->blobs, id, NULL), 0);
    char text[8] = "";
    assert_int_equal (blob_reader_pread (reader, 1, text, sizeof text), 4);
    assert_string_equal (text, "ello");
    blob_reader_destroy (&reader);

    failure_t failure = {0};
    assert_int_equal (blob_reader_new (self->blobs, id, &reader, &failure), E_NOT_FOUND);
    assert_int_equal (failure.code, E_NOT_FOUND);
    assert_int_equal (blobs_delete (self->blobs, id, &failure), E_NOT_FOUND);
    assert_int_equal (blobs_adopt (self->blobs, id, &failure), E_NOT_FOUND);
    assert_int_equal (blobs_delete (self->blobs, put (self, "x"), NULL), 0); /* pending */
    assert_int_equal (count_files (self->folder), 0);
}

static void test_same_id (void **state)
{
    house_t *self = *state;
    id16_t id = put (self, "first");
    for (unsigned kept = 0; kept < 2; kept++) {
        blob_writer_t *writer = NULL;
        blob_seen_t seen;
        uint8_t sha[BLOB_SHA256_SIZE];
        assert_int_equal (blob_writer_new (self->blobs, 1000, &writer, NULL), 0);
        assert_int_equal (blob_writer_add (writer, bytes_of_str ("second"), NULL), 0);
        assert_int_equal (blob_writer_end (writer, &seen, sha, NULL), 0);
        assert_int_equal (blob_writer_finish (&writer, id, NULL), E_ALREADY_EXISTS);
        assert_null (writer);
        assert_reads (self, id, "first");
        assert_int_equal (files_of (self, "temp"), 0);
        assert_int_equal (blobs_adopt (self->blobs, id, NULL), 0);
    }
}

static void test_limit (void **state)
{
    house_t *self = *state;
    blob_writer_t *writer = NULL;
    blob_seen_t seen;
    uint8_t sha[BLOB_SHA256_SIZE];
    failure_t failure = {0};
    assert_int_equal (blob_writer_new (self->blobs, 5, &writer, NULL), 0);
    assert_int_equal (blob_writer_add (writer, bytes_of_str ("12345"), NULL), 0);
    assert_int_equal (blob_writer_add (writer, bytes_of_str ("6"), &failure), E_MEDIA_TOO_LARGE);
    assert_string_equal (failure.field, "file");
    assert_int_equal (blob_writer_add (writer, bytes_of_str (""), NULL), E_MEDIA_TOO_LARGE);
    assert_int_equal (blob_writer_end (writer, &seen, sha, NULL), E_MEDIA_TOO_LARGE);
    assert_int_equal (blob_writer_finish (&writer, new_id (self), NULL), E_MEDIA_TOO_LARGE);
    assert_null (writer);
    /* Finished without end, and dropped. */
    assert_int_equal (blob_writer_new (self->blobs, 5, &writer, NULL), 0);
    assert_int_not_equal (blob_writer_finish (&writer, new_id (self), NULL), 0);
    assert_int_equal (blob_writer_new (self->blobs, 5, &writer, NULL), 0);
    assert_int_equal (files_of (self, "temp"), 1);
    blob_writer_destroy (&writer);
    blob_writer_destroy (&writer);
    assert_int_equal (count_files (self->folder), 0);
}

/* The caller's check fails between end and finish: nothing is left. */
static void test_lying (void **state)
{
    house_t *self = *state;
    blob_writer_t *writer = NULL;
    blob_seen_t seen;
    uint8_t sha[BLOB_SHA256_SIZE];
    failure_t failure = {0};
    assert_int_equal (blob_writer_new (self->blobs, 1000, &writer, NULL), 0);
    assert_int_equal (blob_writer_add (writer, bytes_of_str ("<svg onload=x/>"), NULL), 0);
    assert_int_equal (blob_writer_end (writer, &seen, sha, NULL), 0);
    assert_int_equal (blob_type_check (BLOB_KIND_IMAGE, "image/png", &seen, &failure),
                      E_BAD_REQUEST);
    blob_writer_destroy (&writer);
    assert_int_equal (count_files (self->folder), 0);
}

static void test_sha256 (void **state)
{
    house_t *self = *state;
    blob_writer_t *writer = NULL;
    blob_reader_t *reader = NULL;
    blob_seen_t seen;
    uint8_t sha[BLOB_SHA256_SIZE], again[BLOB_SHA256_SIZE];
    char hex[2 * BLOB_SHA256_SIZE + 1];
    id16_t id = new_id (self);
    assert_int_equal (blob_writer_new (self->blobs, 100, &writer, NULL), 0);
    for (const char *at = "abc"; *at; at++)
        assert_int_equal (blob_writer_add (writer, bytes_of (at, 1), NULL), 0);
    assert_int_equal (blob_writer_end (writer, &seen, sha, NULL), 0);
    assert_int_equal (seen.type, BLOB_TXT);
    assert_int_equal (seen.size, 3);
    text_write_hex (sha, sizeof sha, hex);
    assert_string_equal (hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal (blob_writer_finish (&writer, id, NULL), 0);
    assert_int_equal (blob_reader_new (self->blobs, id, &reader, NULL), 0);
    assert_int_equal (blob_reader_sha256 (reader, again, NULL), 0);
    assert_memory_equal (sha, again, sizeof sha);
    blob_reader_destroy (&reader);
}

/* ---- sweeping ---- */

static blob_swept_t sweep (house_t *self, int64_t later_ms, blob_wish_fn *wish, void *context)
{
    blob_swept_t swept;
    failure_t failure = {0};
    assert_int_equal (blobs_sweep (self->blobs, clock_now_ms () + later_ms, BLOB_SWEEP_AGE_MS, wish,
                                   context, &swept, &failure),
                      0);
    return swept;
}

/* A child that is killed in the middle of a file, and one right before it finishes. */
static void test_killed (void **state)
{
    house_t *self = *state;
    id16_t id = new_id (self);
    pid_t child = fork ();
    if (child == 0) {
        blob_writer_t *writer = NULL;
        blob_seen_t seen;
        uint8_t sha[BLOB_SHA256_SIZE];
        static const uint8_t piece[50000];
        for (unsigned i = 0; i < 2; i++) {
            blob_writer_new (self->blobs, 1 << 20, &writer, NULL);
            blob_writer_add (writer, bytes_of (piece, sizeof piece), NULL);
        }
        blob_writer_end (writer, &seen, sha, NULL);
        kill (getpid (), SIGKILL);
    }
    int status = 0;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFSIGNALED (status));
    blob_reader_t *reader = NULL;
    assert_int_equal (blob_reader_new (self->blobs, id, &reader, NULL), E_NOT_FOUND);
    assert_int_equal (files_of (self, "temp"), 2);
    assert_int_equal (files_of (self, "pending"), 0);
    assert_int_equal (sweep (self, BLOB_SWEEP_AGE_MS - 60000, NULL, NULL).temporary, 0);
    assert_int_equal (sweep (self, BLOB_SWEEP_AGE_MS + 60000, NULL, NULL).temporary, 2);
    assert_int_equal (count_files (self->folder), 0);
}

static void test_living_writer (void **state)
{
    house_t *self = *state;
    blob_writer_t *writer = NULL;
    assert_int_equal (blob_writer_new (self->blobs, 100, &writer, NULL), 0);
    assert_int_equal (sweep (self, 10 * (int64_t) BLOB_SWEEP_AGE_MS, NULL, NULL).temporary, 0);
    assert_int_equal (files_of (self, "temp"), 1);
    blob_writer_destroy (&writer);
}

typedef struct wishes {
    id16_t wanted;
    id16_t unsure;
} wishes_t;

static blob_wish_t wish_of (void *context, id16_t id)
{
    const wishes_t *wishes = context;
    return id_equal (id, wishes->wanted)   ? BLOB_WANTED
           : id_equal (id, wishes->unsure) ? BLOB_UNSURE
                                           : BLOB_UNWANTED;
}

static void test_sweep (void **state)
{
    house_t *self = *state;
    id16_t kept = put (self, "kept"), gone = put (self, "gone");
    wishes_t wishes = {.wanted = put (self, "wanted"), .unsure = put (self, "unsure")};
    assert_int_equal (blobs_adopt (self->blobs, kept, NULL), 0);
    blob_swept_t swept = sweep (self, 0, wish_of, &wishes);
    assert_int_equal (swept.unadopted + swept.adopted, 0);
    swept = sweep (self, BLOB_SWEEP_AGE_MS + 60000, wish_of, &wishes);
    assert_int_equal (swept.unadopted, 1);
    assert_int_equal (swept.adopted, 1);
    assert_reads (self, kept, "kept");
    assert_reads (self, wishes.wanted, "wanted");
    assert_reads (self, wishes.unsure, "unsure");
    assert_int_equal (blobs_delete (self->blobs, gone, NULL), E_NOT_FOUND);
    assert_int_equal (files_of (self, "kept"), 2);
    assert_int_equal (files_of (self, "pending"), 1);

    /* Empty folders go, and come back when they are needed. */
    assert_int_equal (blobs_delete (self->blobs, kept, NULL), 0);
    assert_int_equal (blobs_delete (self->blobs, wishes.wanted, NULL), 0);
    assert_true (sweep (self, 0, wish_of, &wishes).folders >= 2);
    assert_int_equal (blobs_adopt (self->blobs, wishes.unsure, NULL), 0);
    assert_reads (self, wishes.unsure, "unsure");
}

/* Files that are not ours are left alone by all. */
static void test_foreign (void **state)
{
    house_t *self = *state;
    static const char *const names[] = {"temp/notes.txt", "pending/notes.txt", "kept/notes.txt",
                                        "pending/0123456789ABCDEF0123456789ABCDEF"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf (path, sizeof path, "%s/%s", self->folder, names[i]);
        int fd = open (path, O_CREAT | O_WRONLY, 0600);
        assert_true (fd >= 0);
        close (fd);
    }
    blob_swept_t swept = sweep (self, 10 * (int64_t) BLOB_SWEEP_AGE_MS, NULL, NULL);
    assert_int_equal (swept.temporary + swept.unadopted, 0);
    assert_int_equal (count_files (self->folder), 4);
}

/* ---- walking ---- */

typedef struct seen_all {
    house_t *house;
    unsigned pending, kept;
    uint64_t bytes;
    int answer; /* after the first */
    bool erase;
} seen_all_t;

static int see (void *context, id16_t id, uint64_t size, bool kept)
{
    seen_all_t *all = context;
    all->kept += kept;
    all->pending += !kept;
    all->bytes += size;
    if (all->erase)
        assert_int_equal (blobs_delete (all->house->blobs, id, NULL), 0);
    return all->answer;
}

static void test_walk (void **state)
{
    house_t *self = *state;
    seen_all_t all = {.house = self};
    for (unsigned i = 0; i < 20; i++) {
        id16_t id = put (self, "12345");
        if (i % 4 != 0)
            assert_int_equal (blobs_adopt (self->blobs, id, NULL), 0);
    }
    assert_int_equal (blobs_walk (self->blobs, see, &all, NULL), 0);
    assert_int_equal (all.kept, 15);
    assert_int_equal (all.pending, 5);
    assert_int_equal (all.bytes, 100);
    all = (seen_all_t){.house = self, .answer = 77};
    assert_int_equal (blobs_walk (self->blobs, see, &all, NULL), 77);
    assert_int_equal (all.kept + all.pending, 1);
    all = (seen_all_t){.house = self, .erase = true};
    assert_int_equal (blobs_walk (self->blobs, see, &all, NULL), 0);
    assert_int_equal (count_files (self->folder), 0);
}

/* ---- size and space ---- */

static long peak_kib (void)
{
    struct rusage usage;
    assert_int_equal (getrusage (RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void test_large (void **state)
{
    house_t *self = *state;
    static uint8_t piece[10000];
    blob_writer_t *writer = NULL;
    blob_seen_t seen;
    uint8_t sha[BLOB_SHA256_SIZE];
    const uint64_t total = 100 << 20;
    id16_t id = new_id (self);
    memset (piece, 'x', sizeof piece);
    assert_int_equal (blob_writer_new (self->blobs, total, &writer, NULL), 0);
    long before = peak_kib ();
    for (uint64_t done = 0; done < total;) {
        size_t size = total - done < sizeof piece ? (size_t) (total - done) : sizeof piece;
        assert_int_equal (blob_writer_add (writer, bytes_of (piece, size), NULL), 0);
        done += size;
    }
    assert_int_equal (blob_writer_add (writer, bytes_of (piece, 1), NULL), E_MEDIA_TOO_LARGE);
    blob_writer_destroy (&writer);
    assert_int_equal (count_files (self->folder), 0);
    assert_int_equal (blob_writer_new (self->blobs, total, &writer, NULL), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal (blob_writer_add (writer, bytes_of (piece, sizeof piece), NULL), 0);
    assert_int_equal (blob_writer_end (writer, &seen, sha, NULL), 0);
    assert_int_equal (blob_writer_finish (&writer, id, NULL), 0);
    assert_true (peak_kib () - before < 4 << 10);
    assert_int_equal (blobs_delete (self->blobs, id, NULL), 0);
}

static void test_space (void **state)
{
    house_t *self = *state;
    blobs_t *full = NULL;
    blob_writer_t *writer = NULL;
    failure_t failure = {0};
    assert_int_equal (blobs_open (self->folder, UINT64_C (1) << 62, &full, NULL), 0);
    assert_int_equal (blob_writer_new (full, 10, &writer, &failure), E_DISK_LOW);
    assert_null (writer);
    blobs_close (&full);
    assert_int_equal (blobs_open ("/proc/nowhere", 0, &full, &failure), E_IO);
    assert_null (full);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, house_open, house_close)

int main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_life),    TEST (test_same_id), TEST (test_limit),         TEST (test_lying),
        TEST (test_sha256),  TEST (test_killed),  TEST (test_living_writer), TEST (test_sweep),
        TEST (test_foreign), TEST (test_walk),    TEST (test_large),         TEST (test_space)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
