/* form.c - percent-decoding of paths, query strings and forms. Strict: a malformed escape, a NUL or invalid UTF-8 is refused, never guessed. */
#include "web/server.h"

#include "base/text.h"
#include <string.h>

static int hex_digit (char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static const char *text_decode (arena_t *arena, const char *text, size_t length, bool plus_is_space)
{
    char *out = arena_alloc (arena, length + 1);
    size_t size = 0;
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 1 < length ? hex_digit (text[i + 1]) : -1;
            int low = i + 2 < length ? hex_digit (text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            c = (char) (high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[size++] = c;
    }
    out[size] = '\0';
    return text_is_utf8 (out, size) ? out : NULL; /* which also refuses NUL */
}

const char *web_path (web_request_t *self)
{
    const char *raw = web_raw_path (self);
    if (!self->path_read && raw != NULL && web_arena (self) != NULL)
        self->path = text_decode (self->memory->arena, raw, strlen (raw), false);
    self->path_read = true;
    return self->path;
}

bool web_pair_next (arena_t *arena, const char **at, const char **name, const char **value,
                    bool *malformed)
{
    const char *text = *at + strspn (*at, "&");
    size_t length = strcspn (text, "&");
    *at = text + length;
    *malformed = false;
    if (length == 0)
        return false;
    const char *equals = memchr (text, '=', length);
    size_t name_length = equals != NULL ? (size_t) (equals - text) : length;
    size_t value_length = equals != NULL ? length - name_length - 1 : 0;
    const char *one = text_decode (arena, text, name_length, true);
    const char *two = text_decode (arena, equals != NULL ? equals + 1 : "", value_length, true);
    if (one == NULL || two == NULL) {
        *malformed = true;
        return false;
    }
    *name = one;
    *value = two;
    return true;
}
