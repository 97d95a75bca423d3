/* sniff_test.c - types told from bytes, details for the checks, and what each kind of use takes. Samples are made here, as small as they can be. */
#include "blob/blob.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long memory_read (void *context, uint64_t offset, void *out, size_t size)
{
    const bytes_t *all = context;
    size_t left = offset < all->size ? all->size - (size_t) offset : 0;
    size_t n = size < left ? size : left;
    if (n > 0)
        memcpy (out, all->data + offset, n);
    return (long) n;
}

static long bad_read (void *context, uint64_t offset, void *out, size_t size)
{
    (void) context;
    (void) offset;
    (void) out;
    (void) size;
    return -1;
}

/* From a copy of exact size, so that asan sees reads past the end. */
static blob_seen_t sniff (const void *data, size_t size)
{
    blob_seen_t seen;
    uint8_t *copy = malloc (size ? size : 1);
    memcpy (copy, data, size);
    bytes_t all = bytes_of (copy, size);
    assert_int_equal (blob_sniff (memory_read, &all, size, &seen), 0);
    assert_int_equal (seen.size, size);
    free (copy);
    return seen;
}

static void put_le (buf_t *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_add_byte (out, (uint8_t) (value >> (8 * i)));
}

static void put_be32 (buf_t *out, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_byte (out, (uint8_t) (value >> shift));
}

static void put_zeros (buf_t *out, size_t count)
{
    while (count-- > 0)
        buf_add_byte (out, 0);
}

/* ---- magic numbers and text ---- */

#define ROW(text, want)                                   \
    {                                                     \
        (const uint8_t *) (text), sizeof (text) - 1, want \
    }

static const struct {
    const uint8_t *data;
    size_t size;
    blob_type_t want;
} rows[] = {
    ROW ("", BLOB_UNKNOWN),
    ROW ("\xff\xd8\xff\xe0\0\x10JFIF", BLOB_JPEG),
    ROW ("\xff\xd8", BLOB_TXT), /* two bytes of Latin-1, for all that can be told */
    ROW ("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\0\0\0\0\0", BLOB_PNG),
    ROW ("\x89PNG\r\n\x1a\n", BLOB_UNKNOWN),
    ROW ("GIF89a\1\0\1\0\0\0\0", BLOB_GIF),
    ROW ("GIF89a\1\0", BLOB_UNKNOWN),
    ROW ("RIFF\x16\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f", BLOB_WAV),
    ROW ("RIFF\0\0\0\0", BLOB_UNKNOWN),
    ROW ("\0\0\0\x14"
         "ftypisom\0\0\2\0isom",
         BLOB_MP4),
    ROW ("\0\0\0\x14"
         "ftypmp42\0\0\2\0isom",
         BLOB_MP4),
    ROW ("\0\0\0\x14"
         "ftyp3gp5\0\0\2\0isom",
         BLOB_3GP),
    ROW ("\0\0\0\x14"
         "ftypM4A \0\0\2\0isom",
         BLOB_M4A),
    ROW ("\0\0\0\x14"
         "ftypqt  \0\0\2\0qt  ",
         BLOB_MOV),
    ROW ("\0\0\0\x14"
         "ftypheic\0\0\2\0heic",
         BLOB_HEIC),
    ROW ("\0\0\0\x14"
         "ftyp",
         BLOB_UNKNOWN),
    ROW ("#!AMR\n\x0c", BLOB_AMR),
    ROW ("#!AMR-WB\n\x0c", BLOB_AMR),
    ROW ("ID3\4\0\0\0\0\0\0", BLOB_MP3),
    ROW ("\xff\xfb\x90\x64", BLOB_MP3),
    ROW ("\xff\xfb\xf0\x64", BLOB_UNKNOWN), /* reserved bit rate */
    ROW ("\xff\xf1\x50\x80\1\x1f\xfc\0\xff\xf1", BLOB_AAC),
    ROW ("\xff\xf1\x50\x80\1\x1f\xfc\0\0\0\0", BLOB_UNKNOWN), /* no frame follows */
    ROW ("OggS\0\2\0\0\0\0\0\0\0\0\1\2\3\4\0\0\0\0\0\0\0\0\1\x13OpusHead\1\1\0\0\0\0\0\0\0\0",
         BLOB_OGG),
    ROW ("OggS\0\2", BLOB_UNKNOWN),
    ROW ("%PDF-1.7\n%\xe2\xe3", BLOB_PDF),
    ROW ("PK\3\4\0\0\0\0", BLOB_ZIP),
    ROW ("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", BLOB_OLE),
    ROW ("Hello,\nworld\t1 < 2", BLOB_TXT),
    ROW ("Gr\xc3\xbc\xc3\x9f"
         "e",
         BLOB_TXT),
    ROW ("Gr\xfc\xdf"
         "e",
         BLOB_TXT),
    ROW ("< 5 apples", BLOB_TXT),
    ROW ("<3", BLOB_TXT),
    ROW ("\xff\xfeh\0i\0", BLOB_TXT),
    ROW ("a\0b", BLOB_UNKNOWN),
    ROW ("MZ\x90\0\3", BLOB_UNKNOWN),
    ROW ("\x7f"
         "ELF\2\1\1",
         BLOB_UNKNOWN),
    ROW ("BEGIN:VCARD\r\nVERSION:3.0\r\n", BLOB_VCF),
    ROW ("\xef\xbb\xbf"
         "begin:vcard\n",
         BLOB_VCF),
    ROW ("<!DOCTYPE html><p>x", BLOB_HTML),
    ROW (" \r\n\t<HTML>", BLOB_HTML),
    ROW ("\xef\xbb\xbf<html>", BLOB_HTML),
    ROW ("<!-- hidden --><b>x</b>", BLOB_HTML),
    ROW ("<script>alert(1)</script>", BLOB_HTML),
    ROW ("<iframe src=x>", BLOB_HTML),
    ROW ("<img/src=x onerror=1>", BLOB_HTML),
    ROW ("<a href=javascript:x>", BLOB_HTML),
    ROW ("\xff\xfe<\0h\0t\0m\0l\0>\0", BLOB_HTML),
    ROW ("\xfe\xff\0<\0s\0v\0g\0>", BLOB_SVG),
    ROW ("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", BLOB_HTML),
    ROW ("<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", BLOB_SVG),
    ROW ("<?xml version='1.0'?>\n<!-- x -->\n<SVG>", BLOB_SVG),
    ROW ("<!DOCTYPE svg PUBLIC 'x'>", BLOB_SVG),
    ROW ("<s:svg xmlns:s='http://www.w3.org/2000/svg'/>", BLOB_SVG),
    ROW ("<?xml version='1.0'?><smil/>", BLOB_XML),
    ROW ("<note>", BLOB_XML),
};

static void test_rows (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        blob_type_t got = sniff (rows[i].data, rows[i].size).type;
        if (got != rows[i].want)
            fail_msg ("row %zu: %s, not %s", i, blob_type_mime (got),
                      blob_type_mime (rows[i].want));
        for (size_t size = 0; size < rows[i].size; size++)
            sniff (rows[i].data, size); /* cut anywhere: no read past the end */
    }
    blob_seen_t seen;
    assert_int_equal (blob_sniff (bad_read, NULL, 10, &seen), E_IO);
}

static void test_blanks (void **state)
{
    (void) state;
    buf_t text = {0};
    for (unsigned i = 0; i < 10000; i++)
        buf_add_str (&text, "\r\n");
    assert_int_equal (sniff (text.data, text.size).type, BLOB_TXT);
    buf_add_str (&text, "<svg onload=x>");
    assert_int_equal (sniff (text.data, text.size).type, BLOB_SVG);
    buf_free (&text);
}

/* ---- containers ---- */

/* A zip of empty stored files. */
static buf_t zip_make (const char *const *names)
{
    buf_t out = {0}, central = {0};
    unsigned count = 0;
    for (; names[count] != NULL; count++) {
        size_t length = strlen (names[count]), at = out.size;
        buf_add (&out, "PK\3\4", 4);
        put_zeros (&out, 22);
        put_le (&out, length, 2);
        put_le (&out, 0, 2);
        buf_add_str (&out, names[count]);
        buf_add (&central, "PK\1\2", 4);
        put_zeros (&central, 24);
        put_le (&central, length, 2);
        put_zeros (&central, 12);
        put_le (&central, at, 4);
        buf_add_str (&central, names[count]);
    }
    size_t start = out.size;
    buf_add (&out, central.data, central.size);
    buf_add (&out, "PK\5\6\0\0\0\0", 8);
    put_le (&out, count, 2);
    put_le (&out, count, 2);
    put_le (&out, central.size, 4);
    put_le (&out, start, 4);
    put_le (&out, 0, 2);
    buf_free (&central);
    return out;
}

static void test_zip (void **state)
{
    (void) state;
    static const struct {
        const char *names[5];
        blob_type_t want;
    } zips[] = {
        {{"[Content_Types].xml", "_rels/.rels", "word/document.xml"}, BLOB_DOCX},
        {{"docProps/app.xml", "xl/workbook.xml", "[Content_Types].xml"}, BLOB_XLSX},
        {{"[Content_Types].xml", "ppt/presentation.xml"}, BLOB_PPTX},
        {{"[Content_Types].xml", "word/document2.xml"}, BLOB_DOCX},
        {{"[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"}, BLOB_ZIP},
        {{"word/document.xml"}, BLOB_ZIP},
        {{"[Content_Types].xml", "word/document.xml", "xl/workbook.xml"}, BLOB_ZIP},
        {{"evil.html"}, BLOB_ZIP},
    };
    for (size_t i = 0; i < sizeof zips / sizeof zips[0]; i++) {
        buf_t zip = zip_make (zips[i].names);
        assert_int_equal (sniff (zip.data, zip.size).type, zips[i].want);
        for (size_t size = 0; size < zip.size; size++)
            assert_true (sniff (zip.data, size).type == (size < 4 ? BLOB_TXT : BLOB_ZIP) ||
                         size < 4);
        buf_free (&zip);
    }
}

/* Header, one FAT sector, two directory sectors of which the second has the stream. */
static buf_t ole_make (const char *stream)
{
    buf_t out = {0};
    buf_add (&out, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8);
    put_zeros (&out, 22);
    put_le (&out, 9, 2);
    put_zeros (&out, 16);
    put_le (&out, 1, 4); /* first directory sector */
    put_zeros (&out, 24);
    put_le (&out, 0, 4); /* the FAT is sector 0 */
    for (unsigned i = 1; i < 109; i++)
        put_le (&out, 0xffffffff, 4);
    put_le (&out, 0xfffffffd, 4);
    put_le (&out, 2, 4);
    put_le (&out, 0xfffffffe, 4);
    for (unsigned i = 3; i < 128; i++)
        put_le (&out, 0xffffffff, 4);
    put_zeros (&out, 512 + 128);
    size_t start = out.size;
    for (const char *at = stream; *at; at++)
        put_le (&out, (uint8_t) *at, 2);
    put_zeros (&out, start + 64 - out.size);
    put_le (&out, 2 * (strlen (stream) + 1), 2);
    put_le (&out, 2, 1);
    put_zeros (&out, start + 3 * 128 - out.size);
    assert_int_equal (out.size, 4 * 512);
    return out;
}

static void test_ole (void **state)
{
    (void) state;
    static const struct {
        const char *stream;
        blob_type_t want;
    } oles[] = {{"WordDocument", BLOB_DOC},        {"Workbook", BLOB_XLS},    {"Book", BLOB_XLS},
                {"PowerPoint Document", BLOB_PPT}, {"WordDocumen", BLOB_OLE}, {"Other", BLOB_OLE}};
    for (size_t i = 0; i < sizeof oles / sizeof oles[0]; i++) {
        buf_t ole = ole_make (oles[i].stream);
        assert_int_equal (sniff (ole.data, ole.size).type, oles[i].want);
        for (size_t size = 8; size < ole.size; size += 8)
            sniff (ole.data, size);
        ole.data[512 + 4] = 1; /* the directory's chain goes round */
        sniff (ole.data, ole.size);
        buf_free (&ole);
    }
}

static size_t box_open (buf_t *out, const char *type)
{
    put_be32 (out, 0);
    buf_add_str (out, type);
    return out->size - 8;
}

static void box_close (buf_t *out, size_t start)
{
    uint32_t size = (uint32_t) (out->size - start);
    for (unsigned i = 0; i < 4; i++)
        out->data[start + i] = (uint8_t) (size >> (24 - 8 * i));
}

static buf_t mp4_make (const char *const *tracks)
{
    buf_t out = {0};
    size_t box = box_open (&out, "ftyp");
    buf_add (&out, "isom\0\0\2\0isommp41", 16);
    box_close (&out, box);
    box = box_open (&out, "mdat");
    put_zeros (&out, 6000); /* so that moov is behind the first bytes */
    box_close (&out, box);
    box = box_open (&out, "moov");
    for (; *tracks != NULL; tracks++) {
        size_t trak = box_open (&out, "trak");
        size_t mdia = box_open (&out, "mdia");
        size_t mdhd = box_open (&out, "mdhd");
        box_close (&out, mdhd);
        size_t hdlr = box_open (&out, "hdlr");
        put_zeros (&out, 8);
        buf_add_str (&out, *tracks);
        put_zeros (&out, 13);
        box_close (&out, hdlr);
        box_close (&out, mdia);
        box_close (&out, trak);
    }
    box_close (&out, box);
    return out;
}

static void test_mp4 (void **state)
{
    (void) state;
    static const struct {
        const char *tracks[3];
        blob_type_t want;
    } files[] = {{{"vide", "soun"}, BLOB_MP4},
                 {{"soun", "vide"}, BLOB_MP4},
                 {{"vide"}, BLOB_MP4},
                 {{"soun"}, BLOB_M4A},
                 {{NULL}, BLOB_MP4}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        buf_t file = mp4_make (files[i].tracks);
        assert_int_equal (sniff (file.data, file.size).type, files[i].want);
        for (size_t size = 6000; size < file.size; size++)
            sniff (file.data, size);
        buf_free (&file);
    }
}

/* ---- WebP and the checks ---- */

/* `form` is "VP8 ", "VP8L", "VP8X" or "VP8A" (VP8X with the animation flag). Filled up to `size`. */
static buf_t webp_make (const char *form, uint32_t width, uint32_t height, size_t size)
{
    buf_t out = {0};
    buf_add_str (&out, "RIFF");
    put_le (&out, size - 8, 4);
    buf_add_str (&out, "WEBP");
    buf_add (&out, strcmp (form, "VP8A") == 0 ? "VP8X" : form, 4);
    put_le (&out, 10, 4);
    if (strcmp (form, "VP8 ") == 0) {
        buf_add (&out, "\0\0\0\x9d\x01\x2a", 6);
        put_le (&out, width, 2);
        put_le (&out, height, 2);
    } else if (strcmp (form, "VP8L") == 0) {
        buf_add_byte (&out, 0x2f);
        put_le (&out, (width - 1) | (height - 1) << 14, 4);
    } else {
        put_le (&out, strcmp (form, "VP8A") == 0 ? 0x02 : 0x10, 4);
        put_le (&out, width - 1, 3);
        put_le (&out, height - 1, 3);
    }
    put_zeros (&out, size - out.size);
    return out;
}

static void test_sticker (void **state)
{
    (void) state;
    static const struct {
        const char *form;
        uint32_t width, height;
        size_t size;
        int want;
    } stickers[] = {
        {"VP8 ", 512, 512, 40, 0},
        {"VP8L", 512, 512, 40, 0},
        {"VP8X", 512, 512, 40, 0},
        {"VP8A", 512, 512, 40, 0},
        {"VP8 ", 512, 511, 40, E_BAD_REQUEST},
        {"VP8L", 511, 512, 40, E_BAD_REQUEST},
        {"VP8X", 1024, 512, 40, E_BAD_REQUEST},
        {"VP8A", 96, 96, 40, E_BAD_REQUEST},
        {"VP8 ", 512, 512, 100 << 10, 0},
        {"VP8 ", 512, 512, (100 << 10) + 1, E_MEDIA_TOO_LARGE},
        {"VP8X", 512, 512, (100 << 10) + 1, E_MEDIA_TOO_LARGE},
        {"VP8A", 512, 512, 500 << 10, 0},
        {"VP8A", 512, 512, (500 << 10) + 1, E_MEDIA_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof stickers / sizeof stickers[0]; i++) {
        failure_t failure = {0};
        buf_t file =
            webp_make (stickers[i].form, stickers[i].width, stickers[i].height, stickers[i].size);
        blob_seen_t seen = sniff (file.data, file.size);
        assert_int_equal (seen.type, BLOB_WEBP);
        assert_int_equal (seen.width, stickers[i].width);
        assert_int_equal (seen.height, stickers[i].height);
        assert_int_equal (seen.animated, strcmp (stickers[i].form, "VP8A") == 0);
        assert_int_equal (blob_type_check (BLOB_KIND_STICKER, "image/webp", &seen, &failure),
                          stickers[i].want);
        assert_int_equal (failure.code, stickers[i].want);
        seen = sniff (file.data, file.size - 1);
        assert_true (seen.cut);
        assert_int_not_equal (blob_type_check (BLOB_KIND_STICKER, NULL, &seen, NULL), 0);
        buf_free (&file);
    }
}

static const struct {
    blob_kind_t kind;
    const char *claimed;
    blob_seen_t seen;
    int want;
} checks[] = {
    {BLOB_KIND_IMAGE, "image/jpeg", {.type = BLOB_JPEG, .size = 5 << 20}, 0},
    {BLOB_KIND_IMAGE, "image/jpeg", {.type = BLOB_JPEG, .size = (5 << 20) + 1}, E_MEDIA_TOO_LARGE},
    {BLOB_KIND_IMAGE, "image/jpeg", {.type = BLOB_JPEG, .size = 0}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, " IMAGE/JPG ; q=1", {.type = BLOB_JPEG, .size = 1}, 0},
    {BLOB_KIND_IMAGE, NULL, {.type = BLOB_JPEG, .size = 1}, 0},
    {BLOB_KIND_IMAGE, "", {.type = BLOB_JPEG, .size = 1}, 0},
    {BLOB_KIND_IMAGE, "application/octet-stream", {.type = BLOB_JPEG, .size = 1}, 0},
    {BLOB_KIND_IMAGE, "image/png", {.type = BLOB_JPEG, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, "image/jpeg", {.type = BLOB_PDF, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, "image/jpeg", {.type = BLOB_UNKNOWN, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, "no mime at all", {.type = BLOB_JPEG, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, "image/png", {.type = BLOB_PNG, .size = 1, .rgb8 = true}, 0},
    {BLOB_KIND_IMAGE, "image/png", {.type = BLOB_PNG, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, "image/gif", {.type = BLOB_GIF, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, "image/webp", {.type = BLOB_WEBP, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_IMAGE, "image/svg+xml", {.type = BLOB_SVG, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_DOCUMENT, "text/html", {.type = BLOB_HTML, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_DOCUMENT, "text/plain", {.type = BLOB_HTML, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_DOCUMENT, "text/plain; charset=utf-8", {.type = BLOB_TXT, .size = 1}, 0},
    {BLOB_KIND_DOCUMENT, "application/pdf", {.type = BLOB_PDF, .size = 100 << 20}, 0},
    {BLOB_KIND_DOCUMENT,
     "application/pdf",
     {.type = BLOB_PDF, .size = (100 << 20) + 1},
     E_MEDIA_TOO_LARGE},
    {BLOB_KIND_DOCUMENT, "application/msword", {.type = BLOB_DOC, .size = 1}, 0},
    {BLOB_KIND_DOCUMENT, "application/zip", {.type = BLOB_ZIP, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_DOCUMENT, NULL, {.type = BLOB_DOCX, .size = 1}, 0},
    {BLOB_KIND_VIDEO, "video/mp4", {.type = BLOB_MP4, .size = 16 << 20}, 0},
    {BLOB_KIND_VIDEO, "video/mp4", {.type = BLOB_MP4, .size = (16 << 20) + 1}, E_MEDIA_TOO_LARGE},
    {BLOB_KIND_VIDEO, "video/3gpp", {.type = BLOB_3GP, .size = 1}, 0},
    {BLOB_KIND_VIDEO, "video/quicktime", {.type = BLOB_MOV, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_VIDEO, "audio/mp4", {.type = BLOB_M4A, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_AUDIO, "audio/mp4", {.type = BLOB_M4A, .size = 1}, 0},
    {BLOB_KIND_AUDIO,
     "audio/ogg; codecs=opus",
     {.type = BLOB_OGG, .size = 1, .opus = true, .channels = 1},
     0},
    {BLOB_KIND_AUDIO,
     "audio/ogg",
     {.type = BLOB_OGG, .size = 1, .opus = true, .channels = 2},
     E_BAD_REQUEST},
    {BLOB_KIND_AUDIO, "audio/ogg", {.type = BLOB_OGG, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_AUDIO, "audio/wav", {.type = BLOB_WAV, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_AUDIO, "audio/mpeg", {.type = BLOB_MP3, .size = 16 << 20}, 0},
    {BLOB_KIND_MMS, "image/gif", {.type = BLOB_GIF, .size = 5 << 20}, 0},
    {BLOB_KIND_MMS, "image/gif", {.type = BLOB_GIF, .size = (5 << 20) + 1}, E_MEDIA_TOO_LARGE},
    {BLOB_KIND_MMS, "text/x-vcard", {.type = BLOB_VCF, .size = 1}, 0},
    {BLOB_KIND_MMS, "image/svg+xml", {.type = BLOB_SVG, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_MMS, NULL, {.type = BLOB_UNKNOWN, .size = 1}, E_BAD_REQUEST},
    {BLOB_KIND_INBOUND, "image/png", {.type = BLOB_HTML, .size = 1}, 0},
    {BLOB_KIND_INBOUND,
     "image/png",
     {.type = BLOB_HTML, .size = (100 << 20) + 1},
     E_MEDIA_TOO_LARGE},
    {BLOB_KIND_COUNT, NULL, {.type = BLOB_JPEG, .size = 1}, E_BAD_REQUEST},
};

static void test_checks (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        failure_t failure = {0};
        int got = blob_type_check (checks[i].kind, checks[i].claimed, &checks[i].seen, &failure);
        if (got != checks[i].want)
            fail_msg ("row %zu: %d (%s), not %d", i, got, failure.text, checks[i].want);
        assert_int_equal (failure.code, got);
        assert_string_equal (failure.field, got ? "file" : "");
    }
}

static void test_names (void **state)
{
    (void) state;
    assert_int_equal (blob_kind_read ("sticker"), BLOB_KIND_STICKER);
    assert_int_equal (blob_kind_read ("mms"), BLOB_KIND_COUNT);
    assert_int_equal (blob_kind_read (""), BLOB_KIND_COUNT);
    assert_int_equal (blob_kind_limit (BLOB_KIND_COUNT), 100 << 20);
    for (unsigned i = 0; i < BLOB_TYPE_COUNT; i++) {
        blob_seen_t seen = {.type = (blob_type_t) i, .size = 1};
        assert_int_equal (blob_type_read (blob_type_mime ((blob_type_t) i)), i);
        assert_true (blob_type_extension ((blob_type_t) i)[0] != 0);
        blob_kind_t kind = blob_kind_of (&seen);
        assert_true (kind == BLOB_KIND_COUNT || !blob_type_is_active ((blob_type_t) i));
    }
    blob_seen_t webp = {.type = BLOB_WEBP};
    assert_int_equal (blob_kind_of (&webp), BLOB_KIND_STICKER);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rows),   cmocka_unit_test (test_blanks),
        cmocka_unit_test (test_zip),    cmocka_unit_test (test_ole),
        cmocka_unit_test (test_mp4),    cmocka_unit_test (test_sticker),
        cmocka_unit_test (test_checks), cmocka_unit_test (test_names)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
