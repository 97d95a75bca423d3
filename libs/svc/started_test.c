/* started_test.c - what a process leaves behind, and files that are not to be believed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <signal.h>

#include "svc/started.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

typedef struct place {
    char folder[64];
    char path[96];
} place_t;

static id16_t id_of (unsigned n)
{
    id16_t id = {{7}};
    id.b[15] = (uint8_t) n;
    return id;
}

static int place_new (void **state)
{
    place_t *p = calloc (1, sizeof *p);
    snprintf (p->folder, sizeof p->folder, "/tmp/aviary-started-XXXXXX");
    *state = p;
    if (!mkdtemp (p->folder))
        return -1;
    snprintf (p->path, sizeof p->path, "%s/x.started", p->folder);
    return 0;
}

static int place_free (void **state)
{
    place_t *p = *state;
    unlink (p->path);
    rmdir (p->folder);
    free (p);
    return 0;
}

static started_t *opened (const place_t *p, unsigned epoch)
{
    started_t *self = NULL;
    failure_t failure = {0};
    assert_int_equal (started_open (p->path, id_of (epoch), &self, &failure), 0);
    return self;
}

static void survives_kill (void **state)
{
    const place_t *p = *state;
    pid_t child = fork ();
    if (!child) {
        started_t *self = NULL;
        id16_t lost[] = {id_of (90)};
        if (started_open (p->path, id_of (1), &self, NULL) ||
            started_renew (self, 8, lost, 1, NULL))
            _exit (1);
        for (unsigned i = 1; i < 5; i++)
            started_mark (self, i, id_of (i));
        started_clear (self, 2);
        started_mark (self, 800, id_of (5));
        raise (SIGKILL);
    }
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFSIGNALED (status));
    started_t *self = opened (p, 1);
    assert_true (started_trusted (self));
    static const struct {
        unsigned n;
        bool was;
    } rows[] = {{90, true}, {1, true}, {2, false}, {3, true}, {4, true}, {5, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal (started_was (self, id_of (rows[i].n)), rows[i].was);
    started_close (&self);
    self = opened (p, 2); /* another life of the store */
    assert_false (started_trusted (self));
    assert_false (started_was (self, id_of (1)));
    started_close (&self);
}

static void spoil (const place_t *p, long at, uint8_t value, long cut)
{
    started_t *self = opened (p, 1);
    assert_int_equal (started_renew (self, 4, NULL, 0, NULL), 0);
    started_mark (self, 0, id_of (1));
    started_close (&self);
    FILE *file = fopen (p->path, "r+b");
    assert_non_null (file);
    if (at >= 0) {
        fseek (file, at, SEEK_SET);
        fputc (value, file);
    }
    fclose (file);
    if (cut >= 0)
        assert_int_equal (truncate (p->path, cut), 0);
}

static void not_believed (void **state)
{
    const place_t *p = *state;
    static const struct {
        const char *name;
        long at;
        uint8_t value;
        long cut;
        bool trusted;
    } rows[] = {{"whole", -1, 0, -1, true},        {"magic", 0, 'x', -1, false},
                {"boot", 33, 1, -1, false},        {"slots", 11, 0xFF, -1, false},
                {"half header", -1, 0, 30, false}, {"half slot", -1, 0, 70, false},
                {"empty", -1, 0, 0, false}};
    started_t *self = opened (p, 1);
    assert_false (started_trusted (self)); /* absent */
    started_mark (self, 0, id_of (1));     /* before it was made: nothing */
    started_close (&self);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        spoil (p, rows[i].at, rows[i].value, rows[i].cut);
        self = opened (p, 1);
        if (started_trusted (self) != rows[i].trusted)
            print_error ("%s\n", rows[i].name);
        assert_int_equal (started_trusted (self), rows[i].trusted);
        assert_int_equal (started_was (self, id_of (1)), rows[i].trusted);
        started_close (&self);
    }
}

static void no_folder (void **state)
{
    (void) state;
    started_t *self = NULL;
    failure_t failure = {0};
    assert_int_equal (started_open ("/nonexistent/x", id_of (1), &self, &failure), 0);
    assert_int_equal (started_renew (self, 4, NULL, 0, &failure), E_IO);
    assert_true (strlen (failure.text) > 0);
    started_close (&self);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (survives_kill, place_new, place_free),
        cmocka_unit_test_setup_teardown (not_believed, place_new, place_free),
        cmocka_unit_test (no_folder),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
