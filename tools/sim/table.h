/* table.h - values by text key, bounded: over `most` the oldest goes. Not thread safe. */
#ifndef AVIARY_SIM_TABLE_H
#define AVIARY_SIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct table table_t;
typedef void (table_free_fn) (void *value);

table_t *table_new (size_t most, table_free_fn *free_value);
void table_destroy (table_t **self);
/* Takes over `value`; replaces (and frees) the one of the same key, which keeps its place in line. */
void table_put (table_t *self, const char *key, void *value);
void *table_get (const table_t *self, const char *key); /* NULL if absent or key is NULL */
/* For tables that are only sets. */
void table_mark (table_t *self, const char *key);
bool table_has (const table_t *self, const char *key);
bool table_drop (table_t *self, const char *key);
void table_clear (table_t *self);
size_t table_size (const table_t *self);

/* Oldest first: start with *at = NULL; NULL at the end. Nothing may be dropped meanwhile. */
typedef struct table_entry table_entry_t;
void *table_next (const table_t *self, table_entry_t **at);
const char *table_key (const table_entry_t *entry);

#endif
