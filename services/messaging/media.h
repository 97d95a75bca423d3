/* media.h - what the files about media share, inside the messaging service. */
#ifndef AVIARY_MESSAGING_MEDIA_H
#define AVIARY_MESSAGING_MEDIA_H

#include "messaging.h"

/* DIR/media. */
blobs_t *media_blobs (turn_t *t);
/* Is the file still to be had: neither deleted nor past its time? */
bool media_is_live (const turn_t *t, const messaging_media_t *media);
/* A live row by id, whoever owns it. E_NOT_FOUND. */
int media_load (turn_t *t, id16_t id, messaging_media_t *out);
/* The signed link to a live row. */
const char *media_url (turn_t *t, const messaging_media_t *media);
/* MESSAGING_KIND_ of bytes that nobody named: document if no other fits. */
int32_t media_kind_of (const blob_seen_t *seen);
blob_kind_t media_blob_kind (int32_t kind); /* BLOB_KIND_COUNT: no media */
/* When a file of this organization that comes now is to go (app_count.c). */
int64_t media_expiry (turn_t *t, id16_t owner);

#endif
