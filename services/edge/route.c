/* route.c - see route.h. A path that is not well encoded is a path that does not exist. */
#include "route.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METHODS_MAX = 6 };

typedef struct node {
    char *segment; /* NULL: the root, or a parameter */
    size_t length;
    struct node *children;
    struct node *next;
    struct node *parameter;
    const schema_public_t *ops[METHODS_MAX];
    size_t op_count;
} node_t;

struct routes {
    node_t root;
};

/* ---- making ---- */

static bool segment_is (const node_t *self, const char *text, size_t length)
{
    return self->length == length && memcmp (self->segment, text, length) == 0;
}

static node_t *child_of (node_t *self, const char *text, size_t length)
{
    bool parameter = length > 1 && text[0] == '{';
    if (parameter && self->parameter)
        return self->parameter;
    for (node_t *c = parameter ? NULL : self->children; c; c = c->next)
        if (segment_is (c, text, length))
            return c;
    node_t *c = calloc (1, sizeof *c);
    if (c && !parameter && !(c->segment = strndup (text, length))) {
        free (c);
        return NULL;
    }
    if (c && parameter) {
        self->parameter = c;
    } else if (c) {
        c->length = length;
        c->next = self->children;
        self->children = c;
    }
    return c;
}

static bool op_add (node_t *node, const schema_public_t *op)
{
    const char *at = op->path;
    while (node && *at == '/') {
        size_t length = strcspn (++at, "/");
        node = child_of (node, at, length);
        at += length;
    }
    if (!node || node->op_count == METHODS_MAX)
        return false;
    node->ops[node->op_count++] = op;
    return true;
}

routes_t *routes_new (const schema_public_t *ops, size_t count)
{
    routes_t *self = calloc (1, sizeof *self);
    for (size_t i = 0; self && i < count; i++)
        if (!ops[i].is_picked && !op_add (&self->root, &ops[i]))
            routes_destroy (&self);
    return self;
}

static void node_clear (node_t *self)
{
    while (self->children) {
        node_t *c = self->children;
        self->children = c->next;
        node_clear (c);
        free (c);
    }
    if (self->parameter)
        node_clear (self->parameter);
    free (self->parameter);
    free (self->segment);
}

void routes_destroy (routes_t **self)
{
    if (!self || !*self)
        return;
    node_clear (&(*self)->root);
    free (*self);
    *self = NULL;
}

/* ---- finding ---- */

static int hex_value (char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

const char *route_segment (arena_t *arena, const char *text, size_t length)
{
    char *out = arena_alloc (arena, length + 1);
    size_t used = 0;
    for (size_t i = 0; out && i < length; i++) {
        if (text[i] != '%') {
            out[used++] = text[i];
            continue;
        }
        bool whole = i + 2 < length;
        int high = whole ? hex_value (text[i + 1]) : -1, low = whole ? hex_value (text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return NULL;
        out[used++] = (char) (high << 4 | low);
        i += 2;
    }
    return out && text_is_utf8 (out, used) ? out : NULL;
}

/* Which segments are parameters. */
typedef struct found {
    const bytes_t *params[ROUTE_PARAMS_MAX];
    size_t param_count;
} found_t;

/* The node that the segments lead to; parameters passed on the way are noted in *out. */
static const node_t *node_find (const node_t *self, const bytes_t *segments, size_t count,
                                found_t *out)
{
    if (count == 0)
        return self->op_count ? self : NULL;
    for (const node_t *c = self->children; c; c = c->next)
        if (segment_is (c, (const char *) segments->data, segments->size)) {
            const node_t *found = node_find (c, segments + 1, count - 1, out);
            if (found)
                return found;
            break;
        }
    if (!self->parameter || !segments->size || out->param_count == ROUTE_PARAMS_MAX)
        return NULL;
    out->params[out->param_count++] = segments;
    const node_t *found = node_find (self->parameter, segments + 1, count - 1, out);
    if (!found)
        out->param_count--;
    return found;
}

static const char *allow_text (const node_t *node, arena_t *arena)
{
    buf_t out = buf_in (arena);
    for (size_t i = 0; i < node->op_count; i++) {
        const char *method = node->ops[i]->method;
        buf_printf (&out, "%s%s%s", i ? ", " : "", method,
                    strcmp (method, "GET") == 0 ? ", HEAD" : "");
    }
    return buf_text (&out);
}

/* As sent where nothing is escaped. False if it is not well encoded. */
static bool segment_of (arena_t *arena, const char *text, size_t length, bytes_t *out)
{
    *out = bytes_of (text, length);
    if (!memchr (text, '%', length))
        return true;
    const char *decoded = route_segment (arena, text, length);
    *out = decoded ? bytes_of_str (decoded) : (bytes_t){0};
    return decoded != NULL;
}

/* Only what is a parameter need be a text of its own, and be UTF-8: no literal is anything else. */
static bool params_take (const found_t *found, arena_t *arena, route_match_t *out)
{
    for (; out->param_count < found->param_count; out->param_count++) {
        const bytes_t *param = found->params[out->param_count];
        const char *text = (const char *) param->data;
        if (!text_is_utf8 (text, param->size))
            return false;
        out->params[out->param_count] = arena_strndup (arena, text, param->size);
        if (!out->params[out->param_count])
            return false;
    }
    return true;
}

int route_find (const routes_t *self, const char *method, const char *raw, arena_t *arena,
                route_match_t *out)
{
    bytes_t segments[ROUTE_DEPTH_MAX];
    found_t found = {.param_count = 0};
    size_t count = 0;
    *out = (route_match_t){0};
    while (*raw == '/') {
        size_t length = strcspn (++raw, "/");
        if (count == ROUTE_DEPTH_MAX || !segment_of (arena, raw, length, &segments[count++]))
            return E_NOT_FOUND;
        raw += length;
    }
    if (*raw || count == 0)
        return E_NOT_FOUND;
    const node_t *node = node_find (&self->root, segments, count, &found);
    if (!node || !params_take (&found, arena, out))
        return E_NOT_FOUND;
    if (strcmp (method, "HEAD") == 0)
        method = "GET";
    for (size_t i = 0; i < node->op_count; i++)
        if (strcmp (node->ops[i]->method, method) == 0) {
            out->op = node->ops[i];
            return 0;
        }
    out->allow = allow_text (node, arena);
    return E_METHOD_NOT_ALLOWED;
}
