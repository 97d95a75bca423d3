/* inbound_media.c - what both inbound calls share: bytes that come with the call, and the answer. How it fails: with a sentence that names the field. */
#include "callbacks.h"
#include "telnyx.h"

#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 110 * 1024 * 1024 };

/* A file of this host: only while the simulator serves nobody else. */
static bool file_read (const sim_t *sim, const char *path, buf_t *out, char *error, size_t size)
{
    struct stat stat_out;
    if (!sim->loopback_only) {
        snprintf (error, size, "media.file: is only read while the simulator listens on loopback");
        return false;
    }
    FILE *file = fopen (path, "rb");
    bool sound = file != NULL && fstat (fileno (file), &stat_out) == 0 &&
                 S_ISREG (stat_out.st_mode) && stat_out.st_size <= FILE_MAX;
    uint8_t *to = sound ? buf_reserve (out, (size_t) stat_out.st_size + 1) : NULL;
    if (to != NULL)
        out->size = fread (to, 1, (size_t) stat_out.st_size, file);
    if (file != NULL)
        fclose (file);
    if (to == NULL)
        snprintf (error, size, "media.file: cannot be read, or is too large");
    return to != NULL;
}

static bool base64_read (const char *text, buf_t *out, char *error, size_t size)
{
    const char *data = strncmp (text, "data:", 5) == 0 ? strchr (text, ',') : NULL;
    text = data != NULL ? data + 1 : text;
    size_t length = strlen (text);
    uint8_t *to = buf_reserve (out, length + 4);
    long got = to != NULL ? text_read_base64 (text, length, to, length + 4) : -1;
    if (got <= 0) {
        snprintf (error, size, "media: is not base64");
        return false;
    }
    out->size = (size_t) got;
    return true;
}

static const char *last_part (const char *path)
{
    const char *slash = strrchr (path, '/');
    return slash != NULL ? slash + 1 : path;
}

media_t *inbound_media (sim_t *sim, sim_request_t *request, const cJSON *in, const char *number,
                        char *error, size_t size)
{
    const cJSON *unknown =
        cJSON_IsObject (in) ? json_unknown (in, "base64 data file mime_type content_type filename")
                            : NULL;
    const char *base64 = cJSON_GetStringValue (in), *path = json_text (in, "file"),
               *type = json_text (in, "mime_type"), *name = json_text (in, "filename");
    buf_t bytes = {0};
    (void) request;
    if (base64 == NULL)
        base64 =
            json_text (in, "base64") != NULL ? json_text (in, "base64") : json_text (in, "data");
    if (type == NULL)
        type = json_text (in, "content_type");
    if (unknown != NULL) {
        snprintf (error, size, "media.%.64s: there is no such field", unknown->string);
        return NULL;
    }
    if ((base64 == NULL) == (path == NULL)) {
        snprintf (error, size, "media: must be base64, or an object with base64 or file");
        return NULL;
    }
    bool got = base64 != NULL ? base64_read (base64, &bytes, error, size)
                              : file_read (sim, path, &bytes, error, size);
    media_t *media = NULL;
    if (got)
        media =
            media_put (sim, number, type != NULL ? type : media_sniff (buf_bytes (&bytes)),
                       name != NULL || path == NULL ? name : last_part (path), buf_bytes (&bytes));
    buf_free (&bytes);
    return media;
}

media_t *inbound_form_media (sim_t *sim, sim_request_t *request, const char *number)
{
    const form_part_t *part = form_find (&request->form, "media");
    if (part == NULL || part->filename == NULL || part->content.size == 0)
        return NULL;
    const char *type = part->content_type;
    if (type == NULL || strcmp (type, "application/octet-stream") == 0)
        type = media_sniff (buf_bytes (&part->content));
    return media_put (sim, number, type, part->filename, buf_bytes (&part->content));
}

void inbound_finish (sim_t *sim, sim_request_t *request, const sim_wait_t *wait,
                     sim_answer_t *answer)
{
    bool accepted = wait != NULL && wait->accepted;
    cJSON *out = cJSON_CreateObject (), *callback;
    (void) sim;
    (void) request;
    if (!accepted)
        json_add_text (out, "error", "the callback was not accepted");
    json_add_text (out, "id", answer->data);
    callback = json_add_object (out, "callback");
    if (wait != NULL) {
        json_add_number (callback, "id", (double) wait->id);
        json_add (callback, "status",
                  wait->status != 0 ? cJSON_CreateNumber (wait->status) : cJSON_CreateNull ());
        if (wait->error[0] != '\0')
            json_add_text (callback, "error", wait->error);
    }
    answer_json (answer, accepted ? 200 : 502, out);
}
