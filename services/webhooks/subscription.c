/* subscription.c - webhooks of an app: create, read, change, delete. */
#include "base/text.h"
#include "webhooks.h"
#include <string.h>
#include <strings.h>

static const char headers_purpose[] = "webhook headers";

fetch_config_t targets_allowed (const webhooks_settings_t *settings)
{
    return (fetch_config_t){.allow = settings->allow_private,
                            .allow_http = settings->allow_http,
                            .user_agent = "Aviary-Webhooks/1"};
}

/* ---- checks ---- */

static int url_check (turn_t *t, const char *url)
{
    fetch_config_t allowed = targets_allowed (t->settings);
    failure_t failure = {0};
    int code = fetch_check_url (&allowed, url, &failure);
    return code ? fail (t, code, "url", "%s", failure.text) : 0;
}

int events_check (turn_t *t, const dialect_t *d, const schema_list_t *events)
{
    const char *const *names = events->items;
    bool any = ((const webhooks_settings_t *) t->settings)->unknown_events;
    for (size_t i = 0; i < events->count && !any; i++)
        if (!dialect_event_known (d, names[i]))
            return fail (t, E_BAD_REQUEST, arena_printf (t->arena, "events[%zu]", i),
                         "There is no event of this name");
    return 0;
}

/* What we set ourselves and what frames the request. */
static bool is_reserved_header (const char *name)
{
    static const char *const reserved[] = {"Host",
                                           "Content-Length",
                                           "Transfer-Encoding",
                                           "Connection",
                                           "webhook-id",
                                           "webhook-timestamp",
                                           "webhook-signature",
                                           "Expect",
                                           "Upgrade",
                                           "TE",
                                           "Trailer"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcasecmp (name, reserved[i]) == 0)
            return true;
    return false;
}

static int headers_check (turn_t *t, const schema_map_t *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        const schema_pair_t *pair = &headers->pairs[i];
        if (!text_is_token (pair->key) || strlen (pair->key) > 128)
            return fail (t, E_BAD_REQUEST, "headers", "A header's name is not valid");
        if (is_reserved_header (pair->key))
            return fail (t, E_BAD_REQUEST, "headers", "The header %s cannot be set", pair->key);
        if (!text_is_header_value (pair->value) || strlen (pair->value) > 4096)
            return fail (t, E_BAD_REQUEST, "headers", "The value of header %s is not valid",
                         pair->key);
    }
    return 0;
}

/* ---- headers at rest ---- */

static int headers_seal (turn_t *t, id16_t id, const schema_map_t *headers, bytes_t *out)
{
    *out = (bytes_t){0};
    if (headers->count == 0)
        return 0;
    webhooks_webhook_t holder = {.headers = *headers};
    buf_t clear = buf_in (t->arena);
    buf_t sealed = buf_in (t->arena);
    schema_pack (&webhooks_webhook_type, &holder, &clear);
    keyring_seal (t->keyring, id, headers_purpose, buf_bytes (&clear), &sealed);
    if (clear.data)
        sign_wipe (clear.data, clear.size);
    *out = buf_bytes (&sealed);
    return buf_failed (&sealed) ? E_NO_MEMORY : 0;
}

int headers_open (turn_t *t, const webhooks_subscription_t *row, schema_map_t *out)
{
    webhooks_webhook_t holder = {0};
    *out = (schema_map_t){0};
    if (row->headers_sealed.size == 0)
        return 0;
    buf_t clear = buf_in (t->arena);
    int code =
        keyring_open_sealed (t->keyring, row->id, headers_purpose, row->headers_sealed, &clear);
    if (code == 0)
        code = schema_unpack (&webhooks_webhook_type, buf_bytes (&clear), t->arena, &holder, NULL);
    *out = holder.headers;
    return code;
}

int subscription_told (turn_t *t, const webhooks_subscription_t *row, webhooks_webhook_t *out)
{
    *out = (webhooks_webhook_t){.id = row->id,
                                .app = row->app,
                                .test = row->test,
                                .url = row->url,
                                .events = row->events,
                                .created_at = row->created_at,
                                .updated_at = row->updated_at};
    return headers_open (t, row, &out->headers);
}

const dialect_t *subscription_dialect (const webhooks_subscription_t *row)
{
    return dialect_find (row->dialect);
}

bool subscription_wants (const webhooks_subscription_t *row, const dialect_t *d, const char *event)
{
    const char *const *names = row->events.items;
    if (subscription_dialect (row) != d)
        return false;
    for (size_t i = 0; i < row->events.count; i++)
        if (strcmp (names[i], event) == 0)
            return true;
    return false;
}

/* ---- operations ---- */

typedef struct subscription_ref {
    id16_t app;
    bool app_test;
    id16_t id;
    bool id_test;
} subscription_ref_t;

/* Of an `in` that names a webhook. */
#define REF_OF(in) (&(subscription_ref_t){(in)->app, (in)->app_test, (in)->id, (in)->id_test})

/* A webhook of the calling app, or of the app that an admin key names. */
static int subscription_find (turn_t *t, const subscription_ref_t *ref,
                              webhooks_subscription_t *out)
{
    app_asked_t app;
    int code = app_asked (t, ref->app, ref->app_test, &app);
    if (code)
        return code;
    bool other = t->ask->principal == PRINCIPAL_ADMIN_KEY &&
                 ref->id_test != app.test; /* spelled in the other mode */
    code = other
               ? E_NOT_FOUND
               : store_get (t->txn, &webhooks_subscription_record, app.id, ref->id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such webhook") : code;
}

/* Store a new subscription; its secret goes into the answer only. */
static int subscription_make (turn_t *t, webhooks_subscription_t *row, const schema_map_t *headers,
                              webhooks_webhook_t *out)
{
    char secret[64];
    row->id = turn_id (t);
    row->created_at = row->updated_at = t->now;
    row->version = 1;
    sign_webhook_secret (secret);
    int code = secret_seal (t, row->id, secret, &row->secret_sealed);
    if (code == 0)
        code = headers_seal (t, row->id, headers, &row->headers_sealed);
    if (code == 0)
        code = store_insert (t->txn, &webhooks_subscription_record, row, NULL);
    if (code == 0)
        code = subscription_told (t, row, out);
    out->secret = arena_strdup (t->arena, secret);
    sign_wipe (secret, sizeof secret);
    return code;
}

int webhooks_create (turn_t *t, const webhooks_create_in_t *in, webhooks_webhook_t *out)
{
    app_asked_t app;
    int code = app_asked (t, in->app, in->app_test, &app);
    if (code == 0)
        code = url_check (t, in->url);
    if (code == 0)
        code = events_check (t, dialect_find (NULL), &in->events);
    if (code == 0)
        code = headers_check (t, &in->headers);
    webhooks_subscription_t row = {
        .org = t->ask->org, .app = app.id, .test = app.test, .url = in->url, .events = in->events};
    return code ? code : subscription_make (t, &row, &in->headers, out);
}

int webhooks_temporary_create (turn_t *t, const webhooks_temporary_create_in_t *in,
                               webhooks_webhook_t *out)
{
    int code = url_check (t, in->url);
    if (code == 0)
        code = events_check (t, dialect_find (NULL), &in->events);
    webhooks_subscription_t row = {
        .org = in->org, .app = in->app, .test = in->test, .url = in->url, .events = in->events};
    return code ? code : subscription_make (t, &row, &(schema_map_t){0}, out);
}

int webhooks_get (turn_t *t, const webhooks_get_in_t *in, webhooks_webhook_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_find (t, REF_OF (in), &row);
    return code ? code : subscription_told (t, &row, out);
}

typedef struct webhook_page {
    turn_t *t;
    webhooks_webhook_t *items;
    size_t count;
} webhook_page_t;

static int webhook_page_add (void *context, const void *row)
{
    webhook_page_t *page = context;
    return subscription_told (page->t, row, &page->items[page->count++]);
}

int webhooks_list (turn_t *t, const webhooks_list_in_t *in, webhooks_list_out_t *out)
{
    app_asked_t app;
    int code = app_asked (t, in->app, in->app_test, &app);
    if (code)
        return code;
    store_key_t key = {.id = app.id};
    size_t limit = in->limit ? (size_t) in->limit : 20;
    webhook_page_t list = {t, arena_array_of (t->arena, webhooks_webhook_t, limit), 0};
    store_page_t page = {.index = "by_app",
                         .keys = &key,
                         .key_count = 1,
                         .newest_first = true,
                         .limit = limit,
                         .offset = (size_t) in->offset};
    bool more = false;
    uint64_t total = 0;
    code = store_list (t->txn, &webhooks_subscription_record, &page, t->arena, webhook_page_add,
                       &list, &more);
    if (code == 0)
        code = store_count (t->txn, &webhooks_subscription_record, "by_app", &key, 1, &total);
    out->webhooks = (schema_list_t){list.items, list.count};
    out->total = (int64_t) total;
    return code;
}

static int update_apply (turn_t *t, const webhooks_update_in_t *in, webhooks_subscription_t *row)
{
    int code = 0;
    if (in->url) {
        code = url_check (t, in->url);
        row->url = in->url;
    }
    if (code == 0 && in->events.count) {
        code = events_check (t, dialect_find (NULL), &in->events);
        row->events = in->events;
    }
    if (code == 0 && (in->has & WEBHOOKS_UPDATE_IN_HAS_HEADERS)) {
        code = headers_check (t, &in->headers);
        if (code == 0)
            code = headers_seal (t, row->id, &in->headers, &row->headers_sealed);
    }
    return code;
}

int webhooks_update (turn_t *t, const webhooks_update_in_t *in, webhooks_webhook_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_find (t, REF_OF (in), &row);
    if (code == 0)
        code = update_apply (t, in, &row);
    if (code)
        return code;
    row.updated_at = t->now;
    row.version += 1;
    code = store_put (t->txn, &webhooks_subscription_record, &row, NULL);
    return code ? code : subscription_told (t, &row, out);
}

static int subscription_remove (turn_t *t, const webhooks_subscription_t *row)
{
    int code = store_del (t->txn, &webhooks_subscription_record, row->id);
    return code ? code : subscription_end (t, row, WEBHOOKS_DELIVERY_STATUS_DROPPED);
}

int webhooks_delete (turn_t *t, const webhooks_delete_in_t *in, webhooks_delete_out_t *out)
{
    (void) out;
    webhooks_subscription_t row = {0};
    int code = subscription_find (t, REF_OF (in), &row);
    return code ? code : subscription_remove (t, &row);
}

int webhooks_temporary_delete (turn_t *t, const webhooks_temporary_delete_in_t *in,
                               webhooks_temporary_delete_out_t *out)
{
    (void) out;
    webhooks_subscription_t row = {0};
    int code = store_get_any (t->txn, &webhooks_subscription_record, in->id, t->arena, &row);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such webhook")
           : code              ? code
                               : subscription_remove (t, &row);
}
