/* url.c - signing and checking URLs that end. Anything but the exact spelling that sign_url writes is refused. */
#include "sign/url.h"

#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TIME_DIGITS = 15, HEX_SIZE = 2 * SIGN_SHA256_SIZE };

static void signature_write (const uint8_t key[SIGN_KEY_SIZE], const char *path,
                             const char *expires, char out[HEX_SIZE + 1])
{
    uint8_t mac[SIGN_SHA256_SIZE];
    const bytes_t parts[] = {bytes_of_str ("aviary-url 1\n"), bytes_of_str (path),
                             bytes_of_str ("\n"), bytes_of_str (expires)};
    sign_hmac_sha256_parts (bytes_of (key, SIGN_KEY_SIZE), parts, 4, mac);
    text_write_hex (mac, sizeof mac, out);
}

static bool path_is_plain (const char *path)
{
    if (path[0] != '/')
        return false;
    for (const char *at = path; *at; at++)
        if (*at <= ' ' || *at > '~' || *at == '?' || *at == '#')
            return false;
    return true;
}

void sign_url (const uint8_t key[SIGN_KEY_SIZE], const char *path, int64_t expires_s, buf_t *out)
{
    char expires[24], signature[HEX_SIZE + 1];
    int length = snprintf (expires, sizeof expires, "%" PRId64, expires_s);
    if (!path_is_plain (path) || expires_s <= 0 || length > TIME_DIGITS) {
        out->failed = true;
        return;
    }
    signature_write (key, path, expires, signature);
    buf_printf (out, "%s?expires=%s&signature=%s", path, expires, signature);
}

/* "expires=DIGITS&signature=HEX" and no more. */
static bool query_read (const char *query, char expires[TIME_DIGITS + 1], const char **signature)
{
    static const char first[] = "expires=", second[] = "&signature=";
    if (strncmp (query, first, sizeof first - 1) != 0)
        return false;
    query += sizeof first - 1;
    size_t digits = strspn (query, "0123456789");
    if (digits == 0 || digits > TIME_DIGITS || query[0] == '0' ||
        strncmp (query + digits, second, sizeof second - 1) != 0)
        return false;
    snprintf (expires, TIME_DIGITS + 1, "%.*s", (int) digits, query);
    *signature = query + digits + sizeof second - 1;
    return strlen (*signature) == HEX_SIZE;
}

int sign_url_verify (const uint8_t key[SIGN_KEY_SIZE], const char *path, const char *query,
                     int64_t now_s, failure_t *failure)
{
    char expires[TIME_DIGITS + 1], want[HEX_SIZE + 1];
    const char *signature = NULL;
    int64_t until = 0;
    bool right = false;
    if (path_is_plain (path) && query_read (query, expires, &signature)) {
        signature_write (key, path, expires, want);
        right = sign_equal (want, signature, HEX_SIZE);
        right = right && sscanf (expires, "%" SCNd64, &until) == 1;
    }
    if (!right)
        return failure_set (failure, E_FORBIDDEN, NULL, "the link's signature is missing or wrong");
    if (now_s >= until)
        return failure_set (failure, E_FORBIDDEN, NULL, "the link has expired");
    return 0;
}
