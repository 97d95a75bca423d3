/* account.c - this service's own copy of Meta accounts, followed from accounts, and the opening of their secrets.
 *
 * What is stored stays sealed; secrets are opened in the arena of the turn that asks Meta, and nowhere else. Deleted accounts stay as tombstones with their
 * version, and their templates are deleted. */
#include "templates.h"
#include <string.h>

static const char purpose[] = "carrier account"; /* as accounts seals */

int account_open (turn_t *t, const templates_carrier_account_t *row, provider_account_t *out)
{
    accounts_carrier_secrets_t secrets = {0};
    buf_t clear = buf_in (t->arena);
    int code = keyring_open_sealed (t->keyring, row->id, purpose, row->sealed, &clear);
    if (code == 0)
        code = schema_unpack (&accounts_carrier_secrets_type, buf_bytes (&clear), t->arena,
                              &secrets, NULL);
    if (code)
        return fail (t, code, NULL, "The account's secrets cannot be opened");
    *out = (provider_account_t){.id = row->id,
                                .org = row->org,
                                .carrier = ACCOUNTS_CARRIER_META,
                                .base_url = row->base_url,
                                .token = secrets.token,
                                .waba = row->waba};
    return 0;
}

void account_synced_told (const templates_carrier_account_t *row, event_about_t *about,
                          templates_account_synced_t *body)
{
    *about =
        (event_about_t){.record = row->id, .version = (uint64_t) row->revision, .org = row->org};
    *body = (templates_account_synced_t){.account = row->id, .org = row->org, .at = row->synced_at};
}

int account_synced_tell (turn_t *t, templates_carrier_account_t *row)
{
    event_about_t about;
    templates_account_synced_t body;
    row->revision += 1;
    account_synced_told (row, &about, &body);
    return event_add (t, &templates_account_synced_event, &about, &body);
}

static bool same (const char *a, const char *b)
{
    return strcmp (a ? a : "", b ? b : "") == 0;
}

/* Nothing is known any more: what was read is another account's, or the account is gone. */
static int account_forget (turn_t *t, templates_carrier_account_t *row)
{
    if (!row->synced_at)
        return 0;
    row->synced_at = 0;
    return account_synced_tell (t, row);
}

int carrier_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_carrier_changed_t *in = body;
    templates_carrier_account_t row = {0};
    if (in->carrier != ACCOUNTS_CARRIER_META)
        return 0;
    int code = store_get_any (t->txn, &templates_carrier_account_record, in->id, t->arena, &row);
    bool known = code == 0;
    if (code && code != E_NOT_FOUND)
        return code;
    if ((known && row.version >= (int64_t) event->version) || (!known && in->deleted))
        return 0;
    bool other = in->deleted || !same (row.waba, in->waba) || !same (row.base_url, in->base_url);
    row.id = in->id;
    row.org = in->org;
    row.name = in->name;
    row.base_url = in->base_url;
    row.waba = in->waba;
    row.sealed = in->sealed;
    row.version = (int64_t) event->version;
    row.deleted = in->deleted;
    code = known && other ? account_forget (t, &row) : 0;
    return code ? code : sync_want (t, &row, id_nil ());
}
