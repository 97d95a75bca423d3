/* settings.c - a service's settings: file, then environment, then flags; the last one said holds.
 *
 * DIR/aviary.conf has lines `service.name = value`, or `name = value` for what all share; lines of other services are theirs. A name that
 * nobody knows, or a value that does not fit, is told and the process does not start (exit 78). A set of settings never changes: HUP
 * makes a new one and the old stay, since others may be reading them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "svc/inner.h"

extern char **environ;

enum { TEXT_MAX = 65536, ENV_NAME_MAX = 128 };

static size_t row_count (const svc_t *svc)
{
    return COMMON_SETTING_COUNT + svc->schema->setting_count;
}

static const schema_setting_t *row_at (const svc_t *svc, size_t i)
{
    return i < COMMON_SETTING_COUNT ? &common_settings[i]
                                    : &svc->schema->settings[i - COMMON_SETTING_COUNT];
}

const common_settings_t *svc_common (const svc_t *svc)
{
    return &((settings_t *) atomic_load (&((svc_t *) (uintptr_t) svc)->settings))->common;
}

const void *svc_settings (const svc_t *svc)
{
    settings_t *settings = atomic_load (&((svc_t *) (uintptr_t) svc)->settings);
    return settings ? settings->own : NULL;
}

/* ---- values ---- */

void settings_free (const svc_t *svc, settings_t *settings)
{
    while (settings) {
        settings_t *older = settings->older;
        for (size_t i = 0; settings->texts && i < row_count (svc); i++)
            free (settings->texts[i]);
        free (settings->texts);
        free (settings->own);
        free (settings);
        settings = older;
    }
}

static settings_t *settings_new (const svc_t *svc)
{
    settings_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->texts = calloc (row_count (svc) + 1, sizeof *self->texts);
    self->own = calloc (1, svc->schema->settings_size ? svc->schema->settings_size : 1);
    if (!self->texts || !self->own) {
        settings_free (svc, self);
        return NULL;
    }
    return self;
}

static int bad (failure_t *failure, const schema_setting_t *row, const char *what)
{
    return failure_set (failure, E_BAD_REQUEST, row->name, "setting %s: %s", row->name, what);
}

static bool bool_read (const char *text, bool *out)
{
    static const char *const words[] = {"off", "on", "false", "true", "no", "yes", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp (words[i], text) == 0) {
            *out = i & 1;
            return true;
        }
    return false;
}

static bool int_read (const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll (text, &end, 10);
    *out = value;
    return !errno && end != text && !*end;
}

static int value_set (const schema_setting_t *row, const char *text, void *base, failure_t *failure)
{
    void *at = (uint8_t *) base + row->offset;
    int64_t number = 0;
    bool flag = false;
    if (row->required && (!text || !*text))
        return bad (failure, row, "is needed");
    if (row->kind == SK_STR) {
        const char *value = text ? text : "";
        memcpy (at, &value, sizeof value);
        return 0;
    }
    if (!text || !*text)
        return 0;
    if (row->kind == SK_BOOL) {
        if (!bool_read (text, &flag))
            return bad (failure, row, "is on or off");
        memcpy (at, &flag, sizeof flag);
        return 0;
    }
    bool read =
        row->kind == SK_TIME ? text_read_duration (text, &number) : int_read (text, &number);
    if (!read)
        return bad (failure, row,
                    row->kind == SK_TIME ? "is a duration like 250ms, 30s, 10m, 2h, 7d"
                                         : "is a whole number");
    if (number < row->min || number > row->max)
        return failure_set (failure, E_BAD_REQUEST, row->name,
                            "setting %s: %lld is not within %lld and %lld", row->name,
                            (long long) number, (long long) row->min, (long long) row->max);
    memcpy (at, &number, sizeof number);
    return 0;
}

static int values_fill (const svc_t *svc, settings_t *self, failure_t *failure)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < row_count (svc); i++) {
        const schema_setting_t *row = row_at (svc, i);
        const char *text = self->texts[i] ? self->texts[i] : row->initial;
        rc = value_set (row, text, i < COMMON_SETTING_COUNT ? (void *) &self->common : self->own,
                        failure);
    }
    if (!rc && log_level_read (self->common.log_level) < 0)
        rc = failure_set (failure, E_BAD_REQUEST, "log_level",
                          "setting log_level: is debug, info, warn or error");
    return rc;
}

static int text_set (settings_t *self, size_t i, const char *text, size_t length,
                     failure_t *failure)
{
    char *copy = strndup (text, length);
    if (!copy)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory");
    free (self->texts[i]);
    self->texts[i] = copy;
    return 0;
}

/* Own settings first, then the common ones. Dashes count as underscores. SIZE_MAX: no such setting. */
static size_t row_find (const svc_t *svc, const char *name, size_t length, bool common, bool own)
{
    for (size_t i = row_count (svc); i-- > 0;) {
        const char *known = row_at (svc, i)->name;
        if (!(i < COMMON_SETTING_COUNT ? common : own) || strlen (known) != length)
            continue;
        size_t n = 0;
        while (n < length && (known[n] == name[n] || (known[n] == '_' && name[n] == '-')))
            n++;
        if (n == length)
            return i;
    }
    return SIZE_MAX;
}

/* ---- the file ---- */

static char *file_text (const char *path, failure_t *failure, bool *missing)
{
    FILE *file = fopen (path, "re");
    *missing = !file && errno == ENOENT;
    char *text = file ? calloc (1, TEXT_MAX + 1) : NULL;
    size_t size = text ? fread (text, 1, TEXT_MAX, file) : 0;
    if (file)
        fclose (file);
    if (!text && !*missing)
        failure_set (failure, E_BAD_REQUEST, NULL, "%s cannot be read", path);
    if (text && size == TEXT_MAX) {
        failure_set (failure, E_BAD_REQUEST, NULL, "%s is too large", path);
        free (text);
        return NULL;
    }
    return text;
}

static char *trim (char *text)
{
    while (isspace ((unsigned char) *text))
        text++;
    char *end = text + strlen (text);
    while (end > text && isspace ((unsigned char) end[-1]))
        *--end = 0;
    return text;
}

static int line_read (const svc_t *svc, settings_t *self, char *line, int number,
                      failure_t *failure)
{
    line = trim (line);
    if (!*line || *line == '#')
        return 0;
    char *equals = strchr (line, '=');
    if (!equals)
        return failure_set (failure, E_BAD_REQUEST, NULL,
                            "aviary.conf line %d: `name = value` is expected", number);
    *equals = 0;
    char *name = trim (line), *value = trim (equals + 1);
    char *dot = strchr (name, '.');
    if (dot && ((size_t) (dot - name) != strlen (svc->schema->name) ||
                strncmp (name, svc->schema->name, (size_t) (dot - name)) != 0))
        return 0; /* another service's */
    const char *key = dot ? dot + 1 : name;
    size_t i = row_find (svc, key, strlen (key), true, dot != NULL);
    if (i == SIZE_MAX)
        return failure_set (failure, E_BAD_REQUEST, key,
                            "aviary.conf line %d: there is no setting %s", number, name);
    return text_set (self, i, value, strlen (value), failure);
}

static int file_read (const svc_t *svc, settings_t *self, const char *folder, failure_t *failure)
{
    char path[1024];
    snprintf (path, sizeof path, "%s/aviary.conf", folder);
    bool missing;
    char *text = file_text (path, failure, &missing);
    if (!text)
        return missing ? 0 : E_BAD_REQUEST;
    int rc = 0, number = 1;
    char *rest = text;
    for (char *line; !rc && (line = strsep (&rest, "\n")); number++)
        rc = line_read (svc, self, line, number, failure);
    free (text);
    return rc;
}

/* ---- environment ---- */

static int env_value (settings_t *self, size_t i, const char *value, bool is_file,
                      failure_t *failure)
{
    if (!is_file)
        return text_set (self, i, value, strlen (value), failure);
    bool missing;
    char *text = file_text (value, failure, &missing);
    if (!text)
        return missing ? failure_set (failure, E_BAD_REQUEST, NULL, "%s is not there", value)
                       : E_BAD_REQUEST;
    char *end = text + strlen (text);
    while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
        *--end = 0;
    int rc = text_set (self, i, text, strlen (text), failure);
    free (text);
    return rc;
}

/* The setting that the rest of a variable's name means, with or without _FILE. */
static size_t env_find (const svc_t *svc, const char *rest, size_t length, bool own, bool *is_file)
{
    char name[ENV_NAME_MAX];
    *is_file = false;
    if (length >= sizeof name)
        return SIZE_MAX;
    for (size_t i = 0; i < length; i++)
        name[i] = (char) tolower ((unsigned char) rest[i]);
    name[length] = 0;
    const char *tail = strrchr (name, '_');
    size_t i = row_find (svc, name, length, true, own);
    if (i == SIZE_MAX && tail && strcmp (tail, "_file") == 0) {
        *is_file = true;
        i = row_find (svc, name, (size_t) (tail - name), true, own);
    }
    return i;
}

static int env_pass (const svc_t *svc, settings_t *self, const char *prefix, bool own,
                     failure_t *failure)
{
    size_t length = strlen (prefix);
    int rc = 0;
    for (char **e = environ; !rc && *e; e++) {
        const char *equals = strchr (*e, '=');
        if (!equals || strncmp (*e, prefix, length) != 0)
            continue;
        bool is_file;
        size_t i = env_find (svc, *e + length, (size_t) (equals - *e) - length, own, &is_file);
        if (i != SIZE_MAX)
            rc = env_value (self, i, equals + 1, is_file, failure);
        else if (own)
            rc = failure_set (failure, E_BAD_REQUEST, NULL, "there is no setting for %.*s",
                              (int) (equals - *e), *e);
    }
    return rc;
}

static int env_read (const svc_t *svc, settings_t *self, failure_t *failure)
{
    char prefix[ENV_NAME_MAX];
    int n = snprintf (prefix, sizeof prefix, "AVIARY_%s_", svc->schema->name);
    for (int i = 0; i < n && i < (int) sizeof prefix; i++)
        prefix[i] = (char) (prefix[i] == '-' ? '_' : toupper ((unsigned char) prefix[i]));
    int rc = env_pass (svc, self, "AVIARY_", false, failure);
    return rc ? rc : env_pass (svc, self, prefix, true, failure);
}

/* ---- flags ---- */

static const char *const modes[] = {"", "--check-config", "--print-config", "--help", "--version"};

int settings_mode (const svc_t *svc)
{
    for (int i = 1; i < svc->argc; i++)
        for (int m = SETTINGS_CHECK; m <= SETTINGS_VERSION; m++)
            if (strcmp (svc->argv[i], modes[m]) == 0)
                return m;
    return SETTINGS_RUN;
}

static bool is_mode (const char *arg)
{
    for (int m = SETTINGS_CHECK; m <= SETTINGS_VERSION; m++)
        if (strcmp (arg, modes[m]) == 0)
            return true;
    return false;
}

static int flags_read (const svc_t *svc, settings_t *self, failure_t *failure)
{
    int rc = 0;
    for (int a = 1; !rc && a < svc->argc; a++) {
        const char *arg = svc->argv[a];
        if (is_mode (arg))
            continue;
        if (strncmp (arg, "--", 2) != 0)
            return failure_set (failure, E_BAD_REQUEST, NULL, "what is %s? See --help", arg);
        const char *equals = strchr (arg, '=');
        size_t length = equals ? (size_t) (equals - arg) - 2 : strlen (arg) - 2;
        size_t i = row_find (svc, arg + 2, length, true, true);
        if (i == SIZE_MAX)
            return failure_set (failure, E_BAD_REQUEST, NULL, "there is no setting %.*s",
                                (int) length + 2, arg);
        const char *value = equals ? equals + 1 : NULL;
        bool next = a + 1 < svc->argc && strncmp (svc->argv[a + 1], "--", 2) != 0;
        if (!value && next)
            value = svc->argv[++a];
        if (!value && row_at (svc, i)->kind == SK_BOOL)
            value = "on";
        if (!value)
            return failure_set (failure, E_BAD_REQUEST, NULL, "%s needs a value", arg);
        rc = text_set (self, i, value, strlen (value), failure);
    }
    return rc;
}

/* ---- all of it ---- */

static int later_read (const svc_t *svc, settings_t *self, failure_t *failure)
{
    int rc = env_read (svc, self, failure);
    return rc ? rc : flags_read (svc, self, failure);
}

int settings_read (const svc_t *svc, settings_t **out, failure_t *failure)
{
    settings_t *first = settings_new (svc), *self = settings_new (svc);
    int rc = first && self ? 0 : failure_set (failure, E_NO_MEMORY, NULL, "no memory");
    if (!rc) /* where is the file? */
        rc = later_read (svc, first, failure);
    size_t data = row_find (svc, "data", 4, true, false);
    const char *folder = rc || data == SIZE_MAX ? NULL
                         : first->texts[data]   ? first->texts[data]
                                                : common_settings[data].initial;
    if (!rc && folder)
        rc = file_read (svc, self, folder, failure);
    if (!rc && folder) { /* the file cannot move itself */
        free (self->texts[data]);
        self->texts[data] = NULL;
    }
    if (!rc)
        rc = later_read (svc, self, failure);
    if (!rc)
        rc = values_fill (svc, self, failure);
    settings_free (svc, first);
    if (rc)
        settings_free (svc, self);
    else
        *out = self;
    return rc;
}

void settings_reload (svc_t *svc)
{
    settings_t *old = atomic_load (&svc->settings), *new = NULL;
    failure_t failure = {0};
    if (settings_read (svc, &new, &failure)) {
        svc_log (svc, LOG_ERROR, "settings not reloaded", "detail", failure.text, NULL);
        return;
    }
    for (size_t i = 0; i < row_count (svc); i++) {
        const schema_setting_t *row = row_at (svc, i);
        const char *was = old->texts[i] ? old->texts[i] : row->initial,
                   *is = new->texts[i] ? new->texts[i] : row->initial;
        if (strcmp (was ? was : "", is ? is : "") == 0)
            continue;
        if (row->reloadable) {
            svc_log (svc, LOG_INFO, "setting changed", "setting", row->name, "value",
                     row->secret ? "********" : is, NULL);
            continue;
        }
        svc_log (svc, LOG_WARN, "setting changes at the next start", "setting", row->name, NULL);
        free (new->texts[i]);
        new->texts[i] = old->texts[i] ? strdup (old->texts[i]) : NULL;
    }
    if (values_fill (svc, new, &failure)) {
        svc_log (svc, LOG_ERROR, "settings not reloaded", "detail", failure.text, NULL);
        settings_free (svc, new);
        return;
    }
    new->older = old;
    atomic_store (&svc->settings, new);
    atomic_store (&svc->log_level, log_level_read (new->common.log_level));
}

/* ---- for people ---- */

void settings_print (const svc_t *svc, const settings_t *settings, buf_t *out)
{
    for (size_t i = 0; i < row_count (svc); i++) {
        const schema_setting_t *row = row_at (svc, i);
        const char *value = settings->texts[i] ? settings->texts[i] : row->initial;
        if (row->secret && value && *value)
            value = "********";
        buf_printf (out, "%s%s%s = %s\n", i < COMMON_SETTING_COUNT ? "" : svc->schema->name,
                    i < COMMON_SETTING_COUNT ? "" : ".", row->name, value ? value : "");
    }
}

void settings_help (const svc_t *svc, buf_t *out)
{
    buf_printf (
        out,
        "aviary-%s: %s\n\nUsage: aviary-%s [--setting value]...\n"
        "  --check-config   check the settings and exit\n  --print-config   print them, secrets masked, and exit\n"
        "  --version        print the version and exit\n  --help           this\n\nSettings, from DIR/aviary.conf "
        "(%s.name = value), then the environment (AVIARY_NAME, AVIARY_SERVICE_NAME,\nwith _FILE from a file), then flags. "
        "* can be reloaded with HUP.\n",
        svc->schema->name, svc->schema->doc, svc->schema->name, svc->schema->name);
    for (size_t i = 0; i < row_count (svc); i++) {
        const schema_setting_t *row = row_at (svc, i);
        char name[ENV_NAME_MAX];
        snprintf (name, sizeof name, "%s", row->name);
        for (char *c = name; *c; c++)
            *c = *c == '_' ? '-' : *c;
        buf_printf (out, "  --%-26s %s%s%s%s%s\n", name, row->doc,
                    row->initial && *row->initial ? " [" : "",
                    row->initial && *row->initial ? row->initial : "",
                    row->initial && *row->initial ? "]" : "", row->reloadable ? " *" : "");
    }
}
