/* story.c - merging and telling. Pure but for the printing. */
#include "story.h"

#include "base/clock.h"
#include "spelling.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

bool story_begin (story_t *self, id16_t id, arena_t *arena)
{
    *self = (story_t){.id = id, .lines = arena_array_of (arena, story_line_t, STORY_LINES_MAX)};
    return self->lines != NULL;
}

void story_add (story_t *self, arena_t *arena, int64_t at, const char *service, const char *what,
                const char *detail, bool reveal)
{
    if (self->count == STORY_LINES_MAX)
        return;
    buf_t shown = buf_in (arena);
    if (reveal)
        buf_add_str (&shown, detail ? detail : "");
    else
        spelling_mask (detail ? detail : "", &shown);
    self->lines[self->count] = (story_line_t){.at = at,
                                              .service = service ? service : "?",
                                              .what = what ? what : "",
                                              .detail = buf_text (&shown),
                                              .order = self->count};
    self->count++;
}

static int earlier (const void *a, const void *b)
{
    const story_line_t *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void story_sort (story_t *self)
{
    qsort (self->lines, self->count, sizeof *self->lines, earlier);
}

void story_ago (int64_t ms, char out[32])
{
    long long s = ms / 1000;
    if (ms < 1000)
        snprintf (out, 32, "+%lld ms", (long long) ms);
    else if (s < 60)
        snprintf (out, 32, "+%lld.%03lld s", s, (long long) (ms % 1000));
    else if (s < 3600)
        snprintf (out, 32, "+%lld min %lld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf (out, 32, "+%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf (out, 32, "+%lld d %lld h", s / 86400, s / 3600 % 24);
}

void story_print_lines (const story_t *self, const char *asked)
{
    char at[CLOCK_ISO_SIZE], ago[32], uuid[ID_UUID_LENGTH + 1];
    id_write_uuid (self->id, uuid);
    printf ("%s (%s)\n", asked, uuid);
    for (size_t i = 0; i < self->count; i++) {
        const story_line_t *l = &self->lines[i];
        clock_write_iso (l->at, at);
        if (i == 0)
            printf ("%.10s %.12s\n", at, at + 11);
        story_ago (l->at - self->lines[0].at, ago);
        printf ("  %12s  %-16s %s  [%s]\n", i ? ago : "", l->what, l->detail, l->service);
    }
    for (size_t i = 0; i < self->silent_count; i++)
        printf ("  not heard: %s\n", self->silent[i]);
}

void story_print_json (const story_t *self)
{
    char at[CLOCK_ISO_SIZE], id[SPELLING_SIZE];
    spelling_write (NULL, false, self->id, id);
    cJSON *root = cJSON_CreateObject ();
    cJSON_AddStringToObject (root, "id", id);
    cJSON *lines = cJSON_AddArrayToObject (root, "lines");
    for (size_t i = 0; i < self->count; i++) {
        const story_line_t *l = &self->lines[i];
        cJSON *row = cJSON_CreateObject ();
        clock_write_iso (l->at, at);
        cJSON_AddStringToObject (row, "at", at);
        cJSON_AddNumberToObject (row, "after_ms", (double) (l->at - self->lines[0].at));
        cJSON_AddStringToObject (row, "service", l->service);
        cJSON_AddStringToObject (row, "what", l->what);
        cJSON_AddStringToObject (row, "detail", l->detail);
        cJSON_AddItemToArray (lines, row);
    }
    cJSON *silent = cJSON_AddArrayToObject (root, "silent");
    for (size_t i = 0; i < self->silent_count; i++)
        cJSON_AddItemToArray (silent, cJSON_CreateString (self->silent[i]));
    char *text = cJSON_PrintUnformatted (root);
    puts (text ? text : "{}");
    cJSON_free (text);
    cJSON_Delete (root);
}
