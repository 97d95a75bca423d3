/* org_ops.c - organizations beside the first: making, listing, suspending, and what they may set. */
#include "accounts.h"

/* ---- telling ---- */

int org_told_event (const accounts_organization_t *org, event_about_t *about,
                    accounts_org_changed_t *body)
{
    *about = (event_about_t){.record = org->id, .version = (uint64_t) org->version, .org = org->id};
    *body = (accounts_org_changed_t){.id = org->id,
                                     .status = org->status,
                                     .name = org->name,
                                     .media_retention_days = org->media_retention_days};
    if (org->has & ACCOUNTS_ORGANIZATION_HAS_MEDIA_RETENTION_DAYS)
        body->has |= ACCOUNTS_ORG_CHANGED_HAS_MEDIA_RETENTION_DAYS; /* 0 says something */
    return 0;
}

int org_event (turn_t *t, const accounts_organization_t *org)
{
    event_about_t about;
    accounts_org_changed_t body;
    org_told_event (org, &about, &body);
    return event_add (t, &accounts_org_changed_event, &about, &body);
}

static int org_change (turn_t *t, accounts_organization_t *org)
{
    org->updated_at = t->now;
    org->version += 1;
    int code = store_put (t->txn, &accounts_organization_record, org, NULL);
    return code ? code : org_event (t, org);
}

static int org_info (turn_t *t, const accounts_organization_t *org, accounts_org_info_t *out)
{
    store_key_t live[] = {{.id = org->id}, {.num = false}};
    uint64_t apps = 0;
    int code = store_count (t->txn, &accounts_app_record, "by_mode", live, 2, &apps);
    *out = (accounts_org_info_t){.id = org->id,
                                 .name = org->name,
                                 .status = org->status,
                                 .created_at = org->created_at,
                                 .apps = (int64_t) apps};
    return code;
}

/* ---- for operators ---- */

int accounts_org_create (turn_t *t, const accounts_org_create_in_t *in,
                         accounts_bootstrap_out_t *out)
{
    return org_found (t, in->organization, in->app, out);
}

typedef struct org_page {
    turn_t *t;
    accounts_org_info_t *items;
    size_t count;
} org_page_t;

static int org_page_add (void *context, const void *row)
{
    org_page_t *page = context;
    return org_info (page->t, row, &page->items[page->count++]);
}

int accounts_org_list (turn_t *t, const accounts_org_list_in_t *in, accounts_org_list_out_t *out)
{
    enum { MOST = 1000 };
    (void) in;
    org_page_t list = {t, arena_array_of (t->arena, accounts_org_info_t, MOST), 0};
    store_page_t page = {.limit = MOST};
    bool more = false;
    int code = store_list (t->txn, &accounts_organization_record, &page, t->arena, org_page_add,
                           &list, &more);
    out->organizations = (schema_list_t){list.items, list.count};
    return code;
}

int accounts_org_suspend (turn_t *t, const accounts_org_suspend_in_t *in, accounts_org_info_t *out)
{
    accounts_organization_t org = {0};
    int32_t status = in->suspended ? ACCOUNTS_ORG_STATUS_SUSPENDED : ACCOUNTS_ORG_STATUS_ACTIVE;
    int code = store_get_any (t->txn, &accounts_organization_record, in->id, t->arena, &org);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such organization") : code;
    if (org.status != status) {
        org.status = status;
        code = org_change (t, &org);
    }
    return code ? code : org_info (t, &org, out);
}

/* ---- settings ---- */

static int org_calling (turn_t *t, accounts_organization_t *out)
{
    int code = store_get_any (t->txn, &accounts_organization_record, t->ask->org, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, NULL, "No such organization") : code;
}

static void settings_tell (const accounts_organization_t *org, accounts_org_settings_t *out)
{
    out->media_retention_days = org->media_retention_days;
    out->media_unlimited = (org->has & ACCOUNTS_ORGANIZATION_HAS_MEDIA_RETENTION_DAYS) &&
                           org->media_retention_days == 0;
}

int accounts_settings_get (turn_t *t, const accounts_settings_get_in_t *in,
                           accounts_org_settings_t *out)
{
    (void) in;
    accounts_organization_t org = {0};
    int code = org_calling (t, &org);
    settings_tell (&org, out);
    return code;
}

int accounts_settings_set (turn_t *t, const accounts_settings_set_in_t *in,
                           accounts_org_settings_t *out)
{
    accounts_organization_t org = {0};
    int code = org_calling (t, &org);
    if (code == 0 && (in->has & ACCOUNTS_SETTINGS_SET_IN_HAS_MEDIA_RETENTION_DAYS)) {
        org.media_retention_days = in->media_retention_days;
        org.has |= ACCOUNTS_ORGANIZATION_HAS_MEDIA_RETENTION_DAYS; /* 0 says something */
        code = org_change (t, &org);
    }
    settings_tell (&org, out);
    return code;
}
