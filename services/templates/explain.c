/* explain.c - what templates keeps about a template or a carrier account. */
#include "templates.h"

int templates_explain (turn_t *t, id16_t id, const svc_explain_t *out)
{
    templates_template_t row = {0};
    templates_carrier_account_t account = {0};
    if (store_get_any (t->txn, &templates_template_record, id, t->arena, &row) == 0)
        out->line (out->context, row.updated_at, "template",
                   arena_printf (t->arena, "%s (%s) is %s%s%s", row.name, row.language,
                                 schema_enum_word (&templates_status_enum, row.status),
                                 row.rejected_reason ? ", " : "",
                                 row.rejected_reason ? row.rejected_reason : ""));
    if (store_get_any (t->txn, &templates_carrier_account_record, id, t->arena, &account))
        return 0;
    if (account.synced_at)
        out->line (out->context, account.synced_at, "templates read",
                   account.name ? account.name : "");
    if (account.failed_at)
        out->line (out->context, account.failed_at, "templates could not be read",
                   account.error ? account.error : "");
    return 0;
}
