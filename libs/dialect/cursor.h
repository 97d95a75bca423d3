/* cursor.h - where a listing goes on, in the client's hands: a service's own position and a MAC over it and what it belongs to.
 *
 * One key for all edges (of the installation's keyring). Who changes a byte of it, or uses it for another organization, operation or filter, has no cursor. */
#ifndef AVIARY_DIALECT_CURSOR_H
#define AVIARY_DIALECT_CURSOR_H

#include "base/arena.h"
#include "base/buf.h"
#include "sign/sign.h"

enum { CURSOR_MAC_SIZE = 16, CURSOR_POSITION_MAX = 512 };

/* `binding` is the SHA-256 of what the listing is of. E_NO_MEMORY or 0; a position that is too long is E_INTERNAL. */
int cursor_seal (const uint8_t key[SIGN_KEY_SIZE], const uint8_t binding[SIGN_SHA256_SIZE],
                 bytes_t position, arena_t *arena, bytes_t *out);
/* The position in it, borrowed. 0 or E_BAD_CURSOR. */
int cursor_open (const uint8_t key[SIGN_KEY_SIZE], const uint8_t binding[SIGN_SHA256_SIZE],
                 bytes_t cursor, bytes_t *out);

#endif
