/* media.c - bytes that are kept for both carriers, bounded. How it fails: the oldest are forgotten. */
#include "telnyx.h"

#include "base/text.h"
#include "sign/sign.h"
#include <stdlib.h>
#include <string.h>

enum { MEDIA_BYTES_MAX = 768 * 1024 * 1024 };

void media_free (void *value)
{
    media_t *self = value;
    free (self->number);
    free (self->mime_type);
    free (self->filename);
    blob_release (self->blob);
    free (self);
}

media_t *media_put (sim_t *sim, const char *number, const char *mime_type, const char *filename,
                    bytes_t bytes)
{
    uint8_t digest[SIGN_SHA256_SIZE];
    media_t *self = must_alloc (sizeof *self);
    sim_digits (sim, self->id, 16);
    self->number = must_strdup (number);
    self->mime_type = must_strdup (mime_type);
    self->filename = must_strdup (filename);
    self->blob = blob_new (bytes);
    self->created_ms = sim_now_ms (sim);
    sign_sha256 (bytes, digest);
    text_write_hex (digest, sizeof digest, self->sha256);
    sim->media_bytes += bytes.size;
    while (sim->media_bytes > MEDIA_BYTES_MAX && table_size (sim->media) > 0) {
        table_entry_t *at = NULL;
        const media_t *oldest = table_next (sim->media, &at);
        sim->media_bytes -= oldest->blob->size;
        table_drop (sim->media, table_key (at));
    }
    table_put (sim->media, self->id, self);
    return self;
}

const char *media_sniff (bytes_t bytes)
{
    static const struct {
        const char *magic;
        size_t at, size;
        const char *type;
    } magics[] = {{"\xff\xd8\xff", 0, 3, "image/jpeg"}, {"\x89PNG", 0, 4, "image/png"},
                  {"GIF8", 0, 4, "image/gif"},          {"WEBP", 8, 4, "image/webp"},
                  {"OggS", 0, 4, "audio/ogg"},          {"ID3", 0, 3, "audio/mpeg"},
                  {"#!AMR", 0, 5, "audio/amr"},         {"ftyp3g", 4, 6, "video/3gpp"},
                  {"ftypM4A", 4, 7, "audio/mp4"},       {"ftyp", 4, 4, "video/mp4"},
                  {"%PDF-", 0, 5, "application/pdf"}};
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if (bytes.size >= magics[i].at + magics[i].size &&
            memcmp (bytes.data + magics[i].at, magics[i].magic, magics[i].size) == 0)
            return magics[i].type;
    if (bytes.size > 0 && text_is_utf8 ((const char *) bytes.data, bytes.size))
        return "text/plain";
    return "application/octet-stream";
}

const char *media_telnyx_url (arena_t *arena, const char *base_url, const media_t *media)
{
    return arena_printf (arena, "%s/telnyx-media/%s", base_url, media->id);
}

void telnyx_media_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    media_t *media = table_get (sim->media, request->params[0]);
    if (media == NULL) {
        telnyx_error (answer, 404, "10005", NULL, "There is no such media.");
        return;
    }
    answer->status = 200;
    answer->blob = blob_share (media->blob);
    answer->content_type = arena_strdup (request->arena, media->mime_type);
}
