/* webhook.h - a delivery as its receiver sees it: its signature, and what it says. */
#ifndef AVIARY_WEBHOOK_H
#define AVIARY_WEBHOOK_H

#include "listener.h"

enum { WEBHOOK_TEXT = 160, WEBHOOK_TOLERANCE_S = 300 };

/* Standard Webhooks: the header webhook-signature must hold the signature of webhook-id, webhook-timestamp (within five minutes of now_ms) and the
 * body under `secret` ("whsec_..."). True, or false with the reason in `why`. */
bool webhook_check (const hook_t *hook, const char *secret, int64_t now_ms, char why[WEBHOOK_TEXT]);

/* What a payload says, as far as it says it; the rest is "". */
typedef struct webhook_told {
    char event[64];
    char id[64]; /* of the message */
    char from[24];
    char to[24];
    char text[256];
} webhook_told_t;

void webhook_read (bytes_t body, webhook_told_t *out);

#endif
