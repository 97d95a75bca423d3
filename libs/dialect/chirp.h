/* chirp.h - the parts of the Chirp dialect, shared by its files only. */
#ifndef AVIARY_DIALECT_CHIRP_H
#define AVIARY_DIALECT_CHIRP_H

#include "dialect/dialect.h"

/* chirp_id.c: "<prefix>_[test_]<27 characters of KSUID>". See schema_ctx_t for what they return. */
int chirp_id_read (const char *prefix, const char *text, size_t length, id16_t *out, bool *test);
void chirp_id_write (const char *prefix, bool test, id16_t id, char out[64]);
void chirp_request_id (id16_t id, char out[64]);

/* chirp_error.c */
typedef struct chirp_error {
    int code;
    const char *text;     /* "" = the code's own sentence */
    const char *param;    /* NULL = none */
    const char *docs_url; /* NULL = none */
    const messaging_provider_error_t *provider;
} chirp_error_t;

/* The inside of "error", braces included. */
void chirp_error_object (const dialect_t *d, const chirp_error_t *error, buf_t *out);
int chirp_error_render (const dialect_t *d, const failure_t *failure, const dialect_blame_t *blame,
                        buf_t *out);

/* chirp_event.c */
extern const char *const chirp_event_names[];
int chirp_event_render (const dialect_t *d, const schema_public_event_t *row,
                        const journal_event_t *event, const void *body, const dialect_how_t *how,
                        dialect_rendered_t *rendered, buf_t *out);

/* chirp_delivery.c */
extern const dialect_delivery_t chirp_delivery;

#endif
