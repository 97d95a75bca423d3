/* cli.h - what every subcommand of `aviary` shares: the table's row, options, exit codes, output.
 *
 * A subcommand is one file cmd_NAME.c with `int cmd_NAME (int argc, char **argv)` (argv[0] is its name), its prototype in
 * commands.h and a row in the table of main.c. Exit codes are those of sysexits.h; messages go to stderr, results to stdout. */
#ifndef AVIARY_CLI_H
#define AVIARY_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sysexits.h>

typedef struct command {
    const char *name;
    const char *usage; /* after "aviary NAME": "[--data DIR] [--json]" */
    const char *help;  /* one line for the list */
    int (*run) (int argc, char **argv);
    bool hidden; /* for the house itself, not in the list */
} command_t;

extern const command_t commands[];
extern const size_t command_count;
const command_t *command_find (const char *name); /* NULL if there is none */

typedef enum cli_kind {
    CLI_SWITCH, /* bool *; takes no value */
    CLI_TEXT,   /* const char ** */
    CLI_NUMBER, /* int64_t *, min to max */
    CLI_MILLIS, /* int64_t *, min to max; plain number = milliseconds, or "30s", "10m" */
    CLI_LIST    /* cli_list_t *; may be repeated */
} cli_kind_t;

enum { CLI_LIST_MAX = 64 };

typedef struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t count;
} cli_list_t;

typedef struct cli_option {
    const char *name;  /* "--data" */
    const char *value; /* "DIR"; NULL for switches */
    const char *help;
    cli_kind_t kind;
    void *out;
    int64_t min, max;
} cli_option_t;

typedef struct cli_form {
    const char *command; /* "up" */
    const char *about;   /* sentences for --help */
    const cli_option_t *options;
    size_t option_count;
    const char *operands; /* "ID", "[NAME...]"; NULL = none are taken */
    size_t operand_min, operand_max;
    cli_list_t given; /* filled: operands */
} cli_form_t;

/* Reads argv into the options' places; "--name value" and "--name=value" both work, "--" ends options. Returns -1 to go on, else the
 * exit code: EX_OK after --help, EX_USAGE with a message on stderr. */
int cli_read (cli_form_t *form, int argc, char **argv);

/* "aviary: TEXT\n" on stderr; returns `code`. */
int cli_fail (int code, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
/* The sysexits code that fits an E_ code. */
int cli_exit_code (int error);

/* Absolute form of a path that need not exist; false if it does not fit. */
bool cli_absolute (const char *path, char *out, size_t size);

#endif
