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

int signatures_make (turn_t *t, const webhooks_subscription_t *row, const char *event_id,
                     int64_t timestamp_s, bytes_t body, buf_t *out)
{
    const char *secret = NULL;
    const char *old = NULL;
    int code = secret_open (t, row->id, row->secret_sealed, &secret);
    if (code == 0 && row->old_secret_until > t->now)
        code = secret_open (t, row->id, row->old_secret_sealed, &old);
    if (code == 0 && secret)
        code = sign_webhook (secret, event_id, timestamp_s, body, out);
    if (code == 0 && old) {
        buf_add_byte (out, ' ');
        code = sign_webhook (old, event_id, timestamp_s, body, out);
    }
    return code;
}

static int subscription_of_cli (turn_t *t, id16_t id, webhooks_subscription_t *out)
{
    int code = store_get_any (t->txn, &webhooks_subscription_record, id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such webhook") : code;
}

int webhooks_secret_show (turn_t *t, const webhooks_secret_show_in_t *in,
                          webhooks_secret_show_out_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_of_cli (t, in->id, &row);
    if (code == 0)
        code = secret_open (t, row.id, row.secret_sealed, &out->secret);
    if (code == 0 && row.old_secret_until > t->now) {
        code = secret_open (t, row.id, row.old_secret_sealed, &out->old_secret);
        out->old_until = row.old_secret_until;
    }
    return code;
}

int webhooks_secret_rotate (turn_t *t, const webhooks_secret_rotate_in_t *in,
                            webhooks_secret_rotate_out_t *out)
{
    char secret[64];
    webhooks_subscription_t row = {0};
    int code = subscription_of_cli (t, in->id, &row);
    if (code)
        return code;
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
