/* kirim_event.h - events and deliveries of the Kirim dialect, shared by its files only. */
#ifndef AVIARY_DIALECT_KIRIM_EVENT_H
#define AVIARY_DIALECT_KIRIM_EVENT_H

#include "dialect/kirim.h"

/* kirim_event.c: is it an event whose payload is the carrier's own? */
bool kirim_event_is_relayed (const char *name);

/* kirim_relay.c: the carrier's body of one message or one status, built from what the event says. Appended. */
typedef struct kirim_relay {
    const messaging_content_t *content;
    const messaging_thread_told_t *thread; /* or NULL */
    const char *provider_id;               /* the carrier's id of the message, else ours */
    const char *status;                    /* word; NULL: an inbound message */
    const messaging_error_told_t *error;   /* or NULL */
    bytes_t raw;                           /* the carrier's item, packed; size 0 = none */
    int64_t at;
} kirim_relay_t;
void kirim_relay_write (const kirim_relay_t *relay, buf_t *out);

/* kirim_item.c: an inbound message by its type, as the carrier would tell it; braces included. */
void kirim_item_write (const kirim_relay_t *relay, buf_t *out);
/* ,"name":"text" if there is a text. */
void kirim_member (buf_t *out, const char *name, const char *text);
const char *kirim_digits (const char *number); /* without "+"; "" for NULL */

#endif
