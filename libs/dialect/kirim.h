/* kirim.h - the parts of the Kirim dialect, shared by its files only. */
#ifndef AVIARY_DIALECT_KIRIM_H
#define AVIARY_DIALECT_KIRIM_H

#include "dialect/dialect.h"

/* kirim_id.c: "<prefix>_<26 characters of upper-case Crockford base32>", without a mode. See schema_ctx_t for what they return. */
int kirim_id_read (const char *prefix, const char *text, size_t length, id16_t *out, bool *test);
void kirim_id_write (const char *prefix, bool test, id16_t id, char out[64]);
void kirim_request_id (id16_t id, char out[64]);

/* kirim_error.c */
int kirim_error_render (const dialect_t *d, const failure_t *failure, const dialect_blame_t *blame,
                        buf_t *out);

/* kirim_event.c */
extern const char *const kirim_event_names[];
int kirim_event_render (const dialect_t *d, const schema_public_event_t *row,
                        const journal_event_t *event, const void *body, const dialect_how_t *how,
                        dialect_rendered_t *rendered, buf_t *out);

/* kirim_delivery.c */
extern const dialect_delivery_t kirim_delivery;

#endif
