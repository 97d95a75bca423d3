/* requests.c - the log of what clients of the provider APIs asked, bounded in number and bytes. How it fails: the oldest are forgotten. */
#include "sim.h"

#include "base/clock.h"
#include "base/text.h"
#include "sign/sign.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { REQUESTS_BYTES_MAX = 128 * 1024 * 1024, BODY_SHOWN_MAX = 256 * 1024 };

typedef struct entry {
    provider_t provider;
    char *path;
    char *to;    /* " 1415 1416 " */
    char *start; /* JSON without the closing brace, up to answered_status */
    size_t size;
    int answered_status; /* 0 = no answer */
    int64_t at_ms;
} entry_t;

void requests_free_entry (void *value)
{
    entry_t *self = value;
    free (self->path);
    free (self->to);
    free (self->start);
    free (self);
}

void digits_of (const char *number, char *out, size_t size)
{
    size_t length = 0;
    bool is_number = number[strspn (number, "+0123456789()-. ")] == '\0' && *number != '\0';
    for (; *number != '\0' && length + 1 < size; number++)
        if (!is_number || (*number >= '0' && *number <= '9'))
            out[length++] = *number;
    out[length] = '\0';
}

/* A file of a form is told by its digest. */
static cJSON *part_show (const char *filename, const char *content_type, bytes_t content)
{
    uint8_t digest[SIGN_SHA256_SIZE];
    char hex[2 * SIGN_SHA256_SIZE + 1];
    cJSON *out = cJSON_CreateObject ();
    sign_sha256 (content, digest);
    text_write_hex (digest, sizeof digest, hex);
    json_add_text (out, "filename", filename);
    json_add_text (out, "content_type", content_type);
    json_add_number (out, "size", (double) content.size);
    json_add_text (out, "sha256", hex);
    return out;
}

static cJSON *body_show (const sim_request_t *request)
{
    if (request->json != NULL) {
        cJSON *out = cJSON_Duplicate (request->json, true);
        for (size_t i = 0; i < request->form.count; i++) {
            const form_part_t *part = &request->form.parts[i];
            if (part->filename != NULL)
                json_set (
                    out, part->name,
                    part_show (part->filename, part->content_type, buf_bytes (&part->content)));
        }
        return out;
    }
    if (request->body.size == 0)
        return cJSON_CreateNull ();
    const char *text = (const char *) request->body.data;
    if (request->body.size <= BODY_SHOWN_MAX && text_is_utf8 (text, request->body.size))
        return cJSON_CreateString (text);
    return part_show (NULL, request->content_type, request->body);
}

static cJSON *headers_show (const sim_request_t *request)
{
    cJSON *out = cJSON_CreateObject ();
    const char *name, *value;
    for (size_t i = 0; request->web != NULL && web_header_at (request->web, i, &name, &value);
         i++) {
        char lower[96];
        size_t length = strlen (name) < sizeof lower - 1 ? strlen (name) : sizeof lower - 1;
        for (size_t at = 0; at < length; at++)
            lower[at] = (char) (name[at] >= 'A' && name[at] <= 'Z' ? name[at] + 32 : name[at]);
        lower[length] = '\0';
        json_set_text (out, lower, value);
    }
    return out;
}

static char *entry_start (const sim_request_t *request, int64_t id)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_number (out, "id", (double) id);
    json_add_text (out, "provider", provider_name (request->provider));
    json_add_text (out, "method", request->method);
    json_add_text (out, "path", request->path);
    json_add_text (out, "query", request->query);
    json_add (out, "headers", headers_show (request));
    json_add (out, "body", body_show (request));
    char *text = json_print (out);
    text[strlen (text) - 1] = '\0';
    cJSON_Delete (out);
    return text;
}

static char *to_join (const sim_request_t *request)
{
    buf_t out = {0};
    buf_add_byte (&out, ' ');
    for (size_t i = 0; i < request->to_count; i++)
        buf_printf (&out, "%s ", request->to[i]);
    char *text = must_strdup (buf_text (&out));
    buf_free (&out);
    return text;
}

static void oldest_drop (sim_t *self)
{
    table_entry_t *at = NULL;
    const entry_t *oldest = table_next (self->requests, &at);
    self->requests_bytes -= oldest->size;
    table_drop (self->requests, table_key (at));
}

int64_t requests_add (sim_t *self, const sim_request_t *request, int answered_status)
{
    char key[24];
    entry_t *entry = must_alloc (sizeof *entry);
    int64_t id = ++self->request_last;
    entry->provider = request->provider;
    entry->path = must_strdup (request->path);
    entry->to = to_join (request);
    entry->start = entry_start (request, id);
    entry->size = strlen (entry->start) + strlen (entry->path) + sizeof *entry;
    entry->answered_status = answered_status;
    entry->at_ms = sim_now_ms (self);
    while (table_size (self->requests) > 0 &&
           (self->requests_bytes + entry->size > REQUESTS_BYTES_MAX ||
            table_size (self->requests) >= 39999))
        oldest_drop (self);
    self->requests_bytes += entry->size;
    snprintf (key, sizeof key, "%" PRId64, id);
    table_put (self->requests, key, entry);
    return id;
}

void requests_answered (sim_t *self, int64_t id, int status)
{
    char key[24];
    snprintf (key, sizeof key, "%" PRId64, id);
    entry_t *entry = table_get (self->requests, key);
    if (entry != NULL)
        entry->answered_status = status;
}

static bool entry_fits (const entry_t *self, provider_t provider, const char *to, const char *path)
{
    char word[64];
    if (provider != PROVIDER_NONE && self->provider != provider)
        return false;
    if (path != NULL && strstr (self->path, path) == NULL)
        return false;
    if (to == NULL)
        return true;
    char digits[40];
    digits_of (to, digits, sizeof digits);
    snprintf (word, sizeof word, " %s ", digits);
    return strstr (self->to, word) != NULL;
}

/* Raw pieces: the bodies are long and are text already. */
cJSON *requests_list (sim_t *self, const char *provider, const char *to, const char *path)
{
    buf_t out = {0};
    table_entry_t *at = NULL;
    const entry_t *entry;
    provider_t wanted = provider_read (provider);
    buf_add_byte (&out, '[');
    while ((entry = table_next (self->requests, &at)) != NULL) {
        char status[16], iso[CLOCK_ISO_SIZE];
        if (!entry_fits (entry, wanted, to, path))
            continue;
        snprintf (status, sizeof status, "%d", entry->answered_status);
        clock_write_iso (entry->at_ms, iso);
        buf_printf (&out, "%s%s,\"answered_status\":%s,\"at\":\"%s\"}", out.size > 1 ? "," : "",
                    entry->start, entry->answered_status != 0 ? status : "null", iso);
    }
    buf_add_byte (&out, ']');
    cJSON *raw = cJSON_CreateRaw (buf_text (&out));
    buf_free (&out);
    return raw;
}
