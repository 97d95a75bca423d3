/* opened.h - private to libs/sign: what was opened of its seal lately.
 *
 * A webhook's secret is wanted for each of its deliveries, and opening costs ten times what signing does. An entry is found by the sealed bytes, whose nonce no other
 * seal has, and by owner and purpose: what is sealed anew is another entry, so nothing here can be out of date. The clear texts lie where the keyring itself lies, in memory that is not
 * swapped, not in a core file, and wiped when it goes; there is a bounded number, and a newer one takes an older one's place. Threads may share it. */
#ifndef AVIARY_SIGN_OPENED_H
#define AVIARY_SIGN_OPENED_H

#include "sign/sign.h"

typedef struct opened opened_t;

opened_t *opened_new (void); /* NULL: no memory */
void opened_destroy (opened_t **self);
/* The clear text, `size` bytes, into `out`; false if it is not there. */
bool opened_find (opened_t *self, id16_t owner, const char *purpose, bytes_t sealed, uint8_t *out,
                  size_t size);
/* Keeps it, unless it is too long or there is no memory. Only for what proved authentic. */
void opened_keep (opened_t *self, id16_t owner, const char *purpose, bytes_t sealed, bytes_t clear);

#endif
