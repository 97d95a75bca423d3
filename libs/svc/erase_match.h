/* erase_match.h - private to libs/svc: do these bytes tell of something erased?
 *
 * Ids are looked for as their 16 bytes, wherever they stand. A text (a phone number) counts only in bytes that also name one of the ids beside which it was erased (the
 * number of ours), and only if it was there before it was erased: the same person may be known elsewhere, or come again. Digits must stand alone: "+4917", "4917"
 * and 4917 in JSON are the same number, 49171 is another. */
#ifndef AVIARY_SVC_ERASE_MATCH_H
#define AVIARY_SVC_ERASE_MATCH_H

#include "base/buf.h"
#include "base/id.h"

typedef struct erase_match erase_match_t;

typedef struct erase_text {
    const char *text;
    int64_t until;        /* Unix ms; what was made then or later is not meant */
    const id16_t *beside; /* one of them must be there too; none = the text alone will do */
    size_t beside_count;
} erase_text_t;

erase_match_t *erase_match_new (void); /* NULL: no memory */
void erase_match_free (erase_match_t **self);
/* E_NO_MEMORY. Texts that are shorter than 5 bytes are left out: they would be found anywhere. */
int erase_match_add_id (erase_match_t *self, id16_t id, int64_t until /* Unix ms: erased then */);
int erase_match_add_text (erase_match_t *self, const erase_text_t *text);
size_t erase_match_ids (const erase_match_t *self); /* how many */
/* `made`: Unix ms of the bytes' origin; 0 = not known, so they may be old. */
bool erase_match_tells (erase_match_t *self, bytes_t bytes, int64_t made);
/* The same, but ids too count only if they were erased after `made`: what was answered then or later is no copy. */
bool erase_match_before (erase_match_t *self, bytes_t bytes, int64_t made);
/* Any of the texts, beside whatever. */
bool erase_match_text (const erase_match_t *self, bytes_t bytes, int64_t made);

#endif
