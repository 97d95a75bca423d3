/* explain.c - what accounts keeps about an organization, app, key, number or carrier account. */
#include "accounts.h"

int accounts_explain (turn_t *t, id16_t id, const svc_explain_t *out)
{
    accounts_app_t app = {0};
    accounts_key_t key = {0};
    accounts_number_t number = {0};
    if (store_get_any (t->txn, &accounts_app_record, id, t->arena, &app) == 0)
        out->line (out->context, app.created_at, "app",
                   arena_printf (t->arena, "%s, %s", app.name, app.test ? "test" : "live"));
    if (store_get_any (t->txn, &accounts_key_record, id, t->arena, &key) == 0)
        out->line (out->context, key.created_at, "key",
                   arena_printf (t->arena, "%s %s", key.preview, key.name));
    if (store_get_any (t->txn, &accounts_number_record, id, t->arena, &number) == 0)
        out->line (out->context, number.created_at, "number",
                   arena_printf (t->arena, "%s, %s", number.number,
                                 schema_enum_word (&accounts_channel_enum, number.channel)));
    accounts_carrier_account_t account = {0};
    if (store_get_any (t->txn, &accounts_carrier_account_record, id, t->arena, &account) == 0)
        out->line (out->context, account.created_at, "carrier account",
                   arena_printf (t->arena, "%s at %s, %s", account.name ? account.name : "unnamed",
                                 schema_enum_word (&accounts_carrier_enum, account.carrier),
                                 account.base_url));
    return 0;
}
