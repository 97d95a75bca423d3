/* asked.c - reads one request: which API it is for, its token, its body as JSON whatever the encoding. How it fails: a status. */
#include "exchange.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BODY_MAX = 4 * 1024 * 1024, UPLOAD_MAX = 160 * 1024 * 1024, TO_MAX = 64 };

/* ---- where to ---- */

static bool path_begins (const char *path, const char *prefix)
{
    size_t length = strlen (prefix);
    return strncmp (path, prefix, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* "/v23.0": bytes; 0 if the path does not begin with a version. */
static size_t version_length (const char *path)
{
    if (strncmp (path, "/v", 2) != 0)
        return 0;
    size_t major = strspn (path + 2, "0123456789");
    size_t minor = path[2 + major] == '.' ? strspn (path + 3 + major, "0123456789") : 0;
    size_t length = 3 + major + minor;
    return major > 0 && minor > 0 && path[length] == '/' ? length : 0;
}

static void path_split (sim_request_t *self)
{
    size_t skip = 0;
    self->version = "";
    if (path_begins (self->path, "/_sim")) {
        self->provider = PROVIDER_CONTROL;
        skip = strlen ("/_sim");
    } else if (path_begins (self->path, "/v2") || path_begins (self->path, "/telnyx-media")) {
        self->provider = PROVIDER_TELNYX;
        skip = path_begins (self->path, "/v2") ? strlen ("/v2") : 0;
    } else {
        self->provider = PROVIDER_META;
        skip = version_length (self->path);
        if (skip > 0)
            self->version = arena_strndup (self->arena, self->path + 1, skip - 1);
    }
    self->rest = self->path[skip] != '\0' ? self->path + skip : "/";
}

bool route_match (arena_t *arena, const char *pattern, const char *path, const char *params[4])
{
    size_t count = 0;
    memset (params, 0, 4 * sizeof *params);
    for (;;) {
        size_t want = strcspn (pattern + 1, "/"), have = strcspn (path + 1, "/");
        if (want == 2 && strncmp (pattern + 1, "{}", 2) == 0) {
            if (have == 0 || count == 4)
                return false;
            params[count++] = arena_strndup (arena, path + 1, have);
        } else if (want != have || strncmp (pattern + 1, path + 1, want) != 0) {
            return false;
        }
        pattern += 1 + want;
        path += 1 + have;
        if (*pattern == '\0' || *path == '\0')
            return *pattern == '\0' && (*path == '\0' || strcmp (path, "/") == 0);
    }
}

/* ---- fields ---- */

static const char *pair_find (arena_t *arena, const char *pairs, const char *name)
{
    bool malformed = false;
    const char *one, *value;
    while (web_pair_next (arena, &pairs, &one, &value, &malformed))
        if (strcmp (one, name) == 0)
            return value;
    return NULL;
}

const char *request_query (const sim_request_t *self, const char *name)
{
    return pair_find (self->arena, self->query, name);
}

const char *request_field (const sim_request_t *self, const char *name)
{
    const char *value = request_query (self, name);
    return value != NULL ? value : json_text (self->json, name);
}

static void token_read (sim_request_t *self)
{
    const char *header = web_header (self->web, "Authorization");
    self->token = request_field (self, "access_token");
    if (header == NULL)
        return;
    size_t scheme = strcspn (header, " ");
    if ((scheme == 6 && strncasecmp (header, "Bearer", 6) == 0) ||
        (scheme == 5 && strncasecmp (header, "OAuth", 5) == 0))
        self->token = header + scheme + strspn (header + scheme, " ");
    if (self->token != NULL && *self->token == '\0')
        self->token = NULL;
}

/* ---- the body ---- */

static bool type_is (const sim_request_t *self, const char *type)
{
    return strncasecmp (self->content_type, type, strlen (type)) == 0;
}

static cJSON *form_fields (sim_request_t *self)
{
    cJSON *out = cJSON_CreateObject ();
    for (size_t i = 0; i < self->form.count; i++) {
        form_part_t *part = &self->form.parts[i];
        if (part->filename == NULL)
            json_set_text (out, part->name, buf_text (&part->content));
    }
    return out;
}

static cJSON *pairs_fields (const sim_request_t *self)
{
    bool malformed = false;
    const char *at = (const char *) self->body.data, *name, *value;
    cJSON *out = cJSON_CreateObject ();
    while (web_pair_next (self->arena, &at, &name, &value, &malformed))
        json_set_text (out, name, value);
    return out;
}

static void body_parse (sim_request_t *self)
{
    if (self->body.size == 0)
        return;
    if (type_is (self, "application/x-www-form-urlencoded") &&
        (self->provider == PROVIDER_META || *self->body.data != '{')) {
        self->json = pairs_fields (self);
    } else if (type_is (self, "application/json") || self->provider == PROVIDER_CONTROL ||
               *self->content_type == '\0') {
        self->json = json_parse (self->body);
        self->body_is_json = true;
    }
}

static size_t body_limit (const sim_request_t *self)
{
    size_t length = strlen (self->rest);
    bool is_upload = (length > 6 && strcmp (self->rest + length - 6, "/media") == 0) ||
                     strncmp (self->rest, "/upload:", 8) == 0 || self->provider == PROVIDER_CONTROL;
    return is_upload ? UPLOAD_MAX : BODY_MAX;
}

static int body_read (sim_request_t *self)
{
    int status;
    if (form_is_multipart (self->content_type)) {
        status = form_read (self->web, self->content_type, body_limit (self), &self->form);
        self->json = status == 0 ? form_fields (self) : NULL;
        return status;
    }
    status = web_body (self->web, body_limit (self), &self->body);
    if (status == 0)
        body_parse (self);
    return status;
}

/* Only what a host and port can be made of: it goes into URLs. */
static const char *base_of (const sim_t *sim, const sim_request_t *self)
{
    const char *host = web_header (self->web, "Host");
    if (sim->settings.public_url != NULL)
        return arena_strdup (self->arena, sim->settings.public_url);
    if (host == NULL || *host == '\0' || strlen (host) > 255)
        return arena_strdup (self->arena, sim->base_url);
    for (const char *at = host; *at != '\0'; at++)
        if (!isalnum ((unsigned char) *at) && strchr (".-:[]", *at) == NULL)
            return arena_strdup (self->arena, sim->base_url);
    return arena_printf (self->arena, "http://%s", host);
}

int asked_read (sim_t *sim, sim_request_t *self, web_request_t *web)
{
    self->web = web;
    self->arena = web_arena (web);
    self->method = web_method (web);
    self->path = web_path (web);
    self->query = web_query (web);
    if (self->path == NULL || self->path[0] != '/')
        return 400;
    const char *type = web_header (web, "Content-Type");
    self->content_type = type != NULL ? type : "";
    path_split (self);
    int status = body_read (self);
    if (status != 0)
        return status;
    pthread_mutex_lock (&sim->lock);
    self->base_url = base_of (sim, self);
    pthread_mutex_unlock (&sim->lock);
    token_read (self);
    return 0;
}

void asked_free (sim_request_t *self)
{
    cJSON_Delete (self->json);
    self->json = NULL;
    form_free (&self->form);
}

/* ---- recipients ---- */

static void recipient_add (sim_request_t *self, const char *number)
{
    if (number == NULL || self->to_count == TO_MAX)
        return;
    size_t size = strlen (number) + 1;
    char *digits = arena_alloc (self->arena, size);
    digits_of (number, digits, size);
    self->to[self->to_count++] = digits;
}

static bool path_is_send (const sim_request_t *self)
{
    if (strcmp (self->method, "POST") != 0)
        return false;
    if (self->provider == PROVIDER_TELNYX)
        return path_begins (self->rest, "/messages");
    size_t length = strlen (self->rest);
    return (length > 9 && strcmp (self->rest + length - 9, "/messages") == 0) ||
           (length > 19 && strcmp (self->rest + length - 19, "/marketing_messages") == 0);
}

void request_recipients (sim_request_t *self)
{
    const cJSON *to = json_get (self->json, "to"), *one;
    if (!path_is_send (self))
        return;
    self->to = arena_array_of (self->arena, char *, TO_MAX);
    if (cJSON_IsArray (to)) {
        cJSON_ArrayForEach (one, to)
        {
            recipient_add (self, cJSON_GetStringValue (one));
        }
    } else {
        recipient_add (self, to != NULL ? cJSON_GetStringValue (to)
                                        : json_text (self->json, "recipient"));
    }
}
