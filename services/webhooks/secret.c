/* secret.c - signing secrets: made here, sealed at rest, rotated with overlap. */
#include "webhooks.h"
#include <string.h>

static const char seal_purpose[] = "webhook secret";

int secret_seal (turn_t *t, id16_t subscription, const char *secret, bytes_t *out)
{
    buf_t sealed = buf_in (t->arena);
    keyring_seal (t->keyring, subscription, seal_purpose, bytes_of_str (secret), &sealed);
    *out = buf_bytes (&sealed);
    return buf_failed (&sealed) ? E_NO_MEMORY : 0;
}

int secret_open (turn_t *t, id16_t subscription, bytes_t sealed, const char **out)
{
    *out = NULL;
    if (sealed.size == 0)
        return 0;
    buf_t clear = buf_in (t->arena);
    int code = keyring_open_sealed (t->keyring, subscription, seal_purpose, sealed, &clear);
    *out = buf_text (&clear);
    return code;
}

/* ---- which ones sign ---- */

bool secret_is_live (const webhooks_subscription_t *row, size_t index, int64_t now)
{
    const webhooks_secret_t *secrets = row->secrets.items;
    size_t last = 0;
    for (size_t i = 0; i < row->secrets.count; i++) {
        if (!secrets[i].expires_at || secrets[i].expires_at > now)
            return !secrets[index].expires_at || secrets[index].expires_at > now;
        last = secrets[i].expires_at >= secrets[last].expires_at ? i : last;
    }
    return index == last;
}

static int secret_list_open (turn_t *t, const webhooks_subscription_t *row, schema_list_t *out)
{
    const webhooks_secret_t *secrets = row->secrets.items;
    const char **texts = out->items;
    int code = 0;
    for (size_t i = 0; i < row->secrets.count && code == 0; i++)
        if (secret_is_live (row, i, t->now))
            code = secret_open (t, row->id, secrets[i].sealed, &texts[out->count++]);
    return code;
}

int secrets_open (turn_t *t, const webhooks_subscription_t *row, schema_list_t *out)
{
    const char **texts = arena_array_of (t->arena, const char *, row->secrets.count + 2);
    *out = (schema_list_t){texts, 0};
    if (row->secrets.count)
        return secret_list_open (t, row, out);
    int code = secret_open (t, row->id, row->secret_sealed, &texts[0]);
    out->count = texts[0] ? 1 : 0;
    if (code == 0 && row->old_secret_until > t->now)
        code = secret_open (t, row->id, row->old_secret_sealed, &texts[out->count]);
    out->count += texts[out->count] ? 1 : 0;
    return code;
}

int secret_append (turn_t *t, webhooks_subscription_t *row, int64_t expires_at,
                   webhooks_secret_t *out, const char **text)
{
    char secret[64];
    const dialect_t *d = subscription_dialect (row);
    webhooks_secret_t *all = arena_array_of (t->arena, webhooks_secret_t, row->secrets.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < row->secrets.count; i++) /* those that are over go */
        if (secret_is_live (row, i, t->now))
            all[count++] = ((const webhooks_secret_t *) row->secrets.items)[i];
    *out = (webhooks_secret_t){.id = turn_id (t), .created_at = t->now, .expires_at = expires_at};
    d->delivery->secret_make (secret);
    int code = secret_seal (t, row->id, secret, &out->sealed);
    *text = arena_strdup (t->arena, secret);
    sign_wipe (secret, sizeof secret);
    all[count++] = *out;
    row->secrets = (schema_list_t){all, count};
    return code;
}

/* ---- for operators ---- */

static int subscription_of_cli (turn_t *t, id16_t id, webhooks_subscription_t *out)
{
    int code = store_get_any (t->txn, &webhooks_subscription_record, id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such webhook") : code;
}

/* Of several: the newest, and one beside it. */
static int show_list (turn_t *t, const webhooks_subscription_t *row,
                      webhooks_secret_show_out_t *out)
{
    schema_list_t live;
    const webhooks_secret_t *secrets = row->secrets.items;
    int code = secrets_open (t, row, &live);
    const char *const *texts = live.items;
    if (code || live.count == 0)
        return code;
    out->secret = texts[live.count - 1];
    out->old_secret = live.count > 1 ? texts[live.count - 2] : NULL;
    for (size_t i = 0; i + 1 < row->secrets.count && out->old_secret; i++)
        if (secret_is_live (row, i, t->now))
            out->old_until = secrets[i].expires_at;
    return 0;
}

int webhooks_secret_show (turn_t *t, const webhooks_secret_show_in_t *in,
                          webhooks_secret_show_out_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_of_cli (t, in->id, &row);
    if (code == 0 && row.secrets.count)
        return show_list (t, &row, out);
    if (code == 0)
        code = secret_open (t, row.id, row.secret_sealed, &out->secret);
    if (code == 0 && row.old_secret_until > t->now) {
        code = secret_open (t, row.id, row.old_secret_sealed, &out->old_secret);
        out->old_until = row.old_secret_until;
    }
    return code;
}

/* Of several: a new one, and an end for all others. */
static int rotate_list (turn_t *t, webhooks_subscription_t *row, webhooks_secret_rotate_out_t *out)
{
    webhooks_secret_t made;
    int64_t until = t->now + ((const webhooks_settings_t *) t->settings)->overlap;
    int code = secret_append (t, row, 0, &made, &out->secret);
    webhooks_secret_t *all = row->secrets.items;
    for (size_t i = 0; i + 1 < row->secrets.count; i++)
        if (!all[i].expires_at || all[i].expires_at > until)
            all[i].expires_at = until;
    out->old_until = until;
    row->updated_at = t->now;
    row->version += 1;
    return code ? code : store_put (t->txn, &webhooks_subscription_record, row, NULL);
}

int webhooks_secret_rotate (turn_t *t, const webhooks_secret_rotate_in_t *in,
                            webhooks_secret_rotate_out_t *out)
{
    char secret[64];
    webhooks_subscription_t row = {0};
    int code = subscription_of_cli (t, in->id, &row);
    if (code)
        return code;
    if (row.secrets.count)
        return rotate_list (t, &row, out);
    sign_webhook_secret (secret);
    row.old_secret_sealed = row.secret_sealed;
    row.old_secret_until = t->now + ((const webhooks_settings_t *) t->settings)->overlap;
    row.updated_at = t->now;
    row.version += 1;
    code = secret_seal (t, row.id, secret, &row.secret_sealed);
    out->secret = arena_strdup (t->arena, secret);
    out->old_until = row.old_secret_until;
    sign_wipe (secret, sizeof secret);
    return code ? code : store_put (t->txn, &webhooks_subscription_record, &row, NULL);
}
