/* meta_error.c - Meta's errors: what they mean here, and whether to come back.
 *
 * Decided by code, never by HTTP status: the same throttling comes as 400 and as 429. Repeated are throttles and what Meta calls temporary; faults of the
 * account (token, permission, quality) are not, since nothing but a person mends them. */
#define _GNU_SOURCE
#include "provider/meta.h"

#include <stdlib.h>
#include <strings.h>

enum { SAID_MAX = 500, REGAIN_MAX_MIN = 60 };

typedef struct passing {
    const char *native;
    int32_t wait_ms; /* at least; the sender's own schedule may wait longer */
} passing_t;

static const passing_t passing[] = {
    {"1", 0},         {"2", 0},      {"4", 5000},   {"80007", 5000},  {"80008", 5000},
    {"130429", 1000}, {"131000", 0}, {"131016", 0}, {"131056", 4000}, {"131057", 5000},
    {"131208", 5000}, {"133004", 0}, {"503", 0},
};

static const provider_fault_t media_too_large = {E_MEDIA_TOO_LARGE, "meta", "131053",
                                                 "Media upload error",
                                                 "The file is over WhatsApp's limit."};

bool meta_is_passing (const provider_fault_t *fault, int64_t *wait_ms)
{
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strcmp (passing[i].native, fault->native) == 0) {
            *wait_ms = passing[i].wait_ms;
            return true;
        }
    return false;
}

/* 131053 is too large, or of a wrong type, or a dead link: only the words tell. */
static bool is_about_size (const char *said)
{
    return said && (strcasestr (said, "size") || strcasestr (said, "too large") ||
                    strcasestr (said, "too big"));
}

const provider_fault_t *meta_fault (arena_t *arena, bytes_t error, const char **said)
{
    static const char *const words[] = {"error_data.details", "error_user_msg", "message", "title"};
    const char *native = jval_code (arena, error, "code");
    *said = NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words && !*said; i++)
        *said = meta_cut (arena, jval_word (arena, error, words[i]), SAID_MAX);
    if (!native || strlen (native) > 12)
        return provider_fault (true, "500");
    if (strcmp (native, "131053") == 0 && is_about_size (*said))
        return &media_too_large;
    const provider_fault_t *row = provider_fault (true, native);
    if (strcmp (row->native, native) == 0)
        return row;
    provider_fault_t *own = arena_memdup (arena, row, sizeof *row);
    if (!own)
        return row;
    own->native = native;
    return own;
}

/* X-Business-Use-Case-Usage: {"WABA":[{...,"estimated_time_to_regain_access":19}]}, in minutes. */
int64_t meta_regain_ms (const char *headers)
{
    static const char name[] = "\"estimated_time_to_regain_access\":";
    long most = 0;
    for (const char *at = headers ? strstr (headers, name) : NULL; at; at = strstr (at, name)) {
        at += sizeof name - 1;
        long minutes = strtol (at, NULL, 10);
        most = minutes > most ? minutes : most;
    }
    return (int64_t) (most < REGAIN_MAX_MIN ? most : REGAIN_MAX_MIN) * 60000;
}
