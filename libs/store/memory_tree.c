/* memory_tree.c - see memory_tree.h. Fails with E_NO_MEMORY and E_NOT_FOUND; a failed call may have
 * copied nodes, but changed no row. */
#include "store/memory_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct node {
    atomic_uint count;
    node_t *left, *right;
    row_t *row;
};

void *memory_alloc (size_t size)
{
    void *out = NULL;
    return posix_memalign (&out, 16, size ? size : 1) ? NULL : out;
}

static int compare (bytes_t a, bytes_t b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int c = n ? memcmp (a.data, b.data, n) : 0;
    return c ? c : (a.size > b.size) - (a.size < b.size);
}

/* ---- rows and nodes ---- */

static uint32_t rank_of (bytes_t key)
{
    uint64_t h = 14695981039346656037ULL;
    for (size_t i = 0; i < key.size; i++)
        h = (h ^ key.data[i]) * 1099511628211ULL;
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCDULL;
    return (uint32_t) (h >> 32);
}

static row_t *row_new (bytes_t key, bytes_t value)
{
    row_t *self = memory_alloc (sizeof *self + key.size + value.size);
    if (!self)
        return NULL;
    atomic_init (&self->count, 1);
    self->rank = rank_of (key);
    self->key_size = key.size;
    self->value_size = value.size;
    memcpy (self->data, key.data, key.size);
    if (value.size)
        memcpy (self->data + key.size, value.data, value.size);
    return self;
}

static void row_drop (row_t *self)
{
    if (atomic_fetch_sub (&self->count, 1) == 1)
        free (self);
}

static node_t *node_share (node_t *self)
{
    if (self)
        atomic_fetch_add (&self->count, 1);
    return self;
}

static void node_drop (node_t *self)
{
    while (self && atomic_fetch_sub (&self->count, 1) == 1) {
        node_t *right = self->right;
        node_drop (self->left);
        row_drop (self->row);
        free (self);
        self = right;
    }
}

/* Takes the row over. */
static node_t *node_new (row_t *row)
{
    node_t *self = row ? memory_alloc (sizeof *self) : NULL;
    if (!self) {
        if (row)
            row_drop (row);
        return NULL;
    }
    atomic_init (&self->count, 1);
    self->left = self->right = NULL;
    self->row = row;
    return self;
}

/* *link is seen by this tree alone; whoever holds the link is, too. */
static int own (node_t **link)
{
    node_t *old = *link;
    if (atomic_load (&old->count) == 1)
        return 0;
    node_t *copy = memory_alloc (sizeof *copy);
    if (!copy)
        return E_NO_MEMORY;
    atomic_init (&copy->count, 1);
    copy->left = node_share (old->left);
    copy->right = node_share (old->right);
    copy->row = old->row;
    atomic_fetch_add (&copy->row->count, 1);
    *link = copy;
    node_drop (old);
    return 0;
}

/* ---- sharing ---- */

tree_t tree_share (const tree_t *self)
{
    node_share (self->root);
    return *self;
}

void tree_drop (tree_t *self)
{
    node_drop (self->root);
    *self = (tree_t){0};
}

/* ---- changing ---- */

/* Owned nodes only. */
static void rotate (node_t **link, bool right_up)
{
    node_t *top = *link, *up = right_up ? top->right : top->left;
    if (right_up) {
        top->right = up->left;
        up->left = top;
    } else {
        top->left = up->right;
        up->right = top;
    }
    *link = up;
}

static int insert (node_t **link, node_t *fresh)
{
    if (!*link) {
        *link = fresh;
        return 0;
    }
    int rc = own (link);
    if (rc)
        return rc;
    node_t *node = *link;
    bool right = compare (row_key (fresh->row), row_key (node->row)) > 0;
    node_t **below = right ? &node->right : &node->left;
    rc = insert (below, fresh);
    if (!rc && (*below)->row->rank > node->row->rank)
        rotate (link, right);
    return rc;
}

/* The way to a key that is there, owned. */
static int own_path (tree_t *self, bytes_t key, node_t ***out)
{
    node_t **link = &self->root;
    for (;;) {
        int rc = own (link);
        if (rc)
            return rc;
        int c = compare (key, row_key ((*link)->row));
        if (!c)
            break;
        link = c > 0 ? &(*link)->right : &(*link)->left;
    }
    *out = link;
    return 0;
}

int tree_put (tree_t *self, bytes_t key, bytes_t value)
{
    node_t **link;
    const row_t *old = tree_get (self, key);
    row_t *row = row_new (key, value);
    uint64_t gone = old ? old->key_size + old->value_size : 0;
    int rc = row ? 0 : E_NO_MEMORY;
    if (!rc && old) {
        rc = own_path (self, key, &link);
        if (rc) {
            row_drop (row);
            return rc;
        }
        row_drop ((*link)->row);
        (*link)->row = row;
    } else if (!rc) {
        node_t *fresh = node_new (row);
        rc = fresh ? insert (&self->root, fresh) : E_NO_MEMORY;
        if (rc && fresh)
            node_drop (fresh);
        self->rows += !rc;
    }
    if (!rc)
        self->bytes += key.size + value.size - gone;
    return rc;
}

/* Down, until it has no child to the left or right of it. The child that comes up must be owned. */
static int sink (node_t ***at)
{
    node_t **link = *at;
    while ((*link)->left && (*link)->right) {
        node_t *node = *link;
        bool right_up = node->right->row->rank > node->left->row->rank;
        int rc = own (right_up ? &node->right : &node->left);
        if (rc)
            return rc;
        rotate (link, right_up);
        link = right_up ? &(*link)->left : &(*link)->right;
    }
    *at = link;
    return 0;
}

int tree_del (tree_t *self, bytes_t key)
{
    node_t **link;
    if (!tree_get (self, key))
        return E_NOT_FOUND;
    int rc = own_path (self, key, &link);
    if (!rc)
        rc = sink (&link);
    if (rc)
        return rc;
    node_t *gone = *link;
    *link = gone->left ? gone->left : gone->right;
    gone->left = gone->right = NULL;
    self->rows--;
    self->bytes -= gone->row->key_size + gone->row->value_size;
    node_drop (gone);
    return 0;
}

/* ---- looking ---- */

const row_t *tree_get (const tree_t *self, bytes_t key)
{
    const node_t *node = self->root;
    while (node) {
        int c = compare (key, row_key (node->row));
        if (!c)
            return node->row;
        node = c > 0 ? node->right : node->left;
    }
    return NULL;
}

const row_t *tree_up (const tree_t *self, bytes_t key, bool past)
{
    const row_t *best = NULL;
    for (const node_t *node = self->root; node;) {
        int c = compare (key, row_key (node->row));
        bool above = c < 0 || (c == 0 && !past);
        if (above)
            best = node->row;
        node = above ? node->left : node->right;
    }
    return best;
}

const row_t *tree_down (const tree_t *self, bytes_t key)
{
    const row_t *best = NULL;
    for (const node_t *node = self->root; node;) {
        bool below = compare (key, row_key (node->row)) > 0;
        if (below)
            best = node->row;
        node = below ? node->right : node->left;
    }
    return best;
}

const row_t *tree_edge (const tree_t *self, bool last)
{
    const node_t *node = self->root;
    while (node && (last ? node->right : node->left))
        node = last ? node->right : node->left;
    return node ? node->row : NULL;
}
