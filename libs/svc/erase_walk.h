/* erase_walk.h - private to libs/svc: the tables that the erase walk goes through, and what it does to a row. */
#ifndef AVIARY_SVC_ERASE_WALK_H
#define AVIARY_SVC_ERASE_WALK_H

#include "svc/erase.h"
#include "svc/erase_match.h"
#include "svc/inner.h"

typedef struct erase_walk {
    erase_match_t *match;
    arena_t *arena; /* of one row */
    const schema_record_t *record;
    unsigned looks, writes;
    size_t bytes;
    bool left; /* a row tells of it and may not go yet */
} erase_walk_t;

typedef struct erase_table {
    const char *name;
    /* `key` is the walk's own copy; `value` lives until the first write. */
    int (*look) (turn_t *t, erase_walk_t *w, bytes_t key, bytes_t value);
    const schema_record_t *record;
} erase_table_t;

/* Table number n: the service's declared records, then the runtime's own, the journal last. False: there is none. */
bool erase_table (const svc_t *svc, size_t n, erase_table_t *out);

#endif
