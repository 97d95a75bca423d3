/* account.c - messaging's own copy of carrier accounts, followed from accounts, and the opening of their secrets.
 *
 * What is stored stays sealed; secrets are opened in the arena of the turn that talks to the carrier or checks its signature, and nowhere else. Deleted
 * accounts stay as tombstones with their version. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>

static const char purpose[] = "carrier account"; /* as accounts seals */

const provider_t *carrier_adapter (int32_t carrier)
{
    switch (carrier) {
    case ACCOUNTS_CARRIER_LOOPBACK:
        return &provider_loopback;
    case ACCOUNTS_CARRIER_TELNYX:
        return &provider_telnyx;
    case ACCOUNTS_CARRIER_META:
        return &provider_meta;
    default:
        return NULL;
    }
}

int carrier_account_find (turn_t *t, id16_t id, messaging_carrier_account_t *out)
{
    int code = store_get_any (t->txn, &messaging_carrier_account_record, id, t->arena, out);
    return code == 0 && out->deleted ? E_NOT_FOUND : code;
}

static int secrets_open (turn_t *t, const messaging_carrier_account_t *row,
                         accounts_carrier_secrets_t *out)
{
    buf_t clear = buf_in (t->arena);
    int code = keyring_open_sealed (t->keyring, row->id, purpose, row->sealed, &clear);
    return code ? code
                : schema_unpack (&accounts_carrier_secrets_type, buf_bytes (&clear), t->arena, out,
                                 NULL);
}

static const char *callback_url (turn_t *t, const messaging_carrier_account_t *row)
{
    const messaging_settings_t *settings = t->settings;
    char id[ID_UUID_LENGTH + 1];
    size_t length = strlen (settings->public_url);
    while (length > 0 && settings->public_url[length - 1] == '/')
        length--;
    id_write_uuid (row->id, id);
    return arena_printf (t->arena, "%.*s/callbacks/%s/%s", (int) length, settings->public_url,
                         schema_enum_word (&accounts_carrier_enum, row->carrier), id);
}

int account_open (turn_t *t, id16_t id, provider_account_t *out)
{
    messaging_carrier_account_t row = {0};
    accounts_carrier_secrets_t secrets = {0};
    int code = carrier_account_find (t, id, &row);
    if (code == 0)
        code = secrets_open (t, &row, &secrets);
    if (code)
        return code;
    *out = (provider_account_t){
        .id = row.id,
        .org = row.org,
        .carrier = row.carrier,
        .base_url = row.base_url,
        .token = secrets.token,
        .app_secret = secrets.app_secret,
        .verify_token = secrets.verify_token,
        .public_key = row.public_key,
        .waba = row.waba,
        .profile = row.profile && *row.profile ? row.profile : NULL,
        .callback_url = callback_url (t, &row),
    };
    return 0;
}

int carrier_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_carrier_changed_t *in = body;
    messaging_carrier_account_t old = {0};
    int code = store_get_any (t->txn, &messaging_carrier_account_record, in->id, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    messaging_carrier_account_t row = {.id = in->id,
                                       .org = in->org,
                                       .carrier = in->carrier,
                                       .name = in->name,
                                       .base_url = in->base_url,
                                       .waba = in->waba,
                                       .profile = in->profile,
                                       .public_key = in->public_key,
                                       .sealed = in->sealed,
                                       .version = (int64_t) event->version,
                                       .deleted = in->deleted};
    return store_put (t->txn, &messaging_carrier_account_record, &row, NULL);
}
