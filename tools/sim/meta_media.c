/* meta_media.c - media of WhatsApp: upload, URL, download, delete, and resumable uploads (spec section 3). How it fails: in Graph's envelope. */
#include "meta.h"

#include "base/text.h"
#include "sign/sign.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MB (1024u * 1024u)

static const struct {
    const char *mime;
    size_t most;
} mime_table[] = {
    {"audio/aac", 16 * MB},
    {"audio/amr", 16 * MB},
    {"audio/mpeg", 16 * MB},
    {"audio/mp4", 16 * MB},
    {"audio/ogg", 16 * MB},
    {"audio/opus", 16 * MB},
    {"text/plain", 100 * MB},
    {"application/pdf", 100 * MB},
    {"application/msword", 100 * MB},
    {"application/vnd.ms-excel", 100 * MB},
    {"application/vnd.ms-powerpoint", 100 * MB},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 * MB},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 * MB},
    {"application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 * MB},
    {"image/jpeg", 5 * MB},
    {"image/png", 5 * MB},
    {"image/webp", 500 * 1024u},
    {"video/mp4", 16 * MB},
    {"video/3gpp", 16 * MB},
};

/* Most bytes of a type, parameters like "; codecs=opus" aside; 0 if it is not taken. */
static size_t mime_most (const char *mime)
{
    size_t length = strcspn (mime, "; ");
    for (size_t i = 0; i < sizeof mime_table / sizeof mime_table[0]; i++)
        if (strlen (mime_table[i].mime) == length &&
            strncasecmp (mime_table[i].mime, mime, length) == 0)
            return mime_table[i].most;
    return 0;
}

void meta_media_upload (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    meta_number_t *number = meta_number_of (sim, request, answer);
    const form_part_t *file = form_find (&request->form, "file");
    const char *product = json_text (request->json, "messaging_product"),
               *type = json_text (request->json, "type");
    if (number == NULL)
        return;
    if (product == NULL || strcmp (product, "whatsapp") != 0) {
        meta_error (answer, 100, "The parameter messaging_product is required.");
        return;
    }
    if (file == NULL || file->filename == NULL) {
        meta_error (answer, 131008,
                    "The parameter file is required, as a file of a multipart form.");
        return;
    }
    if (file->content_type != NULL && strcmp (file->content_type, "application/octet-stream") != 0)
        type = file->content_type;
    size_t most = type != NULL ? mime_most (type) : 0;
    if (most == 0) {
        meta_error (answer, 100,
                    "Param file must be a file with one of the allowed types. Received "
                    "file of type '%.96s'.",
                    type != NULL ? type : "");
    } else if (file->content.size == 0 || file->content.size > most) {
        meta_error (answer, 131053, "Media of type %.96s must have 1 to %zu bytes (size: %zu).",
                    type, most, file->content.size);
    } else {
        const media_t *media =
            media_put (sim, number->id, type, file->filename, buf_bytes (&file->content));
        cJSON *out = cJSON_CreateObject ();
        json_add_text (out, "id", media->id);
        answer_json (answer, 200, out);
    }
}

/* ---- the URL ---- */

static void url_hash (const sim_t *sim, const char *id, const char *expires, char out[33])
{
    uint8_t digest[SIGN_SHA256_SIZE];
    const bytes_t parts[] = {bytes_of_str (id), bytes_of_str ("|"), bytes_of_str (expires)};
    sign_hmac_sha256_parts (bytes_of_str (sim->seed), parts, 3, digest);
    text_write_hex (digest, 16, out);
}

void meta_media_url (const sim_t *sim, const media_t *media, const char *base_url, char *out,
                     size_t size)
{
    char expires[24], hash[33];
    snprintf (expires, sizeof expires, "%" PRId64, sim_now_ms (sim) + sim->settings.media_url_ms);
    url_hash (sim, media->id, expires, hash);
    snprintf (out, size, "%s/whatsapp_business/attachments/?mid=%s&ext=%s&hash=%s", base_url,
              media->id, expires, hash);
}

void meta_media_download (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *id = request_query (request, "mid"), *expires = request_query (request, "ext"),
               *hash = request_query (request, "hash");
    const media_t *media = table_get (sim->media, id);
    char wanted[33] = "";
    if (media != NULL && expires != NULL)
        url_hash (sim, id, expires, wanted);
    if (media == NULL || expires == NULL || hash == NULL || strcmp (hash, wanted) != 0 ||
        strtoll (expires, NULL, 10) < sim_now_ms (sim)) {
        answer->status = 404;
        return;
    }
    answer->status = 200;
    answer->blob = blob_share (media->blob);
    answer->content_type = arena_strdup (request->arena, media->mime_type);
}

static void media_show (const sim_t *sim, const sim_request_t *request, const media_t *media,
                        sim_answer_t *answer)
{
    char url[512];
    cJSON *out = cJSON_CreateObject ();
    meta_media_url (sim, media, request->base_url, url, sizeof url);
    json_add_text (out, "messaging_product", "whatsapp");
    json_add_text (out, "url", url);
    json_add_text (out, "mime_type", media->mime_type);
    json_add_text (out, "sha256", media->sha256);
    json_add_number (out, "file_size", (double) media->blob->size);
    json_add_text (out, "id", media->id);
    answer_json (answer, 200, out);
}

/* GET and DELETE /{media-id}. */
bool meta_media_node (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const media_t *media = table_get (sim->media, request->params[0]);
    const char *number = request_query (request, "phone_number_id");
    if (media == NULL || media->number == NULL)
        return false;
    if (number != NULL && strcmp (number, media->number) != 0) {
        meta_unknown_object (answer, media->id);
    } else if (strcmp (request->method, "DELETE") == 0) {
        sim->media_bytes -= media->blob->size;
        table_drop (sim->media, request->params[0]);
        answer_json (answer, 200, json_of ("{\"success\":true}"));
    } else {
        media_show (sim, request, media, answer);
    }
    return true;
}

/* ---- resumable uploads ---- */

typedef struct upload {
    size_t length;
    buf_t bytes;
} upload_t;

void upload_free (void *value)
{
    upload_t *self = value;
    buf_free (&self->bytes);
    free (self);
}

void meta_upload_begin (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const char *length = request_field (request, "file_length"),
               *type = request_field (request, "file_type");
    char id[64], digits[17];
    if (length == NULL || type == NULL) {
        meta_error (answer, 100, "The parameters file_length and file_type are required.");
        return;
    }
    upload_t *upload = must_alloc (sizeof *upload);
    upload->length = strtoull (length, NULL, 10);
    sim_digits (sim, digits, 16);
    snprintf (id, sizeof id, "upload:%s", digits);
    table_put (sim->uploads, id, upload);
    cJSON *out = cJSON_CreateObject ();
    char *full = must_printf ("%s?sig=%s", id, digits);
    json_add_text (out, "id", full);
    free (full);
    answer_json (answer, 200, out);
}

static upload_t *upload_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    upload_t *upload = table_get (sim->uploads, request->params[0]);
    if (upload == NULL)
        meta_unknown_object (answer, request->params[0]);
    return upload;
}

void meta_upload_piece (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    upload_t *upload = upload_of (sim, request, answer);
    const char *offset = web_header (request->web, "file_offset");
    if (upload == NULL)
        return;
    if (offset == NULL || strtoull (offset, NULL, 10) != upload->bytes.size ||
        upload->bytes.size + request->body.size > upload->length) {
        meta_error (answer, 100, "file_offset must be %zu, and the file is of %zu bytes.",
                    upload->bytes.size, upload->length);
        return;
    }
    buf_add (&upload->bytes, request->body.data, request->body.size);
    cJSON *out = cJSON_CreateObject ();
    char digits[17];
    sim_digits (sim, digits, 16);
    char *handle = must_printf ("4::aW1hZ2U:ARZ%s", digits);
    json_add_text (out, "h", handle);
    free (handle);
    answer_json (answer, 200, out);
}

void meta_upload_state (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const upload_t *upload = upload_of (sim, request, answer);
    if (upload == NULL)
        return;
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "id", request->params[0]);
    json_add_number (out, "file_offset", (double) upload->bytes.size);
    answer_json (answer, 200, out);
}
