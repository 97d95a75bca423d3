/* guard.h - which network addresses may be dialled. Inside libs/fetch only.
 *
 * An address is first unwrapped (v4-mapped, v4-compatible, NAT64, 6to4 forms carry an IPv4 address that is what a packet would reach), then looked
 * up in a table of special networks (IANA special-purpose registries, and the metadata addresses of the big clouds). */
#ifndef AVIARY_FETCH_GUARD_H
#define AVIARY_FETCH_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef enum guard_class {
    GUARD_PUBLIC,  /* anybody's */
    GUARD_PRIVATE, /* only if the operator allowed its network */
    GUARD_NEVER    /* link-local, metadata, multicast, broadcast, unspecified: not even then */
} guard_class_t;

/* An address as 16 bytes; IPv4 as ::ffff:a.b.c.d. */
typedef struct guard_address {
    uint8_t b[16];
} guard_address_t;

typedef struct guard_network {
    guard_address_t prefix;
    unsigned bits; /* of the 128 */
} guard_network_t;

typedef struct guard {
    guard_network_t *networks;
    size_t count;
} guard_t;

/* Read "127.0.0.0/8, ::1/128" (commas, spaces or both between; a bare address is a whole-length prefix; NULL and "" are empty lists). 0, or E_BAD_REQUEST or
 * E_NO_MEMORY with *out untouched. The offending part is copied to `bad` (NUL-terminated, cut to `bad_size`). */
int guard_read (const char *list, guard_t *out, char *bad, size_t bad_size);
void guard_free (guard_t *self);

/* The text of an IPv4 or IPv6 literal without brackets and zone. */
bool guard_address_read (const char *text, guard_address_t *out);
/* False for a family other than IPv4 and IPv6. */
bool guard_address_of (const struct sockaddr *address, guard_address_t *out);

guard_class_t guard_classify (const guard_address_t *address);
/* May a customer's URL reach it? */
bool guard_allows (const guard_t *self, const guard_address_t *address);

#endif
