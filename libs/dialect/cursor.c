/* cursor.c - see cursor.h. Fails as it says there, and by nothing that a cursor holds. */
#include "dialect/cursor.h"

#include <string.h>

static void mac_of (const uint8_t *key, const uint8_t *binding, bytes_t position,
                    uint8_t out[SIGN_SHA256_SIZE])
{
    bytes_t parts[] = {bytes_of (binding, SIGN_SHA256_SIZE), position};
    sign_hmac_sha256_parts (bytes_of (key, SIGN_KEY_SIZE), parts, 2, out);
}

int cursor_seal (const uint8_t key[SIGN_KEY_SIZE], const uint8_t binding[SIGN_SHA256_SIZE],
                 bytes_t position, arena_t *arena, bytes_t *out)
{
    uint8_t mac[SIGN_SHA256_SIZE];
    if (position.size == 0 || position.size > CURSOR_POSITION_MAX)
        return E_INTERNAL;
    uint8_t *data = arena_alloc (arena, position.size + CURSOR_MAC_SIZE);
    if (!data)
        return E_NO_MEMORY;
    mac_of (key, binding, position, mac);
    memcpy (data, position.data, position.size);
    memcpy (data + position.size, mac, CURSOR_MAC_SIZE);
    *out = bytes_of (data, position.size + CURSOR_MAC_SIZE);
    return 0;
}

int cursor_open (const uint8_t key[SIGN_KEY_SIZE], const uint8_t binding[SIGN_SHA256_SIZE],
                 bytes_t cursor, bytes_t *out)
{
    uint8_t mac[SIGN_SHA256_SIZE];
    if (cursor.size <= CURSOR_MAC_SIZE || cursor.size > CURSOR_POSITION_MAX + CURSOR_MAC_SIZE)
        return E_BAD_CURSOR;
    bytes_t position = bytes_of (cursor.data, cursor.size - CURSOR_MAC_SIZE);
    mac_of (key, binding, position, mac);
    if (!sign_equal (mac, cursor.data + position.size, CURSOR_MAC_SIZE))
        return E_BAD_CURSOR;
    *out = position;
    return 0;
}
