/* guard_test.c - the file of what was running: three crashes and it does not run again. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "svc/inner.h"

#include <cmocka.h>

static void test_three_crashes (void **state)
{
    (void) state;
    char path[] = "/tmp/aviary-guard-XXXXXX";
    close (mkstemp (path));
    const id16_t bad = {{1, 2}}, good = {{3}};
    guard_t *guard = NULL;
    for (int crash = 0; crash < 3; crash++) {
        assert_int_equal (guard_open (path, &guard), 0);
        assert_true (guard_enter (guard, good));
        guard_leave (guard);
        assert_true (guard_enter (guard, bad));
        guard_close (&guard); /* without leaving: as kill -9 would */
    }
    assert_int_equal (guard_open (path, &guard), 0);
    assert_int_equal (guard_quarantined (guard), 1);
    assert_false (guard_enter (guard, bad));
    assert_true (guard_enter (guard, good));
    guard_leave (guard);
    guard_close (&guard);
    unlink (path);
}

static void test_damaged_file (void **state)
{
    (void) state;
    char path[] = "/tmp/aviary-guard-XXXXXX";
    int fd = mkstemp (path);
    assert_int_equal (write (fd, "rubbish", 7), 7);
    close (fd);
    guard_t *guard = NULL;
    assert_int_equal (guard_open (path, &guard), 0);
    assert_int_equal (guard_quarantined (guard), 0);
    assert_true (guard_enter (guard, (id16_t){{1}}));
    guard_close (&guard);
    assert_true (guard_enter (NULL, (id16_t){{1}})); /* no guard: everything runs */
    assert_int_not_equal (guard_open ("/nowhere/at/all", &guard), 0);
    unlink (path);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (test_three_crashes),
                                       cmocka_unit_test (test_damaged_file)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
