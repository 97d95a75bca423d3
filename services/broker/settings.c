/* settings.c - one table (generated) decides what is known: a flag or a variable that is not in it refuses the start. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

extern char **environ;

static const char env_prefix[] = "AVIARY_BROKER_";

enum { NAME_SIZE = 64 };

static int wrong (const char *name, const char *why)
{
    fprintf (stderr, "aviary-broker: %s: %s\n", name, why);
    return EX_USAGE;
}

/* "QUEUE_MAX" or "queue-max" is "queue_max". */
static const schema_setting_t *setting_find (const char *name, size_t length)
{
    char plain[NAME_SIZE];
    if (length >= sizeof plain)
        return NULL;
    for (size_t i = 0; i < length; i++)
        plain[i] = name[i] == '-'                     ? '_'
                   : name[i] >= 'A' && name[i] <= 'Z' ? (char) (name[i] - 'A' + 'a')
                                                      : name[i];
    plain[length] = 0;
    for (int i = 0; i < BROKER_SETTING_COUNT; i++)
        if (!strcmp (broker_settings[i].name, plain))
            return &broker_settings[i];
    return NULL;
}

static int setting_set (broker_settings_t *out, const schema_setting_t *setting, const char *text)
{
    char *at = (char *) out + setting->offset;
    if (setting->kind == SK_STR) {
        *(const char **) (void *) at = text;
        return 0;
    }
    char *end;
    errno = 0;
    long long number = strtoll (text, &end, 10);
    if (errno || *end || end == text || number < setting->min || number > setting->max)
        return wrong (setting->name, "not a number within its limits");
    *(int64_t *) (void *) at = number;
    return 0;
}

static int environment_read (broker_settings_t *out)
{
    for (char **variable = environ; *variable; variable++) {
        if (strncmp (*variable, env_prefix, sizeof env_prefix - 1) != 0)
            continue;
        const char *name = *variable + sizeof env_prefix - 1;
        const char *equals = strchr (name, '=');
        const schema_setting_t *setting =
            equals ? setting_find (name, (size_t) (equals - name)) : NULL;
        if (!setting)
            return wrong (*variable, "no such setting");
        if (setting_set (out, setting, equals + 1))
            return EX_USAGE;
    }
    return 0;
}

static void help (void)
{
    printf ("aviary-broker: routes asks between the services of an installation.\n\n");
    for (int i = 0; i < BROKER_SETTING_COUNT; i++) {
        char flag[NAME_SIZE];
        snprintf (flag, sizeof flag, "%s", broker_settings[i].name);
        for (char *c = flag; *c; c++)
            *c = *c == '_' ? '-' : *c;
        printf ("  --%-14s %s (%s)\n", flag, broker_settings[i].doc,
                *broker_settings[i].initial ? broker_settings[i].initial : "empty");
    }
    printf ("  --check-config   look at the settings, start nothing\n"
            "  --version, --help\n\n"
            "Settings may also stand in the environment: AVIARY_BROKER_QUEUE_MAX=5000.\n");
}

/* Flags without a value; true if it was one. */
static bool plain_flag (const char *flag, settings_action_t *action)
{
    if (!strcmp (flag, "--check-config")) {
        *action = SETTINGS_CHECK;
        return true;
    }
    if (strcmp (flag, "--help") != 0 && strcmp (flag, "--version") != 0)
        return false;
    *action = SETTINGS_SHOWN;
    if (flag[2] == 'h')
        help ();
    else
        printf ("aviary-broker %s\n", AVIARY_VERSION);
    return true;
}

static int flags_read (int argc, char **argv, broker_settings_t *out, settings_action_t *action)
{
    for (int i = 1; i < argc && *action != SETTINGS_SHOWN; i++) {
        const char *flag = argv[i];
        if (plain_flag (flag, action))
            continue;
        size_t length = strcspn (flag, "=");
        const schema_setting_t *setting =
            strncmp (flag, "--", 2) ? NULL : setting_find (flag + 2, length - 2);
        const char *value = flag[length] == '=' ? flag + length + 1
                            : i + 1 < argc      ? argv[++i]
                                                : NULL;
        if (!setting)
            return wrong (flag, "no such flag; see --help");
        if (!value)
            return wrong (flag, "needs a value");
        if (setting_set (out, setting, value))
            return EX_USAGE;
    }
    return 0;
}

int settings_read (int argc, char **argv, broker_settings_t *out, settings_action_t *action)
{
    *out = (broker_settings_t){0};
    *action = SETTINGS_RUN;
    for (int i = 0; i < BROKER_SETTING_COUNT; i++)
        if (setting_set (out, &broker_settings[i], broker_settings[i].initial))
            return EX_USAGE;
    int code = environment_read (out);
    return code ? code : flags_read (argc, argv, out, action);
}
