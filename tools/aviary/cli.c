/* cli.c - options by table, exit codes, messages.
 *
 * Fails by returning EX_USAGE with one line on stderr that names the option. */
#include "cli.h"

#include "base/err.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_fail (int code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fputs ("aviary: ", stderr);
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
    va_end (args);
    return code;
}

int cli_exit_code (int error)
{
    switch (error_class (error)) {
    case EC_INPUT:
        return error == 0 ? EX_OK : EX_DATAERR;
    case EC_AUTH:
    case EC_FORBIDDEN:
        return EX_NOPERM;
    case EC_NOT_FOUND:
    case EC_CONFLICT:
    case EC_REFUSED:
        return EX_DATAERR;
    case EC_UPSTREAM:
    case EC_LIMITED:
        return EX_TEMPFAIL;
    case EC_UNAVAILABLE:
        return EX_UNAVAILABLE;
    default:
        return EX_SOFTWARE;
    }
}

bool cli_absolute (const char *path, char *out, size_t size)
{
    char here[PATH_MAX];
    int n;
    if (path[0] == '/')
        n = snprintf (out, size, "%s", path);
    else if (getcwd (here, sizeof here))
        n = snprintf (out, size, "%s/%s", here, strncmp (path, "./", 2) ? path : path + 2);
    else
        return false;
    while (n > 1 && (size_t) n < size && out[n - 1] == '/')
        out[--n] = '\0';
    return n > 0 && (size_t) n < size;
}

static void help (const cli_form_t *form)
{
    printf ("usage: aviary %s%s%s%s\n\n%s\n", form->command, form->option_count ? " [flags]" : "",
            form->operands ? " " : "", form->operands ? form->operands : "", form->about);
    if (form->option_count)
        printf ("\n");
    for (size_t i = 0; i < form->option_count; i++) {
        const cli_option_t *o = &form->options[i];
        char left[64];
        snprintf (left, sizeof left, "%s%s%s", o->name, o->value ? " " : "",
                  o->value ? o->value : "");
        printf ("  %-30s %s\n", left, o->help);
    }
}

static bool number_take (const cli_option_t *o, const char *value)
{
    char *end;
    errno = 0;
    long long n = strtoll (value, &end, 10);
    int64_t ms;
    if (end == value || errno)
        return false;
    if (*end) {
        if (o->kind != CLI_MILLIS || !text_read_duration (value, &ms))
            return false;
        n = ms;
    }
    if (n < o->min || n > o->max)
        return false;
    *(int64_t *) o->out = n;
    return true;
}

static bool list_add (cli_list_t *list, const char *value)
{
    if (list->count == CLI_LIST_MAX)
        return false;
    list->items[list->count++] = value;
    return true;
}

static int option_take (const cli_form_t *form, const cli_option_t *o, const char *value)
{
    switch (o->kind) {
    case CLI_SWITCH:
        *(bool *) o->out = true;
        return -1;
    case CLI_TEXT:
        *(const char **) o->out = value;
        return -1;
    case CLI_NUMBER:
    case CLI_MILLIS:
        if (number_take (o, value))
            return -1;
        return cli_fail (EX_USAGE, "%s: %s is a number from %lld to %lld, not '%s'", form->command,
                         o->name, (long long) o->min, (long long) o->max, value);
    case CLI_LIST:
        if (list_add (o->out, value))
            return -1;
        return cli_fail (EX_USAGE, "%s: too many %s", form->command, o->name);
    }
    return EX_SOFTWARE;
}

/* The option that `arg` names; *value = what follows "=", or NULL. */
static const cli_option_t *option_find (const cli_form_t *form, const char *arg, const char **value)
{
    const char *equal = strchr (arg, '=');
    size_t length = equal ? (size_t) (equal - arg) : strlen (arg);
    *value = equal ? equal + 1 : NULL;
    for (size_t i = 0; i < form->option_count; i++)
        if (strlen (form->options[i].name) == length &&
            !strncmp (form->options[i].name, arg, length))
            return &form->options[i];
    return NULL;
}

/* One option at argv[*i]; *i is left at its last word. */
static int option_read (const cli_form_t *form, int argc, char **argv, int *i)
{
    const char *value;
    const cli_option_t *o = option_find (form, argv[*i], &value);
    if (!o)
        return cli_fail (EX_USAGE, "%s: unknown flag '%s'; `aviary %s --help` lists them",
                         form->command, argv[*i], form->command);
    if (o->kind == CLI_SWITCH && value)
        return cli_fail (EX_USAGE, "%s: %s takes no value", form->command, o->name);
    if (o->kind != CLI_SWITCH && !value) {
        if (*i + 1 >= argc)
            return cli_fail (EX_USAGE, "%s: %s needs a value (%s)", form->command, o->name,
                             o->value);
        value = argv[++*i];
    }
    return option_take (form, o, value);
}

int cli_read (cli_form_t *form, int argc, char **argv)
{
    bool options = true;
    for (int i = 1; i < argc; i++) {
        int rc = -1;
        if (options && !strcmp (argv[i], "--"))
            options = false;
        else if (options && (!strcmp (argv[i], "--help") || !strcmp (argv[i], "-h"))) {
            help (form);
            return EX_OK;
        } else if (options && argv[i][0] == '-' && argv[i][1])
            rc = option_read (form, argc, argv, &i);
        else if (form->given.count >= form->operand_max || !list_add (&form->given, argv[i]))
            rc = cli_fail (EX_USAGE, "%s: what is '%s'?", form->command, argv[i]);
        if (rc >= 0)
            return rc;
    }
    if (form->given.count < form->operand_min)
        return cli_fail (EX_USAGE, "usage: aviary %s %s", form->command, form->operands);
    return -1;
}
