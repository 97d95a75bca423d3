/* tool_test.c - the parts of the command line that need no house: options, addresses, log lines, restarts, the run file. */
#define _GNU_SOURCE /* pipe2 */
#include "child.h"
#include "cli.h"
#include "files.h"
#include "json.h"
#include "logs.h"
#include "port.h"
#include "run_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct flags {
    bool on;
    const char *text;
    int64_t number, millis;
    cli_list_t list;
} flags_t;

static int read_flags (flags_t *flags, size_t operands, char **argv)
{
    const cli_option_t options[] = {
        {"--on", NULL, "", CLI_SWITCH, &flags->on, 0, 0},
        {"--text", "T", "", CLI_TEXT, &flags->text, 0, 0},
        {"--number", "N", "", CLI_NUMBER, &flags->number, 1, 10},
        {"--millis", "MS", "", CLI_MILLIS, &flags->millis, 0, 100000},
        {"--list", "L", "", CLI_LIST, &flags->list, 0, 0},
    };
    cli_form_t form = {.command = "t",
                       .about = "",
                       .options = options,
                       .option_count = 5,
                       .operands = "X",
                       .operand_max = operands};
    int argc = 0;
    while (argv[argc])
        argc++;
    memset (flags, 0, sizeof *flags);
    return cli_read (&form, argc, argv);
}

static void options_are_read (void **state)
{
    (void) state;
    static const struct {
        const char *argv[8];
        int want;
    } rows[] = {
        {{"t"}, -1},
        {{"t", "--on", "--text", "a", "--number=10", "--millis", "2s"}, -1},
        {{"t", "--number", "11"}, EX_USAGE},
        {{"t", "--number", "0"}, EX_USAGE},
        {{"t", "--number", "5x"}, EX_USAGE},
        {{"t", "--number", "5s"}, EX_USAGE},
        {{"t", "--number", ""}, EX_USAGE},
        {{"t", "--millis", "2weeks"}, EX_USAGE},
        {{"t", "--text"}, EX_USAGE},
        {{"t", "--on=yes"}, EX_USAGE},
        {{"t", "--tex", "a"}, EX_USAGE},
        {{"t", "operand"}, -1},
        {{"t", "one", "two"}, EX_USAGE},
        {{"t", "--", "--on"}, -1},
        {{"t", "--list", "a=1", "--list=b=2"}, -1},
    };
    flags_t flags;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal (read_flags (&flags, 1, (char **) (uintptr_t) rows[i].argv), rows[i].want);
    assert_int_equal (flags.list.count, 2);
    assert_string_equal (flags.list.items[1], "b=2");
    char *argv[] = {"t", "--on", "--text", "a", "--number=10", "--millis", "2s", NULL};
    assert_int_equal (read_flags (&flags, 0, argv), -1);
    assert_true (flags.on && flags.number == 10 && flags.millis == 2000);
    assert_string_equal (flags.text, "a");
}

static void addresses_are_read (void **state)
{
    (void) state;
    static const struct {
        const char *text, *host;
        unsigned port;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"localhost:1", "127.0.0.1", 1},
        {"0.0.0.0:65535", "0.0.0.0", 65535},
        {"127.0.0.1", NULL, 0},
        {"127.0.0.1:0", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"[::1]:80", NULL, 0},
        {"example.org:80", NULL, 0},
        {":80", NULL, 0},
        {"127.0.0.1:80x", NULL, 0},
        {"127.0.0.1:-1", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[64];
        uint16_t port = 0;
        bool ok = port_read (rows[i].text, host, sizeof host, &port);
        assert_int_equal (ok, rows[i].host != NULL);
        if (ok) {
            assert_string_equal (host, rows[i].host);
            assert_int_equal (port, rows[i].port);
        }
    }
    assert_true (port_is_loopback ("127.0.0.53"));
    assert_false (port_is_loopback ("0.0.0.0"));
}

static void a_busy_port_names_its_holder (void **state)
{
    (void) state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &address, size), 0);
    assert_int_equal (listen (fd, 1), 0);
    getsockname (fd, (struct sockaddr *) &address, &size);
    uint16_t port = ntohs (address.sin_port);
    char holder[96], want[96];
    assert_int_equal (port_try ("127.0.0.1", port), EADDRINUSE);
    port_holder (port, holder, sizeof holder);
    snprintf (want, sizeof want, "(pid %d)", (int) getpid ());
    assert_non_null (strstr (holder, want));
    close (fd);
    assert_int_equal (port_try ("127.0.0.1", port), 0);
}

static void lines_get_a_prefix (void **state)
{
    (void) state;
    int in[2], out[2];
    assert_int_equal (pipe2 (in, O_NONBLOCK), 0);
    assert_int_equal (pipe2 (out, O_NONBLOCK), 0);
    logs_t logs;
    log_line_t *line = calloc (1, sizeof *line);
    logs_open (&logs, out[1]);
    assert_int_equal (write (in[1], "one\ntw", 6), 6);
    assert_true (logs_copy (&logs, "a.0", in[0], line));
    assert_int_equal (write (in[1], "o\nthree", 7), 7);
    assert_true (logs_copy (&logs, "a.0", in[0], line));
    close (in[1]);
    assert_false (logs_copy (&logs, "a.0", in[0], line));
    logs_end (&logs, "a.0", line);
    char text[256] = "";
    assert_true (read (out[0], text, sizeof text - 1) > 0);
    assert_string_equal (text, "a.0 | one\na.0 | two\na.0 | three\n");
    logs_close (&logs);
    close (in[0]);
    close (out[0]);
    close (out[1]);
    free (line);
}

static void a_reader_that_does_not_read_blocks_nobody (void **state)
{
    (void) state;
    int out[2];
    assert_int_equal (pipe (out), 0);
    logs_t logs;
    char text[1000];
    memset (text, 'x', sizeof text);
    logs_open (&logs, out[1]);
    for (int i = 0; i < 3000; i++)
        logs_put (&logs, "a.0", text, sizeof text);
    assert_true (logs.dropped > 1000);
    assert_true (logs.waiting.size <= 2 << 20);
    fcntl (out[0], F_SETFL, O_NONBLOCK);
    buf_t all = {0};
    for (;;) { /* now it reads */
        logs_flush (&logs);
        uint8_t *room = buf_reserve (&all, 65536);
        ssize_t n = read (out[0], room, 65536);
        if (n <= 0)
            break;
        all.size += (size_t) n;
    }
    logs_put (&logs, "a.0", "end", 3);
    logs_flush (&logs);
    char last[128] = "";
    assert_true (read (out[0], last, sizeof last - 1) > 0);
    assert_non_null (strstr (last, "log lines were dropped"));
    assert_non_null (strstr (last, "a.0 | end\n"));
    assert_non_null (strstr (buf_text (&all), "xx\na.0 | xx")); /* whole lines */
    buf_free (&all);
    logs_close (&logs);
    close (out[0]);
    close (out[1]);
}

static void restarts_back_off (void **state)
{
    (void) state;
    static const struct {
        int64_t at, wait;
    } rows[] = {
        {1000, 0},    {1001, 250},  {2000, 500},   {3000, 1000}, {4000, 2000},
        {5000, 4000}, {6000, 5000}, {12000, 5000}, {23000, 0},   {24000, 250},
    };
    child_t *child = malloc (sizeof *child);
    child_init (child, CHILD_SERVICE, "messaging", 1);
    assert_string_equal (child->prefix, "messaging.1");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        child_ended (child, rows[i].at);
        assert_int_equal (child->retry_ms - rows[i].at, rows[i].wait);
    }
    free (child);
}

static void a_missing_program_says_so (void **state)
{
    (void) state;
    child_t *child = malloc (sizeof *child);
    child_init (child, CHILD_SERVICE, "x", 0);
    child_arg (child, "/nonexistent/%s", "program");
    assert_int_equal (child_start (child, 1), 0);
    int status;
    assert_int_equal (waitpid (child->pid, &status, 0), child->pid);
    assert_int_equal (WEXITSTATUS (status), EX_OSERR);
    char text[256] = "";
    assert_true (read (child->pipe, text, sizeof text - 1) > 0);
    assert_non_null (strstr (text, "cannot run /nonexistent/program"));
    child_free (child);
    free (child);
}

static void the_run_file_round_trips (void **state)
{
    (void) state;
    char folder[] = "/tmp/aviary-tool-XXXXXX", run[64];
    assert_non_null (mkdtemp (folder));
    snprintf (run, sizeof run, "%s/run", folder);
    assert_int_equal (folder_make (run), 0);
    assert_int_equal (folder_make (run), 0);
    run_list_t *list = calloc (1, sizeof *list), *back = calloc (1, sizeof *back);
    assert_int_equal (run_list_read (folder, back), ENOENT);
    list->supervisor = getpid ();
    list->count = 3;
    list->entries[0] = (run_entry_t){"broker", 0, getpid ()};
    list->entries[1] = (run_entry_t){"edge", 1, 0};
    list->entries[2] = (run_entry_t){"edge", 0, 0x3fffffff}; /* above pid_max: gone */
    assert_int_equal (run_list_write (folder, list), 0);
    assert_int_equal (run_list_read (folder, back), 0);
    assert_int_equal (back->supervisor, getpid ());
    assert_int_equal (back->count, 3);
    assert_string_equal (back->entries[1].service, "edge");
    assert_int_equal (back->entries[0].pid, getpid ());
    assert_int_equal (back->entries[1].replica, 1);
    assert_int_equal (back->entries[2].pid, 0);
    list->supervisor = 0x3fffffff; /* killed: what it left does not count */
    assert_int_equal (run_list_write (folder, list), 0);
    assert_int_equal (run_list_read (folder, back), ENOENT);
    run_list_remove (folder);
    rmdir (run);
    rmdir (folder);
    free (list);
    free (back);
}

static void json_text_escapes (void **state)
{
    (void) state;
    buf_t out = {0};
    json_text (&out, "a\"b\\c\n\xc3\xa9");
    assert_string_equal (buf_text (&out), "\"a\\\"b\\\\c\\u000a\xc3\xa9\"");
    buf_free (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (options_are_read),
        cmocka_unit_test (addresses_are_read),
        cmocka_unit_test (a_busy_port_names_its_holder),
        cmocka_unit_test (lines_get_a_prefix),
        cmocka_unit_test (a_reader_that_does_not_read_blocks_nobody),
        cmocka_unit_test (restarts_back_off),
        cmocka_unit_test (a_missing_program_says_so),
        cmocka_unit_test (the_run_file_round_trips),
        cmocka_unit_test (json_text_escapes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
