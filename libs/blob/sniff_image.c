/* sniff_image.c - dimensions and details of PNG, GIF and RIFF (WebP, WAV). A header that is cut or makes no sense withdraws the type. */
#include "blob/inner.h"

#include <string.h>

void sniff_png (source_t *in, blob_seen_t *seen)
{
    const uint8_t *at = in->head;
    if (in->head_size < 33 || read_be32 (at + 8) != 13 || memcmp (at + 12, "IHDR", 4) != 0) {
        seen->type = BLOB_UNKNOWN;
        return;
    }
    seen->width = read_be32 (at + 16);
    seen->height = read_be32 (at + 20);
    seen->rgb8 = at[24] == 8 && (at[25] == 2 || at[25] == 6);
}

void sniff_gif (source_t *in, blob_seen_t *seen)
{
    if (in->head_size < 13) {
        seen->type = BLOB_UNKNOWN;
        return;
    }
    seen->width = read_le16 (in->head + 6);
    seen->height = read_le16 (in->head + 8);
}

/* The first chunk of a WebP file tells the canvas (RFC 9649). */
static void webp_look (const uint8_t *chunk, blob_seen_t *seen)
{
    const uint8_t *data = chunk + 8;
    if (memcmp (chunk, "VP8X", 4) == 0) {
        seen->animated = (data[0] & 0x02) != 0;
        seen->width = read_le24 (data + 4) + 1;
        seen->height = read_le24 (data + 7) + 1;
    } else if (memcmp (chunk, "VP8L", 4) == 0 && data[0] == 0x2f) {
        uint32_t bits = read_le32 (data + 1);
        seen->width = (bits & 0x3fff) + 1;
        seen->height = (bits >> 14 & 0x3fff) + 1;
    } else if (memcmp (chunk, "VP8 ", 4) == 0 && memcmp (data + 3, "\x9d\x01\x2a", 3) == 0) {
        seen->width = read_le16 (data + 6) & 0x3fff;
        seen->height = read_le16 (data + 8) & 0x3fff;
    } else {
        seen->type = BLOB_UNKNOWN;
    }
}

void sniff_riff (source_t *in, blob_seen_t *seen)
{
    const uint8_t *at = in->head;
    if (in->head_size < 30)
        return;
    seen->cut = (uint64_t) read_le32 (at + 4) + 8 > in->size;
    if (memcmp (at + 8, "WAVE", 4) == 0)
        seen->type = BLOB_WAV;
    if (memcmp (at + 8, "WEBP", 4) == 0) {
        seen->type = BLOB_WEBP;
        webp_look (at + 12, seen);
    }
}
