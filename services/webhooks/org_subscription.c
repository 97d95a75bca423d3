/* org_subscription.c - subscriptions of a whole organization: create, read, change, pause and resume, delete, and their secrets.
 *
 * They are webhooks whose holder is the organization, so that events, deliveries and operators go one way for both. */
#include "base/text.h"
#include "webhooks.h"
#include <stdlib.h>
#include <string.h>

enum { SECRETS_MAX = 5, LIMIT = 25, SCANNED_AT_ONCE = 1000, HOUR_MS = 3600 * 1000 };

int subscription_of_org (turn_t *t, id16_t id, webhooks_subscription_t *out)
{
    int code = id_is_nil (t->ask->org) ? E_NOT_FOUND
                                       : store_get (t->txn, &webhooks_subscription_record,
                                                    t->ask->org, id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, "id", "No such webhook subscription") : code;
}

static int told (turn_t *t, const webhooks_subscription_t *row, webhooks_subscription_told_t *out)
{
    const webhooks_secret_t *secrets = row->secrets.items;
    webhooks_secret_told_t *shown =
        arena_array_of (t->arena, webhooks_secret_told_t, row->secrets.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < row->secrets.count; i++)
        if (secret_is_live (row, i, t->now))
            shown[count++] = (webhooks_secret_told_t){.id = secrets[i].id,
                                                      .created_at = secrets[i].created_at,
                                                      .expires_at = secrets[i].expires_at};
    *out = (webhooks_subscription_told_t){.id = row->id,
                                          .url = row->url,
                                          .description = row->description,
                                          .events = row->events,
                                          .status = subscription_status (row),
                                          .disabled_reason = row->disabled_reason,
                                          .consecutive_failures = row->consecutive_failures,
                                          .secrets = {shown, count},
                                          .created_at = row->created_at,
                                          .updated_at = row->updated_at};
    return 0;
}

/* ---- checks ---- */

/* The port that an https URL names; 443 if none. */
static long https_port (const char *url)
{
    const char *host = url + strlen ("https://");
    size_t length = strcspn (host, "/?#");
    const char *colon = NULL;
    for (size_t i = 0; i < length; i++)
        colon = host[i] == ':' ? host + i : host[i] == ']' ? NULL : colon;
    return colon && colon[1] >= '0' && colon[1] <= '9' ? strtol (colon + 1, NULL, 10) : 443;
}

/* Whatever is wrong with it: the address cannot be a target. */
static int target_check (turn_t *t, const char *url)
{
    const webhooks_settings_t *settings = t->settings;
    fetch_config_t allowed = targets_allowed (settings);
    failure_t failure = {0};
    if (!url || strlen (url) > 2048)
        return fail (t, E_BLOCKED_TARGET, "url", "The URL is too long");
    int code = fetch_check_url (&allowed, url, &failure);
    if (code == E_NO_MEMORY) /* nothing is said of the URL */
        return code;
    if (code)
        return fail (t, E_BLOCKED_TARGET, "url", "%s", failure.text);
    if (!settings->any_port && !settings->allow_http && https_port (url) != 443)
        return fail (t, E_BLOCKED_TARGET, "url", "The URL must be at port 443");
    return 0;
}

/* ---- operations ---- */

int webhooks_subscription_create (turn_t *t, const webhooks_subscription_create_in_t *in,
                                  webhooks_subscription_told_t *out)
{
    webhooks_secret_t secret;
    const char *text = NULL;
    const dialect_t *d = dialect_find (in->dialect);
    if (!d || d->delivery->holder != HOLDER_ORG || id_is_nil (t->ask->org))
        return fail (t, E_BAD_REQUEST, "dialect", "It has no subscriptions of organizations");
    int code = target_check (t, in->url);
    if (code == 0)
        code = events_check (t, d, &in->events);
    if (code)
        return code;
    webhooks_subscription_t row = {.id = turn_id (t),
                                   .org = t->ask->org,
                                   .app = t->ask->org,
                                   .url = in->url,
                                   .events = in->events,
                                   .dialect = d->name,
                                   .description = in->description,
                                   .status = WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE,
                                   .created_at = t->now,
                                   .updated_at = t->now,
                                   .version = 1};
    code = secret_append (t, &row, 0, &secret, &text);
    if (code == 0)
        code = store_insert (t->txn, &webhooks_subscription_record, &row, NULL);
    if (code == 0)
        code = told (t, &row, out);
    out->initial_secret = text;
    return code;
}

typedef struct listing {
    turn_t *t;
    int32_t filter;
    size_t limit;
    webhooks_subscription_told_t *items;
    size_t count;
    id16_t last;
    bool full; /* and one more was there */
} listing_t;

enum { LISTING_FULL = -1 };

static int listing_add (void *context, const void *row)
{
    listing_t *self = context;
    const webhooks_subscription_t *subscription = row;
    bool wanted = !self->filter || self->filter == WEBHOOKS_SUBSCRIPTION_FILTER_ALL ||
                  self->filter == subscription_status (subscription);
    if (wanted && self->count == self->limit) {
        self->full = true;
        return LISTING_FULL;
    }
    self->last = subscription->id;
    return wanted ? told (self->t, subscription, &self->items[self->count++]) : 0;
}

int webhooks_subscription_list (turn_t *t, const webhooks_subscription_list_in_t *in,
                                webhooks_subscription_list_out_t *out)
{
    store_key_t key = {.id = t->ask->org};
    store_page_t page = {.index = "by_app",
                         .keys = &key,
                         .key_count = 1,
                         .newest_first = true,
                         .limit = SCANNED_AT_ONCE};
    listing_t list = {
        .t = t, .filter = in->status, .limit = in->limit > 0 ? (size_t) in->limit : LIMIT};
    bool more = false;
    if (in->after.size && in->after.size != sizeof page.after.b)
        return fail (t, E_BAD_CURSOR, "cursor", "Not a cursor of this listing");
    if (in->after.size)
        memcpy (page.after.b, in->after.data, sizeof page.after.b);
    list.items = arena_array_of (t->arena, webhooks_subscription_told_t, list.limit + 1);
    int code = store_list (t->txn, &webhooks_subscription_record, &page, t->arena, listing_add,
                           &list, &more);
    if (code && code != LISTING_FULL)
        return code;
    out->subscriptions = (schema_list_t){list.items, list.count};
    if (list.full || more)
        out->next =
            bytes_of (arena_memdup (t->arena, list.last.b, sizeof list.last.b), sizeof list.last.b);
    return 0;
}

int webhooks_subscription_get (turn_t *t, const webhooks_subscription_get_in_t *in,
                               webhooks_subscription_told_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_of_org (t, in->id, &row);
    return code ? code : told (t, &row, out);
}

static int status_apply (turn_t *t, int32_t status, webhooks_subscription_t *row)
{
    if (status == WEBHOOKS_SUBSCRIPTION_STATUS_DISABLED)
        return fail (t, E_BAD_REQUEST, "status", "Only the server disables a subscription");
    if (status == WEBHOOKS_SUBSCRIPTION_STATUS_ACTIVE) {
        row->consecutive_failures = 0;
        row->disabled_reason = NULL;
    }
    return subscription_status_set (t, status, row);
}

static int update_apply (turn_t *t, const webhooks_subscription_update_in_t *in,
                         webhooks_subscription_t *row)
{
    int code = in->url ? target_check (t, in->url) : 0;
    if (code == 0 && in->events.count)
        code = events_check (t, subscription_dialect (row), &in->events);
    if (code == 0 && in->status)
        code = status_apply (t, in->status, row);
    if (code)
        return code;
    row->url = in->url ? in->url : row->url;
    row->events = in->events.count ? in->events : row->events;
    if (in->description)
        row->description = *in->description ? in->description : NULL;
    return 0;
}

static int subscription_store (turn_t *t, webhooks_subscription_t *row)
{
    row->updated_at = t->now;
    row->version += 1;
    return store_put (t->txn, &webhooks_subscription_record, row, NULL);
}

int webhooks_subscription_update (turn_t *t, const webhooks_subscription_update_in_t *in,
                                  webhooks_subscription_told_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_of_org (t, in->id, &row);
    if (code == 0)
        code = update_apply (t, in, &row);
    if (code == 0)
        code = subscription_store (t, &row);
    return code ? code : told (t, &row, out);
}

int webhooks_subscription_delete (turn_t *t, const webhooks_subscription_delete_in_t *in,
                                  webhooks_subscription_delete_out_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_of_org (t, in->id, &row);
    if (code == 0)
        code = store_del (t->txn, &webhooks_subscription_record, row.id);
    if (code == 0)
        code = subscription_end (t, &row, WEBHOOKS_DELIVERY_STATUS_DEAD);
    out->id = row.id;
    return code;
}

/* ---- secrets ---- */

static size_t live_count (const webhooks_subscription_t *row, int64_t now)
{
    size_t count = 0;
    for (size_t i = 0; i < row->secrets.count; i++)
        count += secret_is_live (row, i, now);
    return count;
}

int webhooks_secret_add (turn_t *t, const webhooks_secret_add_in_t *in,
                         webhooks_secret_add_out_t *out)
{
    webhooks_subscription_t row = {0};
    webhooks_secret_t secret;
    int code = subscription_of_org (t, in->id, &row);
    if (code)
        return code;
    if (live_count (&row, t->now) >= SECRETS_MAX)
        return fail (t, E_SECRET_LIMIT, NULL, "There are %d live secrets already", SECRETS_MAX);
    int64_t expires_at = in->expires_in_hours ? t->now + in->expires_in_hours * HOUR_MS : 0;
    code = secret_append (t, &row, expires_at, &secret, &out->secret);
    if (code == 0)
        code = subscription_store (t, &row);
    out->id = secret.id;
    out->created_at = secret.created_at;
    out->expires_at = secret.expires_at;
    return code;
}

int webhooks_secret_delete (turn_t *t, const webhooks_secret_delete_in_t *in,
                            webhooks_secret_delete_out_t *out)
{
    webhooks_subscription_t row = {0};
    int code = subscription_of_org (t, in->id, &row);
    if (code)
        return code;
    webhooks_secret_t *secrets = row.secrets.items;
    size_t at = 0;
    while (at < row.secrets.count && !id_equal (secrets[at].id, in->secret_id))
        at++;
    if (at == row.secrets.count || !secret_is_live (&row, at, t->now))
        return fail (t, E_NOT_FOUND, "secret_id", "No such secret");
    if (live_count (&row, t->now) < 2)
        return fail (t, E_LAST_SECRET, NULL, "The only live secret cannot be revoked");
    memmove (&secrets[at], &secrets[at + 1], (row.secrets.count - at - 1) * sizeof *secrets);
    row.secrets.count--;
    out->id = in->secret_id;
    return subscription_store (t, &row);
}
