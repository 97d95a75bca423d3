/* type.c - names of types, what each kind of use takes, and the check of an upload.
 *
 * The limits are Meta's for WhatsApp and the MMS limit of the carriers, in MiB and KiB. Refusals say what was seen and what would be taken. */
#include "blob/blob.h"

#include <string.h>
#include <strings.h>

enum { KIB = 1 << 10, MIB = 1 << 20, STICKER_SIDE = 512, STICKER_STILL_MAX = 100 * KIB };

static const struct {
    const char *name;
    const char *mime;
    const char *extension;
} types[BLOB_TYPE_COUNT] = {
#define BLOB_TYPE_ROW(name, mime, extension) {#name, mime, extension},
    BLOB_TYPES (BLOB_TYPE_ROW)
#undef BLOB_TYPE_ROW
};

/* Other spellings that clients use. */
static const struct {
    const char *mime;
    blob_type_t type;
} aliases[] = {
    {"image/jpg", BLOB_JPEG},
    {"image/pjpeg", BLOB_JPEG},
    {"image/x-png", BLOB_PNG},
    {"image/heif", BLOB_HEIC},
    {"video/3gp", BLOB_3GP},
    {"audio/3gpp", BLOB_3GP},
    {"video/3gpp2", BLOB_3GP},
    {"video/x-m4v", BLOB_MP4},
    {"application/mp4", BLOB_MP4},
    {"audio/m4a", BLOB_M4A},
    {"audio/x-m4a", BLOB_M4A},
    {"audio/mp4a-latm", BLOB_M4A},
    {"audio/x-aac", BLOB_AAC},
    {"audio/aacp", BLOB_AAC},
    {"audio/amr-wb", BLOB_AMR},
    {"audio/mp3", BLOB_MP3},
    {"audio/x-mp3", BLOB_MP3},
    {"audio/opus", BLOB_OGG},
    {"application/ogg", BLOB_OGG},
    {"audio/x-wav", BLOB_WAV},
    {"audio/wave", BLOB_WAV},
    {"audio/vnd.wave", BLOB_WAV},
    {"application/x-pdf", BLOB_PDF},
    {"text/x-vcard", BLOB_VCF},
    {"text/directory", BLOB_VCF},
    {"application/x-zip-compressed", BLOB_ZIP},
    {"application/xhtml+xml", BLOB_HTML},
    {"text/xml", BLOB_XML},
};

#define IN(type) (UINT64_C (1) << (type))
static const uint64_t office = IN (BLOB_DOC) | IN (BLOB_XLS) | IN (BLOB_PPT) | IN (BLOB_DOCX) |
                               IN (BLOB_XLSX) | IN (BLOB_PPTX);

static const struct {
    const char *name;
    uint64_t limit;
    uint64_t types;
    const char *takes;
} kinds[BLOB_KIND_COUNT] = {
    [BLOB_KIND_IMAGE] = {"image", 5 * MIB, IN (BLOB_JPEG) | IN (BLOB_PNG), "JPEG or PNG"},
    [BLOB_KIND_VIDEO] = {"video", 16 * MIB, IN (BLOB_MP4) | IN (BLOB_3GP), "MP4 or 3GP"},
    [BLOB_KIND_AUDIO] = {"audio", 16 * MIB,
                         IN (BLOB_AAC) | IN (BLOB_AMR) | IN (BLOB_MP3) | IN (BLOB_M4A) |
                             IN (BLOB_OGG),
                         "AAC, AMR, MP3, M4A or Ogg Opus"},
    [BLOB_KIND_DOCUMENT] = {"document", 100 * MIB, IN (BLOB_PDF) | IN (BLOB_TXT) | office,
                            "PDF, plain text, Word, Excel or PowerPoint"},
    [BLOB_KIND_STICKER] = {"sticker", 500 * KIB, IN (BLOB_WEBP), "WebP"},
    [BLOB_KIND_MMS] = {"mms", 5 * MIB,
                       (IN (BLOB_OLE) - 1) & ~IN (BLOB_UNKNOWN), /* all before it in the list */
                       "images, video, audio, PDF, text, vCard or Office files"},
    [BLOB_KIND_INBOUND] = {"inbound", 100 * MIB, ~UINT64_C (0), "anything"},
};
#undef IN

const char *blob_type_mime (blob_type_t type)
{
    return types[type < BLOB_TYPE_COUNT ? type : BLOB_UNKNOWN].mime;
}

const char *blob_type_extension (blob_type_t type)
{
    return types[type < BLOB_TYPE_COUNT ? type : BLOB_UNKNOWN].extension;
}

bool blob_type_is_active (blob_type_t type)
{
    return type == BLOB_HTML || type == BLOB_SVG || type == BLOB_XML;
}

static bool mime_is (const char *text, size_t length, const char *mime)
{
    return strlen (mime) == length && strncasecmp (text, mime, length) == 0;
}

/* The text without parameters and blanks around it. */
static const char *mime_trim (const char *mime, size_t *length)
{
    mime += strspn (mime, " \t");
    *length = strcspn (mime, ";");
    while (*length > 0 && (mime[*length - 1] == ' ' || mime[*length - 1] == '\t'))
        --*length;
    return mime;
}

blob_type_t blob_type_read (const char *mime)
{
    size_t length;
    mime = mime_trim (mime, &length);
    for (size_t i = 0; i < BLOB_TYPE_COUNT; i++)
        if (mime_is (mime, length, types[i].mime))
            return (blob_type_t) i;
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (mime_is (mime, length, aliases[i].mime))
            return aliases[i].type;
    return BLOB_TYPE_COUNT;
}

/* ---- kinds ---- */

const char *blob_kind_name (blob_kind_t kind)
{
    return kind < BLOB_KIND_COUNT ? kinds[kind].name : "file";
}

blob_kind_t blob_kind_read (const char *name)
{
    for (size_t i = 0; i < BLOB_KIND_MMS; i++)
        if (strcmp (name, kinds[i].name) == 0)
            return (blob_kind_t) i;
    return BLOB_KIND_COUNT;
}

blob_kind_t blob_kind_of (const blob_seen_t *seen)
{
    for (size_t i = 0; i < BLOB_KIND_MMS; i++)
        if (kinds[i].types >> seen->type & 1)
            return (blob_kind_t) i;
    return BLOB_KIND_COUNT;
}

uint64_t blob_kind_limit (blob_kind_t kind)
{
    uint64_t most = 0;
    if (kind < BLOB_KIND_COUNT)
        return kinds[kind].limit;
    for (size_t i = 0; i < BLOB_KIND_COUNT; i++)
        most = kinds[i].limit > most ? kinds[i].limit : most;
    return most;
}

/* ---- the check ---- */

static int refuse (failure_t *failure, const char *text)
{
    return failure_set (failure, E_BAD_REQUEST, "file", "%s", text);
}

static int claim_check (const char *claimed, const blob_seen_t *seen, failure_t *failure)
{
    size_t length;
    if (claimed == NULL)
        return 0;
    const char *mime = mime_trim (claimed, &length);
    if (length == 0 || mime_is (mime, length, types[BLOB_UNKNOWN].mime) ||
        mime_is (mime, length, "binary/octet-stream") || blob_type_read (mime) == seen->type)
        return 0;
    return failure_set (
        failure, E_BAD_REQUEST, "file", "the file is declared as %.*s, but its bytes are %s",
        (int) (length > 80 ? 80 : length), mime,
        seen->type == BLOB_UNKNOWN ? "of no type that is known here" : types[seen->type].mime);
}

static int sticker_check (const blob_seen_t *seen, failure_t *failure)
{
    if (seen->width != STICKER_SIDE || seen->height != STICKER_SIDE)
        return failure_set (failure, E_BAD_REQUEST, "file",
                            "a sticker is 512x512 pixels, this is %ux%u", seen->width,
                            seen->height);
    if (!seen->animated && seen->size > STICKER_STILL_MAX)
        return failure_set (failure, E_MEDIA_TOO_LARGE, "file",
                            "a sticker that is not animated has at most %d bytes, this has %llu",
                            (int) STICKER_STILL_MAX, (unsigned long long) seen->size);
    return 0;
}

static int detail_check (blob_kind_t kind, const blob_seen_t *seen, failure_t *failure)
{
    if (seen->cut)
        return refuse (failure, "the file is cut short");
    if (kind == BLOB_KIND_STICKER)
        return sticker_check (seen, failure);
    if (kind == BLOB_KIND_IMAGE && seen->type == BLOB_PNG && !seen->rgb8)
        return refuse (failure, "a PNG image must have 8 bits a channel, RGB or RGBA");
    if (kind == BLOB_KIND_AUDIO && seen->type == BLOB_OGG && !(seen->opus && seen->channels == 1))
        return refuse (failure, "audio in Ogg must be Opus with one channel");
    return 0;
}

int blob_type_check (blob_kind_t kind, const char *claimed, const blob_seen_t *seen,
                     failure_t *failure)
{
    if (kind >= BLOB_KIND_COUNT || seen->type >= BLOB_TYPE_COUNT)
        return refuse (failure, "the kind of media is not known");
    if (seen->size == 0)
        return refuse (failure, "the file is empty");
    if (seen->size > kinds[kind].limit)
        return failure_set (failure, E_MEDIA_TOO_LARGE, "file",
                            "%s has at most %llu bytes, this has %llu", kinds[kind].name,
                            (unsigned long long) kinds[kind].limit,
                            (unsigned long long) seen->size);
    if (kind == BLOB_KIND_INBOUND)
        return 0;
    if (blob_type_is_active (seen->type))
        return failure_set (failure, E_BAD_REQUEST, "file", "%s files are not taken",
                            types[seen->type].name);
    int code = claim_check (claimed, seen, failure);
    if (code)
        return code;
    if (!(kinds[kind].types >> seen->type & 1))
        return failure_set (failure, E_BAD_REQUEST, "file", "%s must be %s, this is %s",
                            kinds[kind].name, kinds[kind].takes, types[seen->type].mime);
    return detail_check (kind, seen, failure);
}
