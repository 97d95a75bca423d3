/* spelling.h - ids as people give and read them, and personal text as it is shown without --reveal. */
#ifndef AVIARY_SPELLING_H
#define AVIARY_SPELLING_H

#include "base/buf.h"
#include "base/id.h"

enum { SPELLING_SIZE = 64 };

/* An id in any spelling: Chirp's PREFIX_KSUID, Crockford with or without a prefix, UUID. What stands before the last "_" is not judged. */
bool spelling_read (const char *text, id16_t *out);
/* "PREFIX_[test_]KSUID"; the UUID where prefix is NULL, "" for nil. Fits schema_ctx.id_write. */
void spelling_write (const char *prefix, bool test, id16_t id, char out[SPELLING_SIZE]);

/* "PREFIX_" and 26 Crockford characters: of records that only dialects without modes have (usr, team). Nil is "". */
void spelling_write_plain (const char *prefix, id16_t id, char out[SPELLING_SIZE]);
/* Append the text with all but the ends of its phone numbers starred: "+14155550142" is "+14******42". */
void spelling_mask (const char *text, buf_t *out);

#endif
