/* lease.c - what a page of accounts' journal does to the cached keys, and how long they may be used after it.
 *
 * The order matters: first forget, then renew. A page that is not the last one renews nothing, since what revokes a key may stand in the next. */
#include "keycache.h"

static bool event_apply (key_cache_t *self, const common_event_t *event, arena_t *arena)
{
    accounts_key_deleted_t key = {0};
    accounts_app_changed_t app = {0};
    accounts_org_changed_t org = {0};
    switch (event->number) {
    case ACCOUNTS_EVENT_KEY_DELETED:
        if (schema_unpack (&accounts_key_deleted_type, event->body, arena, &key, NULL))
            return false;
        key_cache_drop_key (self, key.id);
        return true;
    case ACCOUNTS_EVENT_APP_CHANGED:
        if (schema_unpack (&accounts_app_changed_type, event->body, arena, &app, NULL))
            return false;
        key_cache_drop_app (self, app.id);
        return true;
    case ACCOUNTS_EVENT_ORG_CHANGED:
        if (schema_unpack (&accounts_org_changed_type, event->body, arena, &org, NULL))
            return false;
        key_cache_drop_org (self, org.id);
        return true;
    default:
        return true;
    }
}

bool key_lease_page (key_cache_t *self, const common_journal_read_out_t *page, bool fresh,
                     int64_t sent_ms, arena_t *arena)
{
    const common_event_t *events = page->events.items;
    size_t count = page->events.count;
    bool readable = !page->reset;
    if (fresh)
        key_cache_drop_all (
            self); /* what was cached before the head was known may have been revoked before it */
    for (size_t i = 0; i < count && readable; i++)
        readable = event_apply (self, &events[i], arena);
    if (!readable) {
        key_cache_drop_all (self);
        return false;
    }
    if (count == 0 || events[count - 1].sequence >= page->head)
        key_lease_renew (self, sent_ms);
    return true;
}
