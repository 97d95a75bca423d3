/* media_upload.c - a file of ours handed to a carrier, once for each number, and its id there kept until the carrier forgets it.
 *
 * While one send hands it over the others that need it wait for that. An upload is harmless to repeat: what got lost is tried again. */
#include "media.h"

#include <string.h>

enum {
    UPLOADS_MAX = 32,
    WAIT_MS = 500, /* for another's upload */
    ON_ITS_WAY_MS =
        6 * 60 * 1000 /* over a carrier's time for an upload: it is not coming any more */
};
/* Meta keeps a file for 30 days. */
static const int64_t kept_ms = INT64_C (29) * 24 * 60 * 60 * 1000;

static const char *text_of (const char *text)
{
    return text ? text : "";
}

static bool is_for (const messaging_media_upload_t *upload, id16_t account, const char *ref)
{
    return id_equal (upload->account, account) &&
           strcmp (text_of (upload->ref), text_of (ref)) == 0;
}

/* What is known of the file at this account and number, and not over; NULL = nothing. */
static const messaging_media_upload_t *upload_find (const turn_t *t, const messaging_media_t *media,
                                                    id16_t account, const char *ref)
{
    const messaging_media_upload_t *uploads = media->uploads.items;
    for (size_t i = 0; i < media->uploads.count; i++)
        if (is_for (&uploads[i], account, ref) && uploads[i].expires_at > t->now)
            return &uploads[i];
    return NULL;
}

/* Replace what is known; `news` NULL = nothing is. What is over goes, the oldest beyond the most too. */
static int upload_note (turn_t *t, messaging_media_t *media, id16_t account, const char *ref,
                        const messaging_media_upload_t *news)
{
    const messaging_media_upload_t *old = media->uploads.items;
    messaging_media_upload_t *kept =
        arena_array_of (t->arena, messaging_media_upload_t, media->uploads.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < media->uploads.count; i++)
        if (old[i].expires_at > t->now && !is_for (&old[i], account, ref))
            kept[count++] = old[i];
    if (news)
        kept[count++] = *news;
    size_t over = count > UPLOADS_MAX ? count - UPLOADS_MAX : 0;
    media->uploads = (schema_list_t){kept + over, count - over};
    return store_put (t->txn, &messaging_media_record, media, NULL);
}

int media_upload_needed (turn_t *t, id16_t account, const char *number_ref, id16_t id, bool *needed,
                         const char **provider_id)
{
    messaging_media_t media = {0};
    int code = media_load (t, id, &media);
    if (code)
        return code;
    const messaging_media_upload_t *upload = upload_find (t, &media, account, number_ref);
    *provider_id = upload ? upload->provider_id : NULL;
    *needed = *provider_id == NULL;
    return 0;
}

int media_upload_begin (turn_t *t, const provider_t *provider, const provider_account_t *account,
                        const char *number_ref, id16_t id, outbound_t *out)
{
    char path[1200];
    messaging_media_t media = {0};
    int code = media_load (t, id, &media);
    if (code)
        return code;
    if (upload_find (t, &media, account->id, number_ref)) {
        *out = (outbound_t){.how = OUT_WAIT, .wait_ms = WAIT_MS};
        return 0;
    }
    code = provider->media_upload ? blob_path (media_blobs (t), id, path, sizeof path, &t->failure)
                                  : E_NOT_FOUND;
    if (code)
        return code;
    messaging_media_upload_t upload = {
        .account = account->id, .ref = number_ref, .expires_at = t->now + ON_ITS_WAY_MS};
    code = upload_note (t, &media, account->id, number_ref, &upload);
    return code ? code
                : provider->media_upload (t, account, number_ref, arena_strdup (t->arena, path),
                                          (uint64_t) media.size, media.mime_type, media.filename,
                                          out);
}

/* Another's upload was waited for. */
static int waited (turn_t *t, const messaging_media_t *media, id16_t account, const char *ref,
                   provider_result_t *result)
{
    const messaging_media_upload_t *upload = upload_find (t, media, account, ref);
    *result = (provider_result_t){.word = upload && upload->provider_id ? PROVIDER_ACCEPTED
                                                                        : PROVIDER_RETRY,
                                  .retry_after_ms = WAIT_MS};
    return 0;
}

int media_upload_done (turn_t *t, const provider_t *provider, id16_t account,
                       const char *number_ref, id16_t id, const outcome_t *outcome,
                       provider_result_t *result)
{
    messaging_media_t media = {0};
    *result = (provider_result_t){0};
    int code = store_get_any (t->txn, &messaging_media_record, id, t->arena, &media);
    if (code)
        return code;
    if (outcome->stage == FETCH_ANSWERED && outcome->status == 0)
        return waited (t, &media, account, number_ref, result);
    const char *provider_id = provider->media_uploaded (t, outcome, result);
    if (!provider_id) {
        if (result->word != PROVIDER_REFUSED)
            result->word = PROVIDER_RETRY;
        return upload_note (t, &media, account, number_ref, NULL);
    }
    messaging_media_upload_t upload = {.account = account,
                                       .ref = number_ref,
                                       .provider_id = provider_id,
                                       .expires_at = t->now + kept_ms};
    result->word = PROVIDER_ACCEPTED;
    return upload_note (t, &media, account, number_ref, &upload);
}
