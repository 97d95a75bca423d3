/* guard.c - which network addresses may be dialled: one table, one unwrapping. Pure functions; nothing fails but the reading of a list. */
#include "fetch/guard.h"

#include "base/err.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct special {
    const char *network;
    guard_class_t class;
} special_t;

/* The first row that holds the address decides, so narrow rows stand before wide ones. Sources: IANA IPv4 and IPv6 special-purpose address
 * registries (RFC 6890 and its updates); the metadata rows are from the clouds' own documentation. */
static const special_t special_table[] = {
    {"100.100.100.200/32", GUARD_NEVER}, /* Alibaba metadata, inside CGNAT */
    {"192.0.0.192/32", GUARD_NEVER},     /* Oracle metadata */
    {"168.63.129.16/32", GUARD_NEVER},   /* Azure host agent */
    {"fd00:ec2::/32", GUARD_NEVER},      /* AWS metadata, DNS, time */
    {"fd20:ce::254/128", GUARD_NEVER},   /* Google metadata */
    {"0.0.0.0/8", GUARD_NEVER},          /* this network */
    {"169.254.0.0/16", GUARD_NEVER},     /* link-local */
    {"224.0.0.0/4", GUARD_NEVER},        /* multicast */
    {"240.0.0.0/4", GUARD_NEVER},        /* reserved and broadcast */
    {"127.0.0.0/8", GUARD_PRIVATE},      /* loopback */
    {"10.0.0.0/8", GUARD_PRIVATE},
    {"172.16.0.0/12", GUARD_PRIVATE},
    {"192.168.0.0/16", GUARD_PRIVATE},
    {"100.64.0.0/10", GUARD_PRIVATE}, /* CGNAT */
    {"192.0.0.0/24", GUARD_PRIVATE},  /* protocol assignments */
    {"192.0.2.0/24", GUARD_PRIVATE},  /* documentation */
    {"198.51.100.0/24", GUARD_PRIVATE},
    {"203.0.113.0/24", GUARD_PRIVATE},
    {"192.88.99.0/24", GUARD_PRIVATE}, /* 6to4 relays */
    {"198.18.0.0/15", GUARD_PRIVATE},  /* benchmarks */
    {"::ffff:0:0/96", GUARD_PUBLIC},   /* all other IPv4 */
    {"fe80::/10", GUARD_NEVER},        /* link-local */
    {"ff00::/8", GUARD_NEVER},         /* multicast */
    {"::/128", GUARD_NEVER},           /* unspecified */
    {"::1/128", GUARD_PRIVATE},
    {"fc00::/7", GUARD_PRIVATE},      /* ULA */
    {"2001::/23", GUARD_PRIVATE},     /* Teredo, ORCHID and other protocol assignments */
    {"2001:db8::/32", GUARD_PRIVATE}, /* documentation */
    {"3fff::/20", GUARD_PRIVATE},
    {"2000::/3", GUARD_PUBLIC}, /* global unicast */
    {"::/0", GUARD_PRIVATE},    /* what is not global unicast is somebody's own */
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static guard_address_t address_of_v4 (const uint8_t v4[4])
{
    guard_address_t out;
    memcpy (out.b, mapped_prefix, sizeof mapped_prefix);
    memcpy (out.b + 12, v4, 4);
    return out;
}

static bool address_begins (const guard_address_t *address, const guard_address_t *prefix,
                            unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp (address->b, prefix->b, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned mask = 0xffU << (8 - rest);
    return ((unsigned) (address->b[whole] ^ prefix->b[whole]) & mask & 0xffU) == 0;
}

bool guard_address_read (const char *text, guard_address_t *out)
{
    uint8_t v4[4];
    if (inet_pton (AF_INET, text, v4) == 1) {
        *out = address_of_v4 (v4);
        return true;
    }
    return inet_pton (AF_INET6, text, out->b) == 1;
}

bool guard_address_of (const struct sockaddr *address, guard_address_t *out)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy (&in, address, sizeof in);
        uint8_t v4[4];
        memcpy (v4, &in.sin_addr, sizeof v4);
        *out = address_of_v4 (v4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy (&in6, address, sizeof in6);
        memcpy (out->b, &in6.sin6_addr, sizeof out->b);
        return true;
    }
    return false;
}

/* ADDRESS/BITS or ADDRESS; bits of IPv4 count from its own start. */
static bool network_read (const char *text, guard_network_t *out)
{
    char address[INET6_ADDRSTRLEN + 1];
    const char *slash = strchr (text, '/');
    size_t length = slash != NULL ? (size_t) (slash - text) : strlen (text);
    if (length == 0 || length >= sizeof address)
        return false;
    memcpy (address, text, length);
    address[length] = '\0';
    if (!guard_address_read (address, &out->prefix))
        return false;

    bool v4 = strchr (address, ':') == NULL;
    unsigned most = v4 ? 32 : 128;
    unsigned bits = most;
    if (slash != NULL) {
        char *end = NULL;
        unsigned long value = strtoul (slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || value > most)
            return false;
        bits = (unsigned) value;
    }
    out->bits = v4 ? bits + 96 : bits;
    return true;
}

/* At least as many as there are parts. */
static size_t list_count (const char *list)
{
    size_t count = 1;
    for (const char *at = list; *at != '\0'; at++)
        count += *at == ',' || *at == ' ' || *at == '\t';
    return count;
}

int guard_read (const char *list, guard_t *out, char *bad, size_t bad_size)
{
    if (list == NULL)
        list = "";
    guard_network_t *networks = calloc (list_count (list), sizeof *networks);
    if (networks == NULL)
        return E_NO_MEMORY;
    size_t count = 0;
    const char *at = list;
    for (;;) {
        at += strspn (at, " \t,");
        if (*at == '\0')
            break;
        size_t length = strcspn (at, " \t,");
        char part[64];
        snprintf (part, sizeof part, "%.*s", (int) (length < 63 ? length : 63), at);
        if (length >= sizeof part || !network_read (part, &networks[count])) {
            snprintf (bad, bad_size, "%s", part);
            free (networks);
            return E_BAD_REQUEST;
        }
        count++;
        at += length;
    }
    *out = (guard_t){networks, count};
    return E_OK;
}

void guard_free (guard_t *self)
{
    free (self->networks);
    *self = (guard_t){0};
}

/* The IPv4 address that a packet to this IPv6 address ends at, if it carries one. */
static guard_address_t address_unwrap (const guard_address_t *address)
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t compatible[12] = {0};
    const uint8_t *b = address->b;
    if (memcmp (b, nat64, 12) == 0)
        return address_of_v4 (b + 12);
    if (b[0] == 0x20 && b[1] == 0x02)
        return address_of_v4 (b + 2);
    bool low = b[12] == 0 && b[13] == 0 && b[14] == 0; /* :: and ::1 are themselves */
    if (memcmp (b, compatible, 12) == 0 && !low)
        return address_of_v4 (b + 12);
    return *address;
}

guard_class_t guard_classify (const guard_address_t *address)
{
    guard_address_t real = address_unwrap (address);
    for (size_t i = 0; i < sizeof special_table / sizeof special_table[0]; i++) {
        guard_network_t network;
        if (network_read (special_table[i].network, &network) &&
            address_begins (&real, &network.prefix, network.bits))
            return special_table[i].class;
    }
    return GUARD_NEVER; /* the last row holds everything */
}

bool guard_allows (const guard_t *self, const guard_address_t *address)
{
    guard_class_t class = guard_classify (address);
    if (class != GUARD_PRIVATE)
        return class == GUARD_PUBLIC;
    guard_address_t real = address_unwrap (address);
    for (size_t i = 0; i < self->count; i++)
        if (address_begins (&real, &self->networks[i].prefix, self->networks[i].bits))
            return true;
    return false;
}
