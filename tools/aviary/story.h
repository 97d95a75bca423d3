/* story.h - the lines that services kept about an id, put in order and told. */
#ifndef AVIARY_STORY_H
#define AVIARY_STORY_H

#include "base/arena.h"
#include "base/id.h"

enum { STORY_LINES_MAX = 5000, STORY_SERVICES_MAX = 32 };

typedef struct story_line {
    int64_t at; /* Unix ms */
    const char *service, *what, *detail;
    size_t order; /* in which it was told, for lines of one millisecond */
} story_line_t;

typedef struct story {
    id16_t id;
    story_line_t *lines;
    size_t count;
    const char *silent[STORY_SERVICES_MAX]; /* "SERVICE: why" of those that did not answer */
    size_t silent_count;
} story_t;

/* Space in the arena; false without memory. */
bool story_begin (story_t *self, id16_t id, arena_t *arena);
/* Detail's phone numbers are masked unless `reveal`. Past STORY_LINES_MAX lines are left out. */
void story_add (story_t *self, arena_t *arena, int64_t at, const char *service, const char *what,
                const char *detail, bool reveal);
void story_sort (story_t *self);
/* Time since the first line as people read it: "+12 ms", "+1.250 s", "+3 min 20 s", "+2 h 5 min", "+1 d 3 h". */
void story_ago (int64_t ms, char out[32]);
/* On stdout. */
void story_print_lines (const story_t *self, const char *asked);
void story_print_json (const story_t *self);

#endif
