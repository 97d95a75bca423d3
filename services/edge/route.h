/* route.h - which operation a method and path name: a tree of path segments made from the dialect's table. */
#ifndef AVIARY_EDGE_ROUTE_H
#define AVIARY_EDGE_ROUTE_H

#include "schema/schema.h"

enum { ROUTE_PARAMS_MAX = 4, ROUTE_DEPTH_MAX = 16 };

typedef struct routes routes_t;

typedef struct route_match {
    const schema_public_t *op;
    const char
        *params[ROUTE_PARAMS_MAX]; /* decoded, in order of the path's {names}, in the arena */
    size_t param_count;
    const char *allow; /* with E_METHOD_NOT_ALLOWED: "GET, HEAD, POST" in the arena */
} route_match_t;

routes_t *routes_new (const schema_public_t *ops, size_t count); /* NULL: no memory */
void routes_destroy (routes_t **self);
/* The decoded segment in the arena, NULL if its escapes are malformed or give NUL or no UTF-8. */
const char *route_segment (arena_t *arena, const char *text, size_t length);
/* 0; E_NOT_FOUND; E_METHOD_NOT_ALLOWED. `raw` is the path as sent. HEAD finds what GET does. A literal segment goes before a parameter. */
int route_find (const routes_t *self, const char *method, const char *raw, arena_t *arena,
                route_match_t *out);

#endif
