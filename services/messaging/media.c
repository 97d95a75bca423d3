/* media.c - files of apps: adopted when the edge has stored them, looked up, linked to, deleted.
 *
 * A row names its blob by its own id. The edge writes blobs and serves them; here is who may have them. A file that is deleted or past its time is gone for all who
 * ask from that turn on; its blob goes soon after (media_keep.c). */
#include "media.h"

#include "sign/url.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHA256_TEXT = 2 * BLOB_SHA256_SIZE };

/* ---- the folder ---- */

int messaging_start (svc_t *svc, void **context, failure_t *failure)
{
    char folder[1024];
    messaging_context_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory");
    *context = self;
    snprintf (folder, sizeof folder, "%s/media", svc_data (svc));
    keyring_derive (svc_keyring (svc), "media-url", self->media_key);
    int code = blobs_open (folder, svc_disk_low (svc), &self->media, failure);
    if (code)
        messaging_stop (context);
    return code;
}

void messaging_stop (void **context)
{
    messaging_context_t *self = context ? *context : NULL;
    if (!self)
        return;
    blobs_close (&self->media);
    sign_wipe (self->media_key, sizeof self->media_key);
    free (self);
    *context = NULL;
}

blobs_t *media_blobs (turn_t *t)
{
    return ((messaging_context_t *) t->context)->media;
}

/* ---- kinds ---- */

static const struct {
    int32_t kind;
    blob_kind_t blob;
} kinds[] = {
    {MESSAGING_KIND_IMAGE, BLOB_KIND_IMAGE},     {MESSAGING_KIND_VIDEO, BLOB_KIND_VIDEO},
    {MESSAGING_KIND_AUDIO, BLOB_KIND_AUDIO},     {MESSAGING_KIND_DOCUMENT, BLOB_KIND_DOCUMENT},
    {MESSAGING_KIND_STICKER, BLOB_KIND_STICKER},
};

blob_kind_t media_blob_kind (int32_t kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return kinds[i].blob;
    return BLOB_KIND_COUNT;
}

int32_t media_kind_of (const blob_seen_t *seen)
{
    blob_kind_t blob = blob_kind_of (seen);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].blob == blob)
            return kinds[i].kind;
    return MESSAGING_KIND_DOCUMENT;
}

/* ---- rows ---- */

bool media_is_live (const turn_t *t, const messaging_media_t *media)
{
    return !media->deleted && media->expires_at > t->now;
}

int media_load (turn_t *t, id16_t id, messaging_media_t *out)
{
    int code = store_get_any (t->txn, &messaging_media_record, id, t->arena, out);
    return code ? code : media_is_live (t, out) ? 0 : E_NOT_FOUND;
}

typedef struct holder_search {
    id16_t app;
    bool found;
} holder_search_t;

static int holder_look (void *context, const void *row)
{
    holder_search_t *search = context;
    const messaging_route_t *route = row;
    search->found = !route->deleted && id_equal (route->app, search->app);
    return search->found;
}

/* Inbound files are for every app that holds the number they came to. */
static bool number_is_held (turn_t *t, id16_t number, id16_t app)
{
    store_key_t key = {.id = number};
    holder_search_t search = {.app = app};
    store_page_t page = {.index = "by_number", .keys = &key, .key_count = 1, .limit = 1000};
    bool more = false;
    store_list (t->txn, &messaging_route_record, &page, t->arena, holder_look, &search, &more);
    return search.found;
}

/* `app` nil: for the organization itself, which may use all its files. */
static int media_of_app (turn_t *t, id16_t app, id16_t id, messaging_media_t *out)
{
    int code = store_get (t->txn, &messaging_media_record, t->ask->org, id, t->arena, out);
    if (code)
        return code;
    bool its = id_is_nil (app)        ? t->ask->principal == PRINCIPAL_ORG_KEY
               : id_is_nil (out->app) ? number_is_held (t, out->number, app)
                                      : id_equal (out->app, app);
    return its && media_is_live (t, out) ? 0 : E_NOT_FOUND;
}

/* ---- links ---- */

const char *media_url (turn_t *t, const messaging_media_t *media)
{
    const messaging_context_t *context = t->context;
    const messaging_settings_t *settings = t->settings;
    char org[ID_UUID_LENGTH + 1], holder[ID_UUID_LENGTH + 1], id[ID_UUID_LENGTH + 1];
    id_write_uuid (media->org, org);
    id_write_uuid (id_is_nil (media->app) ? media->number : media->app, holder);
    id_write_uuid (media->id, id);
    blob_type_t type = blob_type_read (media->mime_type ? media->mime_type : "");
    const char *path =
        arena_printf (t->arena, "/media/%s/%s/%s.%s", org, holder, id, blob_type_extension (type));
    const char *base = settings->public_url ? settings->public_url : "";
    size_t length = strlen (base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    buf_t url = buf_in (t->arena);
    buf_add (&url, base, length);
    sign_url (context->media_key, path, t->now / 1000 + SIGN_URL_SECONDS, &url);
    return buf_failed (&url) ? NULL : buf_text (&url);
}

const char *media_link (turn_t *t, id16_t id)
{
    messaging_media_t media = {0};
    return media_load (t, id, &media) ? NULL : media_url (t, &media);
}

/* ---- operations ---- */

static void media_told (const messaging_media_t *media, messaging_media_info_t *out)
{
    *out = (messaging_media_info_t){.id = media->id,
                                    .test = media->test,
                                    .kind = media->kind,
                                    .mime_type = media->mime_type,
                                    .size = media->size,
                                    .sha256 = media->sha256,
                                    .filename = media->filename,
                                    .created_at = media->created_at,
                                    .expires_at = media->expires_at};
}

static bool is_sound (const messaging_media_adopt_in_t *in)
{
    return id_is_v7 (in->id) && media_blob_kind (in->kind) != BLOB_KIND_COUNT && in->size > 0 &&
           in->mime_type && *in->mime_type && in->sha256 && strlen (in->sha256) == SHA256_TEXT;
}

int messaging_media_adopt (turn_t *t, const messaging_media_adopt_in_t *in,
                           messaging_media_adopt_out_t *out)
{
    messaging_media_t media = {0};
    if (!is_sound (in))
        return fail (t, E_BAD_REQUEST, "file", "The file is not told in full");
    int code = store_get_any (t->txn, &messaging_media_record, in->id, t->arena, &media);
    if (code != E_NOT_FOUND)
        return code ? code : fail (t, E_ALREADY_EXISTS, "file", "The file was stored before");
    media = (messaging_media_t){.id = in->id,
                                .org = t->ask->org,
                                .app = t->ask->app,
                                .test = t->ask->test,
                                .kind = in->kind,
                                .mime_type = in->mime_type,
                                .size = in->size,
                                .sha256 = in->sha256,
                                .filename = in->filename,
                                .animated = in->animated,
                                .created_at = t->now,
                                .expires_at = media_expiry (t, t->ask->org)};
    code = store_put (t->txn, &messaging_media_record, &media, NULL);
    if (code)
        return code;
    turn_count (t, MESSAGING_COUNTER_MEDIA_UPLOADED_TOTAL, 1);
    media_told (&media, out);
    return 0;
}

int messaging_media_get (turn_t *t, const messaging_media_get_in_t *in,
                         messaging_media_get_out_t *out)
{
    messaging_media_t media = {0};
    int code = media_of_app (t, t->ask->app, in->id, &media);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "There is no such file") : code;
    media_told (&media, out);
    out->url = media_url (t, &media);
    return out->url ? 0 : E_NO_MEMORY;
}

int messaging_media_delete (turn_t *t, const messaging_media_delete_in_t *in,
                            messaging_media_delete_out_t *out)
{
    (void) out;
    messaging_media_t media = {0};
    int code = media_of_app (t, t->ask->app, in->id, &media);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "There is no such file") : code;
    media.deleted = true;
    media.expires_at = t->now;
    return store_put (t->txn, &messaging_media_record, &media, NULL);
}

int messaging_media_open (turn_t *t, const messaging_media_open_in_t *in,
                          messaging_media_open_out_t *out)
{
    messaging_media_t media = {0};
    int code = store_get (t->txn, &messaging_media_record, in->org, in->id, t->arena, &media);
    id16_t holder = id_is_nil (media.app) ? media.number : media.app;
    if (code == 0 && (!id_equal (holder, in->holder) || !media_is_live (t, &media)))
        code = E_NOT_FOUND;
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "", "There is no such file") : code;
    *out = (messaging_media_open_out_t){
        .mime_type = media.mime_type, .filename = media.filename, .size = media.size};
    return 0;
}

/* ---- for sends ---- */

int media_find (turn_t *t, id16_t app, id16_t id, int32_t kind, messaging_media_content_t *out)
{
    static const char field[] = "media.mediaId";
    messaging_media_t media = {0};
    blob_kind_t wanted = media_blob_kind (kind);
    int code = media_of_app (t, app, id, &media);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, field, "There is no such file") : code;
    if (media.kind != kind || wanted == BLOB_KIND_COUNT)
        return fail (t, E_BAD_REQUEST, field, "The file is of type %s and cannot be sent as %s",
                     schema_enum_word (&messaging_kind_enum, media.kind),
                     schema_enum_word (&messaging_kind_enum, kind));
    if ((uint64_t) media.size > blob_kind_limit (wanted))
        return fail (t, E_MEDIA_TOO_LARGE, field, "%s has at most %llu bytes, this has %lld",
                     blob_kind_name (wanted), (unsigned long long) blob_kind_limit (wanted),
                     (long long) media.size);
    out->media = media.id;
    out->mime_type = media.mime_type;
    if (!out->filename)
        out->filename = media.filename;
    out->size = media.size;
    out->sha256 = media.sha256;
    out->animated = media.animated;
    out->test = media.test;
    out->url = media_url (t, &media);
    return 0;
}
