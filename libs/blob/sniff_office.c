/* sniff_office.c - Word, Excel and PowerPoint, old (OLE compound file) and new (zip), told by the names inside.
 *
 * Reads directories only, a bounded number of entries. What has no such names, or names of macros, stays BLOB_ZIP or BLOB_OLE, which no kind takes. */
#include "blob/inner.h"

#include <string.h>

/* ---- zip ---- */

enum {
    EOCD_SIZE = 22,
    COMMENT_MAX = 1024,
    ENTRY_SIZE = 46,
    NAME_MAX_LOOK = 64,
    ENTRIES_MAX = 4096
};

typedef struct inside {
    bool types; /* [Content_Types].xml */
    bool word, excel, powerpoint;
    bool macros;
} inside_t;

/* The end record of the central directory, behind at most a short comment. */
static bool end_find (source_t *in, uint8_t out[EOCD_SIZE])
{
    uint8_t tail[EOCD_SIZE + COMMENT_MAX];
    size_t size = in->size < sizeof tail ? (size_t) in->size : sizeof tail;
    if (size < EOCD_SIZE || !source_get (in, in->size - size, tail, size))
        return false;
    for (size_t at = size - EOCD_SIZE + 1; at-- > 0;)
        if (memcmp (tail + at, "PK\x05\x06", 4) == 0) {
            memcpy (out, tail + at, EOCD_SIZE);
            return true;
        }
    return false;
}

static bool name_starts (const char *name, size_t length, const char *start)
{
    return length >= strlen (start) && memcmp (name, start, strlen (start)) == 0;
}

static void name_look (const char *name, size_t length, inside_t *inside)
{
    inside->types |= length == 19 && memcmp (name, "[Content_Types].xml", 19) == 0;
    inside->word |= name_starts (name, length, "word/document");
    inside->excel |= name_starts (name, length, "xl/workbook");
    inside->powerpoint |= name_starts (name, length, "ppt/presentation");
    inside->macros |= length >= 14 && memcmp (name + length - 14, "vbaProject.bin", 14) == 0;
}

void sniff_zip (source_t *in, blob_seen_t *seen)
{
    uint8_t end[EOCD_SIZE], entry[ENTRY_SIZE];
    char name[NAME_MAX_LOOK];
    inside_t inside = {0};
    if (!end_find (in, end))
        return;
    uint64_t at = read_le32 (end + 16);
    unsigned count = read_le16 (end + 10);
    for (unsigned i = 0; i < count && i < ENTRIES_MAX; i++) {
        if (!source_get (in, at, entry, sizeof entry) || memcmp (entry, "PK\x01\x02", 4) != 0)
            return;
        size_t length = read_le16 (entry + 28);
        if (length <= sizeof name && source_get (in, at + ENTRY_SIZE, name, length))
            name_look (name, length, &inside);
        at += ENTRY_SIZE + length + read_le16 (entry + 30) + read_le16 (entry + 32);
    }
    if (!inside.types || inside.macros || inside.word + inside.excel + inside.powerpoint != 1)
        return;
    seen->type = inside.word ? BLOB_DOCX : inside.excel ? BLOB_XLSX : BLOB_PPTX;
}

/* ---- OLE compound file (MS-CFB) ---- */

enum { OLE_HEAD = 512, OLE_ENTRY = 128, OLE_FATS = 109, OLE_SECTORS_MAX = 256 };

typedef struct ole {
    unsigned shift; /* sector size = 1 << shift */
    uint32_t fats[OLE_FATS];
} ole_t;

static uint64_t sector_at (const ole_t *self, uint32_t sector)
{
    return ((uint64_t) sector + 1) << self->shift;
}

/* The sector after this one in its chain; false at the end or where the table is broken or too far. */
static bool sector_next (source_t *in, const ole_t *self, uint32_t *sector)
{
    uint8_t word[4];
    uint32_t per_fat = 1u << (self->shift - 2);
    uint32_t fat = *sector / per_fat;
    if (fat >= OLE_FATS ||
        !source_get (in, sector_at (self, self->fats[fat]) + 4 * (uint64_t) (*sector % per_fat),
                     word, sizeof word))
        return false;
    *sector = read_le32 (word);
    return *sector < 0xfffffffa;
}

/* Is the entry's UTF-16 name this one? */
static bool entry_is (const uint8_t *entry, const char *name)
{
    size_t length = strlen (name);
    if (read_le16 (entry + 64) != 2 * (length + 1))
        return false;
    for (size_t i = 0; i < length; i++)
        if (entry[2 * i] != (uint8_t) name[i] || entry[2 * i + 1] != 0)
            return false;
    return true;
}

static blob_type_t entry_type (const uint8_t *entry)
{
    static const struct {
        const char *name;
        blob_type_t type;
    } streams[] = {{"WordDocument", BLOB_DOC},
                   {"Workbook", BLOB_XLS},
                   {"Book", BLOB_XLS},
                   {"PowerPoint Document", BLOB_PPT}};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (entry_is (entry, streams[i].name))
            return streams[i].type;
    return BLOB_OLE;
}

void sniff_ole (source_t *in, blob_seen_t *seen)
{
    ole_t ole;
    uint8_t entry[OLE_ENTRY];
    if (in->head_size < OLE_HEAD)
        return;
    ole.shift = read_le16 (in->head + 30);
    if (ole.shift != 9 && ole.shift != 12)
        return;
    for (size_t i = 0; i < OLE_FATS; i++)
        ole.fats[i] = read_le32 (in->head + 76 + 4 * i);
    uint32_t sector = read_le32 (in->head + 48);
    for (unsigned i = 0; i < OLE_SECTORS_MAX && seen->type == BLOB_OLE; i++) {
        for (uint64_t at = 0; at < UINT64_C (1) << ole.shift; at += OLE_ENTRY) {
            if (!source_get (in, sector_at (&ole, sector) + at, entry, sizeof entry))
                return;
            if (seen->type == BLOB_OLE && entry[66] == 2) /* a stream */
                seen->type = entry_type (entry);
        }
        if (!sector_next (in, &ole, &sector))
            return;
    }
}
