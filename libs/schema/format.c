/* format.c - the named checks of strings, in place of regular expressions. Text is valid UTF-8 and NUL-terminated. */
#include "schema/inner.h"

#include "base/text.h"
#include <string.h>
#include <strings.h>

static bool is_alpha (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_number (char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower_word (char c)
{
    return (c >= 'a' && c <= 'z') || is_number (c) || c == '_';
}

/* Visible ASCII and what is not ASCII; no space, no controls, and none of RFC 3986's never allowed. */
static bool is_uri_text (const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t) text[i];
        if (c <= 0x20 || c == 0x7F || strchr ("<>\"{}|\\^`", c))
            return false;
    }
    return true;
}

static bool is_uri (const char *text, size_t length)
{
    if (!length || !is_alpha (text[0]))
        return false;
    size_t i = 1;
    while (i < length && (is_alpha (text[i]) || is_number (text[i]) || strchr ("+-.", text[i])))
        i++;
    return i < length && text[i] == ':' && i + 1 < length && is_uri_text (text, length);
}

static bool is_host_char (char c)
{
    return is_alpha (c) || is_number (c) || c == '-' || c == '.' || c == '_' || (uint8_t) c >= 0x80;
}

/* host, host:port or [v6]:port */
static bool is_authority (const char *text, size_t length)
{
    size_t i = 0;
    if (length && text[0] == '[') {
        const char *close = memchr (text, ']', length);
        if (!close || close == text + 1)
            return false;
        for (i = 1; text[i] != ']'; i++)
            if (!strchr ("0123456789abcdefABCDEF:.", text[i]))
                return false;
        i++;
    } else {
        while (i < length && is_host_char (text[i]))
            i++;
        if (i == 0)
            return false;
    }
    if (i == length)
        return true;
    if (text[i++] != ':' || i == length || length - i > 5)
        return false;
    long port = 0;
    for (; i < length; i++) {
        if (!is_number (text[i]))
            return false;
        port = port * 10 + (text[i] - '0');
    }
    return port > 0 && port <= 65535;
}

static bool is_http_url (const char *text, size_t length)
{
    size_t skip = strncasecmp (text, "https://", 8) == 0  ? 8
                  : strncasecmp (text, "http://", 7) == 0 ? 7
                                                          : 0;
    if (!skip || !is_uri_text (text, length))
        return false;
    size_t host = strcspn (text + skip, "/?#");
    return is_authority (text + skip, host); /* '@' is no host character: no userinfo */
}

static bool is_date (const char *text, size_t length)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (length != 10 || text[4] != '-' || text[7] != '-')
        return false;
    for (size_t i = 0; i < 10; i++)
        if (i != 4 && i != 7 && !is_number (text[i]))
            return false;
    int year =
        (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    int month = (text[5] - '0') * 10 + (text[6] - '0'),
        day = (text[8] - '0') * 10 + (text[9] - '0');
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

/* What mail systems take in practice: one @, a local part of at most 64, a dotted domain. */
static bool is_email (const char *text, size_t length)
{
    const char *at = memchr (text, '@', length);
    if (!at || at == text || at - text > 64 || length > 254 || !is_uri_text (text, length))
        return false;
    const char *domain = at + 1;
    size_t size = length - (size_t) (domain - text);
    if (!size || domain[0] == '.' || domain[size - 1] == '.' || !memchr (domain, '.', size))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_host_char (domain[i]) || (domain[i] == '.' && domain[i + 1] == '.'))
            return false;
    return true;
}

static bool is_event_name (const char *text, size_t length)
{
    bool start = true, dotted = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' && !start)
            start = dotted = true;
        else if (start ? text[i] < 'a' || text[i] > 'z' : !is_lower_word (text[i]))
            return false;
        else
            start = false;
    }
    return dotted && !start;
}

static bool is_slug (const char *text, size_t length)
{
    bool start = true;
    for (size_t i = 0; i < length; i++) {
        bool dash = text[i] == '-';
        if (dash ? start : !is_lower_word (text[i]) || text[i] == '_')
            return false;
        start = dash;
    }
    return !start;
}

static bool is_e164 (const char *text, size_t length)
{
    (void) length;
    return text_is_e164 (text);
}

static bool is_header_name (const char *text, size_t length)
{
    (void) length;
    return text_is_token (text);
}

static bool is_digits (const char *text, size_t length)
{
    return strspn (text, "0123456789") == length;
}

/* 7 to 15 digits after the "+". */
static bool is_phone (const char *text, size_t length)
{
    return length >= 8 && text_is_e164 (text);
}

int format_check (schema_format_t format, const char *text, size_t length, const char **what)
{
    static const struct {
        bool (*is) (const char *text, size_t length);
        int code;
        const char *what;
    } formats[] = {
        [FMT_E164] = {is_e164, E_INVALID_PHONE_NUMBER, "is not an E.164 number"},
        [FMT_HTTP_URL] = {is_http_url, E_BAD_REQUEST, "is not an http or https URL"},
        [FMT_URI] = {is_uri, E_BAD_REQUEST, "is not a URI"},
        [FMT_DATE] = {is_date, E_BAD_REQUEST, "is not a date (YYYY-MM-DD)"},
        [FMT_EMAIL] = {is_email, E_BAD_REQUEST, "is not an e-mail address"},
        [FMT_EVENT_NAME] = {is_event_name, E_BAD_REQUEST, "is not an event name"},
        [FMT_SLUG] = {is_slug, E_BAD_REQUEST,
                      "must be lower-case letters, digits and single dashes"},
        [FMT_HEADER_NAME] = {is_header_name, E_BAD_REQUEST, "is not a header name"},
        [FMT_DIGITS] = {is_digits, E_BAD_REQUEST, "must be digits only"},
        [FMT_PHONE] = {is_phone, E_INVALID_PHONE_NUMBER, "is not an E.164 number"},
    };
    if ((size_t) format >= sizeof formats / sizeof *formats || !formats[format].is ||
        formats[format].is (text, length))
        return 0;
    *what = formats[format].what;
    return formats[format].code;
}
