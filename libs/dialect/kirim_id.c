/* kirim_id.c - Kirim's spelling of ids: "<prefix>_<26 characters>", upper-case Crockford base32 of the 16 bytes.
 *
 * Strict: an id has one spelling. What has the form (the contract's pattern) but is not one that we could have made, as one above 128 bits or a ULID, reads as an id
 * that nobody has, so that it is answered like any unknown id; what has not even the form is malformed. Ids tell no mode: `test` is left as it came. */
#include "dialect/kirim.h"

#include <string.h>

enum { PREFIX_MAX = 64 - ID_CROCKFORD_LENGTH - sizeof "_" };

static bool is_crockford (char c)
{
    return c && strchr ("0123456789ABCDEFGHJKMNPQRSTVWXYZ", c);
}

int kirim_id_read (const char *prefix, const char *text, size_t length, id16_t *out, bool *test)
{
    size_t own = strlen (prefix);
    (void) test;
    if (length != own + 1 + ID_CROCKFORD_LENGTH || memcmp (text, prefix, own) != 0 ||
        text[own] != '_')
        return 2;
    text += own + 1;
    for (size_t i = 0; i < ID_CROCKFORD_LENGTH; i++)
        if (!is_crockford (text[i]))
            return 2;
    if (id_read_crockford (text, ID_CROCKFORD_LENGTH, out))
        return 0;
    memset (out, 0xFF, sizeof *out);
    return 1;
}

void kirim_id_write (const char *prefix, bool test, id16_t id, char out[64])
{
    size_t head = strnlen (prefix, PREFIX_MAX);
    (void) test;
    memcpy (out, prefix, head);
    out[head] = '_';
    id_write_crockford (id, out + head + 1);
}

void kirim_request_id (id16_t id, char out[64])
{
    kirim_id_write ("req", false, id, out);
}
