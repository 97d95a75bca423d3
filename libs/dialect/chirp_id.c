/* chirp_id.c - Chirp's spelling of ids: "<prefix>_[test_]<ksuid>".
 *
 * Strict: an id has one spelling. What has the form of an id but is not one that we could have made (another kind, a KSUID whose time
 * is not its UUID's, one past the last KSUID, ...) reads as an id that nobody has, so that it is answered like any unknown id; only what
 * has not even the form is malformed. */
#include "dialect/chirp.h"

#include <string.h>

enum { PREFIX_MAX = 64 - ID_KSUID_LENGTH - sizeof "_test_" };

static bool is_alphanumeric (char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Length of what stands before the last '_', 0 if the text has not the form of an id of any kind. */
static size_t head_length (const char *text, size_t length)
{
    if (length < ID_KSUID_LENGTH + 2)
        return 0;
    size_t head = length - ID_KSUID_LENGTH - 1;
    if (text[head] != '_')
        return 0;
    for (size_t i = 0; i < head; i++)
        if (!(text[i] >= 'a' && text[i] <= 'z') && (text[i] != '_' || i == 0))
            return 0;
    for (size_t i = head + 1; i < length; i++)
        if (!is_alphanumeric (text[i]))
            return 0;
    return head;
}

/* An organization is neither live nor test: its ids have one spelling. */
static bool has_mode (const char *prefix)
{
    return strcmp (prefix, "org") != 0;
}

/* Is the head this prefix, with or without "_test"? */
static bool head_is (const char *head, size_t length, const char *prefix, bool *test)
{
    size_t own = strlen (prefix);
    if (length < own || memcmp (head, prefix, own) != 0)
        return false;
    bool said = length == own + 5 && memcmp (head + own, "_test", 5) == 0;
    if (!said && length != own)
        return false;
    *test = said;
    return !said || has_mode (prefix);
}

int chirp_id_read (const char *prefix, const char *text, size_t length, id16_t *out, bool *test)
{
    size_t head = head_length (text, length);
    bool said = false;
    if (head == 0 && length > 0 &&
        strcmp (prefix, "med") == 0) { /* any text may name a file; ours do so in one way only */
        memset (out, 0xFF, sizeof *out);
        return 1;
    }
    if (head == 0)
        return 2;
    bool ours = head_is (text, head, prefix, &said) ||
                (strcmp (prefix, "med") == 0 &&
                 head_is (text, head, "media", &said)); /* an alias that the documentation shows */
    if (!ours || !id_read_ksuid (text + head + 1, ID_KSUID_LENGTH, out)) {
        memset (out, 0xFF, sizeof *out);
        return 1;
    }
    if (has_mode (prefix))
        *test = said;
    return 0;
}

void chirp_id_write (const char *prefix, bool test, id16_t id, char out[64])
{
    static const char mode[] = "_test_";
    bool moded = test && has_mode (prefix);
    size_t head = strnlen (prefix, PREFIX_MAX), between = moded ? sizeof mode - 1 : 1;
    memcpy (out, prefix, head);
    memcpy (out + head, mode, between);
    id_write_ksuid (id, out + head + between);
}

void chirp_request_id (id16_t id, char out[64])
{
    chirp_id_write ("req", false, id, out);
}
