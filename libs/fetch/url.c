/* url.c - a customer's URL checked as text, before anything is dialled. What it lets through is checked again, as the address really dialled,
 * by the guard at each connect. */
#include "fetch/fetch.h"
#include "fetch/guard.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { URL_LENGTH_MAX = 2048 };

static int url_text_check (const char *url, failure_t *failure)
{
    size_t length = url != NULL ? strnlen (url, URL_LENGTH_MAX + 1) : 0;
    if (length == 0)
        return failure_set (failure, E_BAD_REQUEST, "url", "the URL is empty");
    if (length > URL_LENGTH_MAX)
        return failure_set (failure, E_BAD_REQUEST, "url", "the URL is longer than %d characters",
                            URL_LENGTH_MAX);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char) url[i];
        if (c <= 0x20 || c == 0x7f || c == '\\')
            return failure_set (failure, E_BAD_REQUEST, "url",
                                "the URL has a space, backslash or control character");
    }
    return E_OK;
}

/* RFC 6761: the name localhost and those below it are loopback. */
static bool host_is_localhost (const char *host)
{
    static const char name[] = "localhost";
    size_t length = strlen (host);
    if (length > 0 && host[length - 1] == '.')
        length--;
    size_t want = sizeof name - 1;
    if (length < want || strncasecmp (host + length - want, name, want) != 0)
        return false;
    return length == want || host[length - want - 1] == '.';
}

static int url_host_check (const guard_t *guard, const char *host, failure_t *failure)
{
    char bare[64];
    guard_address_t address;
    if (host_is_localhost (host))
        host = "127.0.0.1";
    size_t length = strlen (host);
    if (host[0] == '[' && length > 2 && length < sizeof bare) {
        snprintf (bare, sizeof bare, "%.*s", (int) (length - 2), host + 1);
        host = bare;
    }
    if (guard_address_read (host, &address) && !guard_allows (guard, &address))
        return failure_set (failure, E_BLOCKED_TARGET, "url",
                            "the URL's host is not a public address");
    return E_OK;
}

static int url_scheme_check (CURLU *parsed, bool allow_http, failure_t *failure)
{
    char *scheme = NULL;
    int code = E_OK;
    if (curl_url_get (parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        return failure_set (failure, E_BAD_REQUEST, "url", "the URL has no scheme");
    bool https = strcasecmp (scheme, "https") == 0;
    bool http = strcasecmp (scheme, "http") == 0;
    if (!https && !(http && allow_http))
        code = failure_set (failure, E_BAD_REQUEST, "url",
                            allow_http ? "the URL must begin with https:// or http://"
                                       : "the URL must begin with https://");
    curl_free (scheme);
    return code;
}

/* What curl reads more kindly than other parsers do is refused: "https:/host", "https:///host", and any '@' before the path. */
static int url_authority_check (const char *url, failure_t *failure)
{
    const char *authority = strstr (url, "://");
    if (authority == NULL || strcspn (url, ":/?#") != (size_t) (authority - url))
        return failure_set (failure, E_BAD_REQUEST, "url", "this is not a URL");
    authority += 3;
    size_t length = strcspn (authority, "/?#");
    if (length == 0)
        return failure_set (failure, E_BAD_REQUEST, "url", "the URL has no host");
    if (memchr (authority, '@', length) != NULL)
        return failure_set (failure, E_BAD_REQUEST, "url",
                            "the URL must not have a user or password");
    return E_OK;
}

static int url_parts_check (CURLU *parsed, const fetch_config_t *config, const guard_t *guard,
                            const char *url, failure_t *failure)
{
    int code = url_authority_check (url, failure);
    if (code != E_OK)
        return code;
    if (curl_url_set (parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return failure_set (failure, E_BAD_REQUEST, "url", "this is not a URL");
    code = url_scheme_check (parsed, config->allow_http, failure);
    if (code != E_OK)
        return code;
    char *part = NULL;
    if (curl_url_get (parsed, CURLUPART_ZONEID, &part, 0) == CURLUE_OK) {
        curl_free (part);
        return failure_set (failure, E_BAD_REQUEST, "url", "the URL must not have a zone");
    }
    if (curl_url_get (parsed, CURLUPART_PORT, &part, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        bool zero = strspn (part, "0") == strlen (part);
        curl_free (part);
        if (zero)
            return failure_set (failure, E_BAD_REQUEST, "url", "the URL's port is 0");
    }
    if (curl_url_get (parsed, CURLUPART_HOST, &part, 0) != CURLUE_OK || part[0] == '\0')
        code = failure_set (failure, E_BAD_REQUEST, "url", "the URL has no host");
    else
        code = url_host_check (guard, part, failure);
    curl_free (part);
    return code;
}

int fetch_check_url (const fetch_config_t *config, const char *url, failure_t *failure)
{
    int code = url_text_check (url, failure);
    if (code != E_OK)
        return code;
    guard_t guard;
    char bad[64];
    code = guard_read (config->allow, &guard, bad, sizeof bad);
    if (code != E_OK)
        return failure_set (failure, code, "allow", "not a list of networks");
    CURLU *parsed = curl_url ();
    if (parsed == NULL)
        code = failure_set (failure, E_NO_MEMORY, "url", "no memory");
    else
        code = url_parts_check (parsed, config, &guard, url, failure);
    curl_url_cleanup (parsed);
    guard_free (&guard);
    return code;
}
