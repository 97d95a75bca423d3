/* url_fuzz.c - a customer's URL as text, the operator's allowed networks, addresses, and an answer's headers.
 *
 * A URL that passes is https (or http where that is allowed), has no user, no blank and a host; a literal address in it is one that the guard lets through. */
#include "fetch/fetch.h"
#include "fetch/transfer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool holds)
{
    if (!holds)
        abort ();
}

static void check_url (const char *text)
{
    fetch_config_t config = {.allow = "127.0.0.0/8,::1"};
    failure_t failure = {0};
    for (int http = 0; http < 2; http++) {
        config.allow_http = http;
        int code = fetch_check_url (&config, text, &failure);
        must (code == failure.code);
        if (code) {
            failure = (failure_t){0};
            continue;
        }
        bool plain = strncasecmp (text, "http://", 7) == 0;
        must (plain ? http : strncasecmp (text, "https://", 8) == 0);
        const char *authority = text + (plain ? 7 : 8);
        size_t length = strcspn (authority, "/?#");
        must (length > 0 && !memchr (authority, '@', length));
        must (strcspn (text, " \t\r\n\\") == strlen (text));
    }
}

/* The same address says the same however it is spelled, and one that is never dialled is not allowed by any list. */
static void check_address (const char *text, const guard_t *guard)
{
    guard_address_t address, again;
    char spelled[INET6_ADDRSTRLEN];
    if (!guard_address_read (text, &address))
        return;
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    memcpy (&six.sin6_addr, address.b, sizeof address.b);
    must (guard_address_of ((const struct sockaddr *) &six, &again));
    must (memcmp (again.b, address.b, sizeof again.b) == 0);
    must (inet_ntop (AF_INET6, address.b, spelled, sizeof spelled) != NULL);
    must (guard_address_read (spelled, &again));
    must (memcmp (again.b, address.b, sizeof again.b) == 0);
    guard_class_t class = guard_classify (&address);
    must (class != GUARD_NEVER || !guard_allows (guard, &address));
    must (class != GUARD_PUBLIC || guard_allows (guard, &address));
}

static void check_networks (const char *text)
{
    guard_t guard = {0};
    char bad[64] = "";
    const uint8_t metadata[4] = {169, 254, 169, 254};
    struct sockaddr_in four = {.sin_family = AF_INET};
    guard_address_t never;
    memcpy (&four.sin_addr, metadata, sizeof metadata);
    must (guard_address_of ((const struct sockaddr *) &four, &never));
    if (guard_read (text, &guard, bad, sizeof bad)) {
        must (bad[0] != '\0' && strlen (bad) < sizeof bad);
        must (guard_read ("127.0.0.1", &guard, bad, sizeof bad) == 0);
    }
    must (!guard_allows (&guard, &never));
    for (size_t i = 0; i < guard.count; i++)
        must (guard.networks[i].bits <= 128);
    check_address (text, &guard);
    guard_free (&guard);
}

static void check_headers (const char *text, size_t size)
{
    fetch_answer_t answer = {.headers = text};
    bytes_t value;
    if (fetch_header (&answer, "Retry-After", &value)) {
        must (value.size <= size && (const char *) value.data >= text);
        must ((const char *) value.data + value.size <= text + size);
    }
    int64_t wait = fetch_retry_after (&answer);
    must (wait >= 0 && wait % 1000 == 0 && wait <= (int64_t) 366 * 86400 * 1000);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *text = malloc (size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy (text, data, size);
    text[size] = '\0';
    check_url (text);
    check_networks (text);
    check_headers (text, strlen (text));
    free (text);
    return 0;
}
