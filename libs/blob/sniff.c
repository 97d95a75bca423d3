/* sniff.c - what bytes are, by magic numbers at the start; text and markup where none fits.
 *
 * Reads through a function, a few KiB at a time. Cannot fail but by a failing read: what it does not know, or what lies about itself in a way that it sees, is
 * BLOB_UNKNOWN. Markup is looked for as browsers do (WHATWG MIME sniffing), more widely, since it is looked for to be refused. */
#include "blob/inner.h"

#include "base/text.h"
#include <string.h>
#include <strings.h>

enum { BLANK_MAX = 1 << 20 /* leading blanks that markup may hide behind */ };

bool source_get (source_t *self, uint64_t offset, void *out, size_t size)
{
    if (offset > self->size || size > self->size - offset)
        return false;
    if (offset + size <= self->head_size) {
        memcpy (out, self->head + offset, size);
        return true;
    }
    long got = self->read (self->context, offset, out, size);
    if (got < 0)
        self->failed = true;
    return got >= 0 && (size_t) got == size;
}

uint32_t read_be32 (const uint8_t *at)
{
    return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
}

uint32_t read_le32 (const uint8_t *at)
{
    return (uint32_t) at[3] << 24 | (uint32_t) at[2] << 16 | (uint32_t) at[1] << 8 | at[0];
}

uint32_t read_le24 (const uint8_t *at)
{
    return (uint32_t) at[2] << 16 | (uint32_t) at[1] << 8 | at[0];
}

uint16_t read_le16 (const uint8_t *at)
{
    return (uint16_t) (at[1] << 8 | at[0]);
}

/* ---- magic numbers ---- */

static const struct {
    uint8_t offset;
    uint8_t size;
    const char *magic;
    const char *mask; /* NULL = all bits */
    blob_type_t type;
    sniff_fn *look;
} magics[] = {
    {0, 3, "\xff\xd8\xff", NULL, BLOB_JPEG, NULL},
    {0, 8, "\x89PNG\r\n\x1a\n", NULL, BLOB_PNG, sniff_png},
    {0, 6, "GIF87a", NULL, BLOB_GIF, sniff_gif},
    {0, 6, "GIF89a", NULL, BLOB_GIF, sniff_gif},
    {0, 4, "RIFF", NULL, BLOB_UNKNOWN, sniff_riff},
    {4, 4, "ftyp", NULL, BLOB_MP4, sniff_iso},
    {0, 4, "OggS", NULL, BLOB_OGG, sniff_ogg},
    {0, 6, "#!AMR\n", NULL, BLOB_AMR, NULL},
    {0, 9, "#!AMR-WB\n", NULL, BLOB_AMR, NULL},
    {0, 3, "ID3", NULL, BLOB_MP3, NULL},
    {0, 4, "ADIF", NULL, BLOB_AAC, NULL},
    {0, 2, "\xff\xf0", "\xff\xf6", BLOB_AAC, sniff_aac},
    {0, 2, "\xff\xe2", "\xff\xe6", BLOB_MP3, sniff_mpeg_audio},
    {0, 5, "%PDF-", NULL, BLOB_PDF, NULL},
    {0, 4, "PK\x03\x04", NULL, BLOB_ZIP, sniff_zip},
    {0, 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", NULL, BLOB_OLE, sniff_ole},
};

static bool magic_fits (const source_t *in, size_t row)
{
    const uint8_t *at = in->head + magics[row].offset;
    if (in->head_size < (size_t) magics[row].offset + magics[row].size)
        return false;
    for (size_t i = 0; i < magics[row].size; i++) {
        uint8_t mask = magics[row].mask != NULL ? (uint8_t) magics[row].mask[i] : 0xff;
        if ((at[i] & mask) != (uint8_t) magics[row].magic[i])
            return false;
    }
    return true;
}

/* ---- text ---- */

typedef struct words {
    const char *at;
    size_t size;
} words_t;

static bool starts_with (words_t text, const char *word)
{
    size_t length = strlen (word);
    return text.size >= length && strncasecmp (text.at, word, length) == 0;
}

static bool has_word (words_t text, const char *word)
{
    for (; text.size > 0; text.at++, text.size--)
        if (starts_with (text, word))
            return true;
    return false;
}

static bool is_blank (uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_text (const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((data[i] < ' ' && !is_blank (data[i]) && data[i] != 0x1b) || data[i] == 0x7f)
            return false;
    return true;
}

/* UTF-16 as one byte a character, in place: enough to find ASCII words in it. */
static size_t utf16_squash (uint8_t *data, size_t size, bool big_endian)
{
    size_t count = 0;
    for (size_t i = 2; i + 1 < size; i += 2) {
        uint8_t high = data[i + !big_endian], low = data[i + big_endian];
        data[count++] = high ? '?' : low;
    }
    return count;
}

/* Tells what a text is whose first character that is not blank is at its start. */
static blob_type_t text_type (words_t text)
{
    if (starts_with (text, "BEGIN:VCARD"))
        return BLOB_VCF;
    if (text.size < 2 || text.at[0] != '<')
        return BLOB_TXT;
    if (has_word (text, "<svg") || has_word (text, ":svg") || has_word (text, "<!doctype svg"))
        return BLOB_SVG;
    if (has_word (text, "<html") || has_word (text, "<!doctype html") ||
        has_word (text, "<script") || has_word (text, "<body") || starts_with (text, "<!--"))
        return BLOB_HTML;
    char second = text.at[1];
    bool tag = (second >= 'a' && second <= 'z') || (second >= 'A' && second <= 'Z');
    static const char *const html[] = {"<a",     "<b",      "<br",     "<div",   "<font", "<h1",
                                       "<head",  "<iframe", "<img",    "<style", "<p",    "<table",
                                       "<title", "<video",  "<object", "<embed", "<form", "<meta"};
    for (size_t i = 0; tag && i < sizeof html / sizeof html[0]; i++) {
        size_t length = strlen (html[i]);
        if (starts_with (text, html[i]) && text.size > length &&
            (is_blank ((uint8_t) text.at[length]) || text.at[length] == '>' ||
             text.at[length] == '/'))
            return BLOB_HTML;
    }
    return tag || second == '?' || second == '!' ? BLOB_XML : BLOB_TXT;
}

/* Past leading blanks: reads on until something else comes. False if there is nothing else within BLANK_MAX, or no text. */
static bool blanks_skip (source_t *in, uint8_t piece[HEAD_SIZE], size_t *at, size_t *size)
{
    uint64_t offset = *size;
    for (;;) {
        while (*at < *size && is_blank (piece[*at]))
            ++*at;
        if (*at < *size || offset >= in->size || offset >= BLANK_MAX)
            return *at < *size;
        *size = in->size - offset < HEAD_SIZE ? (size_t) (in->size - offset) : HEAD_SIZE;
        if (!source_get (in, offset, piece, *size))
            return false;
        offset += *size;
        *at = 0;
    }
}

static blob_type_t text_sniff (source_t *in)
{
    uint8_t piece[HEAD_SIZE];
    size_t size = in->head_size, at = 0;
    memcpy (piece, in->head, size);
    if (size >= 2 && (memcmp (piece, "\xff\xfe", 2) == 0 || memcmp (piece, "\xfe\xff", 2) == 0)) {
        size = utf16_squash (piece, size, piece[0] == 0xfe);
        while (at < size && is_blank (piece[at]))
            at++;
    } else {
        if (size >= 3 && memcmp (piece, "\xef\xbb\xbf", 3) == 0)
            at = 3;
        if (!is_text (piece + at, size - at))
            return BLOB_UNKNOWN;
        if (!blanks_skip (in, piece, &at, &size))
            return BLOB_TXT;
    }
    if (!is_text (piece + at, size - at))
        return BLOB_UNKNOWN;
    return text_type ((words_t){(const char *) piece + at, size - at});
}

int blob_sniff (blob_read_fn *read, void *context, uint64_t size, blob_seen_t *out)
{
    source_t in = {.read = read, .context = context, .size = size};
    blob_seen_t seen = {.type = BLOB_UNKNOWN, .size = size};
    size_t want = size < HEAD_SIZE ? (size_t) size : HEAD_SIZE;
    if (want > 0 && !source_get (&in, 0, in.head, want))
        return E_IO;
    in.head_size = want;

    size_t row = 0;
    while (row < sizeof magics / sizeof magics[0] && !magic_fits (&in, row))
        row++;
    if (row < sizeof magics / sizeof magics[0]) {
        seen.type = magics[row].type;
        if (magics[row].look != NULL)
            magics[row].look (&in, &seen);
    } else if (want > 0) {
        seen.type = text_sniff (&in);
    }
    if (in.failed)
        return E_IO;
    *out = seen;
    return 0;
}
