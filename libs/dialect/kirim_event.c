/* kirim_event.c - the names of Kirim's webhook events. The dialect's table has no rows for them, so that there is nothing to render. */
#include "dialect/kirim.h"

const char *const kirim_event_names[] = {
    "message.received",
    "message.status",
    "conversation.assigned",
    "conversation.closed",
    "contact.created",
    "contact.updated",
    NULL,
};

int kirim_event_render (const dialect_t *d, const schema_public_event_t *row,
                        const journal_event_t *event, const void *body,
                        const messaging_app_ref_t *app, const char *public_url, int64_t now,
                        char event_id[64], buf_t *out)
{
    (void) d, (void) row, (void) event, (void) body, (void) app, (void) public_url, (void) now;
    (void) event_id, (void) out;
    return E_NOT_FOUND;
}
