/* receipts_expire.c - receipts that came early and whose send never answered are kept for `receipt_parking`, then dropped in small steps. */
#include "messaging.h"

enum { STEP = 200 };

typedef struct expired {
    int64_t now;
    id16_t ids[STEP];
    size_t count;
} expired_t;

/* Rows lie in the order in which their time ends, as long as the setting stays: the first that is still good ends the walk. */
static int expired_add (void *context, const void *row)
{
    expired_t *self = context;
    const messaging_parked_receipt_t *parked = row;
    if (parked->until > self->now)
        return E_CONFLICT;
    self->ids[self->count++] = parked->id;
    return 0;
}

int receipts_expire (turn_t *t, svc_swept_t *out)
{
    expired_t *expired = arena_new_of (t->arena, expired_t);
    expired->now = t->now;
    store_page_t page = {.limit = STEP};
    bool more = false;
    int code = store_list (t->txn, &messaging_parked_receipt_record, &page, t->arena, expired_add,
                           expired, &more);
    if (code == E_CONFLICT)
        code = 0;
    for (size_t i = 0; i < expired->count && code == 0; i++)
        code = store_del (t->txn, &messaging_parked_receipt_record, expired->ids[i]);
    out->rows = expired->count;
    turn_count (t, MESSAGING_COUNTER_RECEIPTS_EXPIRED_TOTAL, expired->count);
    return code == 0 && expired->count == STEP ? E_CONFLICT_RETRY : code;
}
