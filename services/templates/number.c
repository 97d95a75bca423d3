/* number.c - this service's own copy of WhatsApp numbers, followed from accounts. Deleted rows stay as tombstones with their version. */
#include "templates.h"

int number_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const accounts_number_changed_t *in = body;
    templates_number_t old = {0};
    if (in->channel != ACCOUNTS_CHANNEL_WHATSAPP)
        return 0;
    int code = store_get_any (t->txn, &templates_number_record, in->id, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    templates_number_t row = {.id = in->id,
                              .org = in->org,
                              .ref = in->ref,
                              .account = in->account,
                              .number = in->number,
                              .created_at = id_time_ms (in->id),
                              .version = (int64_t) event->version,
                              .deleted = in->deleted};
    return store_put (t->txn, &templates_number_record, &row, NULL);
}
