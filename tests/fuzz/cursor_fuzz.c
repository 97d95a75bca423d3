/* cursor_fuzz.c - libFuzzer target: any text as the cursor of a listing.
 *
 * No text opens (a MAC of 16 bytes is not met by chance), and what base64url takes it writes again byte for byte: one cursor, one spelling. What we seal of the same bytes opens. */
#include "base/text.h"
#include "dialect/cursor.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool fact)
{
    if (!fact)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const uint8_t key[SIGN_KEY_SIZE] = {1}, listing[SIGN_SHA256_SIZE] = {2};
    uint8_t bytes[1024];
    char again[1400];
    bytes_t position, cursor;
    long length = text_read_base64url ((const char *) data, size, bytes, sizeof bytes);
    if (length >= 0) {
        must (text_write_base64url (bytes, (size_t) length, again) == size);
        must (size == 0 || memcmp (again, data, size) == 0);
        must (cursor_open (key, listing, bytes_of (bytes, (size_t) length), &position) ==
              E_BAD_CURSOR);
    }
    must (cursor_open (key, listing, bytes_of (data, size), &position) == E_BAD_CURSOR);
    arena_t *arena = arena_new (1 << 16);
    if (arena && size > 0 && size <= CURSOR_POSITION_MAX) {
        must (cursor_seal (key, listing, bytes_of (data, size), arena, &cursor) == 0);
        must (cursor_open (key, listing, cursor, &position) == 0);
        must (position.size == size && memcmp (position.data, data, size) == 0);
    }
    arena_destroy (&arena);
    return 0;
}
