/* window.c - WhatsApp's 24-hour windows: each inbound message opens or renews one. */
#include "messaging.h"

enum { WINDOW_MS = 24 * 60 * 60 * 1000 };

static int window_find (turn_t *t, id16_t number, const char *peer, messaging_window_t *out)
{
    store_key_t keys[] = {{.id = number}, {.str = peer}};
    return store_find (t->txn, &messaging_window_record, "by_pair", keys, 2, t->arena, out);
}

int window_open (turn_t *t, id16_t number, const char *peer, messaging_window_t *out)
{
    int code = window_find (t, number, peer, out);
    return code ? code : out->expires_at > t->now ? 0 : E_NOT_FOUND;
}

int window_renew (turn_t *t, id16_t org, id16_t number, const char *peer, int64_t at,
                  messaging_window_t *out)
{
    int code = window_find (t, number, peer, out);
    if (code && code != E_NOT_FOUND)
        return code;
    if (at > t->now)
        at = t->now; /* a carrier's clock opens nothing for longer */
    if (at + WINDOW_MS <= t->now)
        return 0; /* told too late to open anything; *out is what there is */
    bool is_new = code == E_NOT_FOUND || out->expires_at <= t->now;
    if (code == 0 && is_new) {
        code = store_del (t->txn, &messaging_window_record, out->id);
        if (code)
            return code;
    }
    if (is_new)
        *out = (messaging_window_t){.id = turn_id (t), .org = org, .number = number, .peer = peer};
    if (out->expires_at < at + WINDOW_MS)
        out->expires_at = at + WINDOW_MS;
    return store_put (t->txn, &messaging_window_record, out, NULL);
}
