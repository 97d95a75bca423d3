/* sniff_av.c - ISO media files (MP4, 3GP, M4A, QuickTime, HEIC), Ogg, MPEG audio and ADTS.
 *
 * An MP4 brand does not say whether there is a picture, so the tracks are looked at: box headers only, a bounded number of them. */
#include "blob/inner.h"

#include <string.h>

enum { BOXES_MAX = 256 };

/* ---- ISO base media file format ---- */

static const struct {
    const char *brand;
    blob_type_t type;
} brands[] = {
    {"3gp", BLOB_3GP},   {"3g2", BLOB_3GP},     {"3gr", BLOB_3GP},     {"qt  ", BLOB_MOV},
    {"M4A", BLOB_M4A},   {"M4B", BLOB_M4A},     {"M4P", BLOB_M4A},     {"heic", BLOB_HEIC},
    {"heix", BLOB_HEIC}, {"heim", BLOB_HEIC},   {"hevc", BLOB_HEIC},   {"mif1", BLOB_HEIC},
    {"msf1", BLOB_HEIC}, {"avi", BLOB_UNKNOWN}, {"crx", BLOB_UNKNOWN},
};

typedef struct box {
    char type[4];
    uint64_t body;
    uint64_t end;
} box_t;

/* The box at *at within `end`; moves *at past it. */
static bool box_next (source_t *in, uint64_t *at, uint64_t end, box_t *out)
{
    uint8_t head[16];
    if (end - *at < 8 || !source_get (in, *at, head, 8))
        return false;
    uint64_t size = read_be32 (head);
    uint64_t skip = 8;
    if (size == 1) {
        if (end - *at < 16 || !source_get (in, *at, head, 16))
            return false;
        size = (uint64_t) read_be32 (head + 8) << 32 | read_be32 (head + 12);
        skip = 16;
    } else if (size == 0) {
        size = end - *at;
    }
    if (size < skip || size > end - *at)
        return false;
    memcpy (out->type, head + 4, 4);
    out->body = *at + skip;
    out->end = *at += size;
    return true;
}

static bool box_find (source_t *in, uint64_t at, uint64_t end, const char *type, box_t *out)
{
    for (unsigned i = 0; i < BOXES_MAX && box_next (in, &at, end, out); i++)
        if (memcmp (out->type, type, 4) == 0)
            return true;
    return false;
}

/* Kinds of tracks under moov: trak, mdia, hdlr. */
static void tracks_look (source_t *in, const box_t *moov, bool *video, bool *audio)
{
    box_t track, media, handler;
    uint8_t body[12];
    uint64_t at = moov->body;
    for (unsigned i = 0; i < BOXES_MAX && box_find (in, at, moov->end, "trak", &track); i++) {
        at = track.end;
        if (!box_find (in, track.body, track.end, "mdia", &media) ||
            !box_find (in, media.body, media.end, "hdlr", &handler) ||
            handler.end - handler.body < sizeof body ||
            !source_get (in, handler.body, body, sizeof body))
            continue;
        *video |= memcmp (body + 8, "vide", 4) == 0;
        *audio |= memcmp (body + 8, "soun", 4) == 0;
    }
}

void sniff_iso (source_t *in, blob_seen_t *seen)
{
    box_t moov;
    bool video = false, audio = false;
    if (in->head_size < 12) {
        seen->type = BLOB_UNKNOWN;
        return;
    }
    for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++)
        if (memcmp (in->head + 8, brands[i].brand, strlen (brands[i].brand)) == 0)
            seen->type = brands[i].type;
    if (seen->type != BLOB_MP4)
        return;
    if (box_find (in, 0, in->size, "moov", &moov))
        tracks_look (in, &moov, &video, &audio);
    if (audio && !video)
        seen->type = BLOB_M4A;
}

/* ---- Ogg ---- */

void sniff_ogg (source_t *in, blob_seen_t *seen)
{
    if (in->head_size < 28) {
        seen->type = BLOB_UNKNOWN;
        return;
    }
    size_t at = 27 + (size_t) in->head[26]; /* past the page's segment table */
    if (in->head_size >= at + 10 && memcmp (in->head + at, "OpusHead", 8) == 0) {
        seen->opus = true;
        seen->channels = in->head[at + 9];
    }
}

/* ---- MPEG audio ---- */

/* A frame header that a decoder would take: version, layer III or II, bit rate and sample rate not reserved. */
void sniff_mpeg_audio (source_t *in, blob_seen_t *seen)
{
    const uint8_t *at = in->head;
    bool ok = in->head_size >= 4 && (at[1] & 0x18) != 0x08 && (at[1] & 0x06) != 0 &&
              (at[2] & 0xf0) != 0xf0 && (at[2] & 0x0c) != 0x0c;
    if (!ok)
        seen->type = BLOB_UNKNOWN;
}

/* ADTS: a sampling rate that exists, and where the frame ends another begins, or the file does. */
void sniff_aac (source_t *in, blob_seen_t *seen)
{
    const uint8_t *at = in->head;
    uint8_t next[2];
    seen->type = BLOB_UNKNOWN;
    if (in->head_size < 7 || (at[2] >> 2 & 0x0f) > 12)
        return;
    uint32_t length = (uint32_t) (at[3] & 0x03) << 11 | (uint32_t) at[4] << 3 | at[5] >> 5;
    if (length < 7)
        return;
    if (length >= in->size ||
        (source_get (in, length, next, 2) && next[0] == 0xff && (next[1] & 0xf6) == 0xf0))
        seen->type = BLOB_AAC;
}
