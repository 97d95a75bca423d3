/* tap_view.h - what `aviary tap` shows of an envelope, and which it shows. */
#ifndef AVIARY_TAP_VIEW_H
#define AVIARY_TAP_VIEW_H

#include "bus/tap.h"

enum { TAP_RECENT = 1024 };

typedef struct tap_filter {
    const char *op; /* "messaging.sms_send"; NULL = all */
    bool tenant_given;
    id16_t tenant;
    const char *trace;         /* part of the traceparent */
    const char *subject;       /* number, or an id in any spelling */
    bool all;                  /* also the house's own chatter: journals, pings, metrics, status */
    id16_t recent[TAP_RECENT]; /* asks that were wanted: their answers do not say whose they are */
    size_t next;
} tap_filter_t;

/* What the broker has to know of a filter. */
typedef struct tap_sieve {
    sieve_t sieve; /* views of the filter and of `spelled` */
    char spelled[3][ID_UUID_LENGTH + 1];
} tap_sieve_t;

/* Takes all that tap_wanted can take of what goes to `service` ("" = to all). */
void tap_sieve (const tap_filter_t *self, const char *service, tap_sieve_t *out);
bool tap_wanted (tap_filter_t *self, const tap_message_t *message);

/* One line of JSON (without the newline). Bodies are decoded by the op's types; secrets are always masked, personal text unless `reveal`. */
void tap_json (const tap_message_t *message, bool reveal, buf_t *out);
/* One line for people. */
void tap_line (const tap_message_t *message, bool reveal, buf_t *out);
/* Both at once, or one where the other is NULL. */
void tap_show (const tap_message_t *message, bool reveal, buf_t *line, buf_t *json);

#endif
