/* flush_test.c - no answer leaves before the flush, and one failing handler costs the other 49 of its turn nothing.
 *
 * fdatasync of the service is held (sync_hold.c): while the first turn's flush waits, 50 asks queue up and become the second turn. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drive.h"
#include "testgen/tally.h"

#include <cmocka.h>

typedef struct tallies {
    int answered, failed, other;
} tallies_t;

static void note (void *context, const envelope_t *header, bytes_t body, const failure_t *failure)
{
    (void) header, (void) body;
    tallies_t *n = context;
    if (!failure || !failure->code)
        n->answered++;
    else if (failure->code == E_CONFLICT)
        n->failed++;
    else
        n->other++;
}

static void send_one (drive_t *d, int i, bool fails, tallies_t *n)
{
    char key[32], name[32];
    snprintf (key, sizeof key, "key-%d", i);
    snprintf (name, sizeof name, "name-%d", i);
    if (fails)
        drive_send (d, "tally.fail_after_write", key, id_nil (), &tally_fail_after_write_in_type,
                    &(tally_fail_after_write_in_t){.name = name}, note, n);
    else
        drive_send (d, "tally.incr", key, id_nil (), &tally_incr_in_type,
                    &(tally_incr_in_t){.name = name}, note, n);
}

static void await_entered (drive_t *d, _Atomic uint32_t *numbers, uint32_t want)
{
    for (int i = 0; i < 1000 && atomic_load (&numbers[1]) < want; i++)
        drive_work (d, 10, NULL);
    assert_int_equal (atomic_load (&numbers[1]), want);
}

static int64_t total (drive_t *d, const char *name)
{
    arena_t *arena = arena_new (1 << 16);
    tally_total_out_t out = {0};
    assert_int_equal (drive_ask (d, "tally.total", &tally_total_in_type,
                                 &(tally_total_in_t){.name = name}, &tally_total_out_type, &out,
                                 arena),
                      0);
    arena_destroy (&arena);
    return out.total;
}

static void test_flush (void **state)
{
    (void) state;
    drive_t d;
    char library[512], file[128], name[32];
    drive_open (&d);
    snprintf (file, sizeof file, "%s/sync", d.folder);
    int fd = open (file, O_RDWR | O_CREAT, 0600);
    assert_int_equal (ftruncate (fd, 12), 0);
    _Atomic uint32_t *numbers = mmap (NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    drive_start (&d, "aviary-broker", NULL);
    process_t *service = &d.processes[d.count++];
    char path[512];
    *service = (process_t){.program = strdup (drive_program ("aviary-test-tally", path)),
                           .preload = drive_program ("libaviary_sync_hold.so", library),
                           .preload_file = file};
    process_start (&d, service);
    drive_connect (&d);
    assert_true (drive_ready (&d, "tally"));

    tallies_t first = {0}, batch = {0};
    uint32_t before = atomic_load (&numbers[1]);
    atomic_store (&numbers[2], before);
    atomic_store (&numbers[0], 1);
    send_one (&d, 1000, false, &first);
    await_entered (&d, numbers, before + 1);
    for (int i = 0; i < 50; i++)
        send_one (&d, i, i == 25, &batch);
    drive_work (&d, 300, NULL);
    assert_int_equal (first.answered + batch.answered + batch.failed + batch.other, 0);
    atomic_store (&numbers[2], before + 1);
    await_entered (&d, numbers, before + 2);
    drive_work (&d, 300, NULL);
    assert_int_equal (first.answered, 1);
    assert_int_equal (batch.answered + batch.failed + batch.other, 0);
    atomic_store (&numbers[2], before + 2);
    for (int i = 0; i < 500 && batch.answered + batch.failed < 50; i++)
        drive_work (&d, 10, NULL);
    assert_int_equal (batch.answered, 49);
    assert_int_equal (batch.failed, 1);
    assert_int_equal (atomic_load (&numbers[1]), before + 2); /* one flush for all 50 */
    atomic_store (&numbers[0], 0);
    for (int i = 24; i < 27; i++) {
        snprintf (name, sizeof name, "name-%d", i);
        assert_int_equal (total (&d, name), i == 25 ? 0 : 1);
    }
    process_kill (service, SIGTERM);
    assert_int_equal (process_wait (service), 0);
    munmap ((void *) (uintptr_t) numbers, 12);
    close (fd);
    drive_close (&d);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_flush)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
