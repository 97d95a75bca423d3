/* subscription_status.c - whether a subscription is active, and when it was: what it gets goes by when a thing happened, not by when this service comes to look at it.
 *
 * Times are those of ids, which go on when the clock steps back, as do those of events and of the subscription's own beginning. */
#include "webhooks.h"
#include <string.h>

/* More than anybody makes while this service is behind; of those before the last ones nothing is known any more. */
enum { PAUSES_KEPT = 16 };

int32_t subscription_status (const webhooks_subscription_t *row)
{
    return row->status ? row->status : WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE;
}

static bool is_active (int32_t status)
{
    return status == WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE;
}

bool subscription_was_active (const webhooks_subscription_t *row, int64_t at)
{
    const webhooks_pause_t *pauses = row->pauses.items;
    if (at < id_time_ms (row->id) ||
        (!is_active (subscription_status (row)) && at >= row->inactive_since))
        return false;
    for (size_t i = 0; i < row->pauses.count; i++)
        if (at >= pauses[i].from && at < pauses[i].until)
            return false;
    return true;
}

static int pause_end (turn_t *t, webhooks_subscription_t *row, int64_t now)
{
    size_t keep = row->pauses.count < PAUSES_KEPT ? row->pauses.count : PAUSES_KEPT - 1;
    webhooks_pause_t *pauses = arena_array_of (t->arena, webhooks_pause_t, keep + 1);
    if (!pauses)
        return E_NO_MEMORY;
    if (keep)
        memcpy (pauses, (const webhooks_pause_t *) row->pauses.items + (row->pauses.count - keep),
                keep * sizeof *pauses);
    pauses[keep] = (webhooks_pause_t){.from = row->inactive_since, .until = now};
    row->pauses = (schema_list_t){pauses, keep + 1};
    row->inactive_since = 0;
    return 0;
}

int subscription_status_set (turn_t *t, int32_t status, webhooks_subscription_t *row)
{
    bool was = is_active (subscription_status (row)), is = is_active (status);
    int64_t now = was == is ? 0 : id_time_ms (turn_id (t));
    row->status = status;
    if (was && !is)
        row->inactive_since = now;
    return is && !was ? pause_end (t, row, now) : 0;
}
