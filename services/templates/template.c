/* template.c - templates as they are kept: stored when they are read, told when they changed. */
#include "templates.h"
#include <string.h>

static void told (const templates_template_t *row, bytes_t components, event_about_t *about,
                  templates_template_changed_t *body)
{
    *about =
        (event_about_t){.record = row->id, .version = (uint64_t) row->version, .org = row->org};
    *body = (templates_template_changed_t){
        .id = row->id,
        .org = row->org,
        .account = row->account,
        .waba = row->waba,
        .provider_id = row->provider_id,
        .name = row->name,
        .language = row->language,
        .category = row->category,
        .status = row->status,
        .parameter_format = row->parameter_format,
        .components = components,
        .slots = row->slots,
        .rejected_reason = row->rejected_reason,
        .quality = row->quality,
        .created_at = row->created_at,
        .updated_at = row->updated_at,
    };
}

static int components_get (turn_t *t, id16_t id, bytes_t *out)
{
    templates_content_t content = {0};
    int code = store_get_any (t->txn, &templates_content_record, id, t->arena, &content);
    *out = content.components;
    return code == E_NOT_FOUND ? 0 : code;
}

int template_told (turn_t *t, const templates_template_t *row, event_about_t *about,
                   templates_template_changed_t *body)
{
    bytes_t components = {0};
    int code = components_get (t, row->id, &components);
    told (row, components, about, body);
    return code;
}

static int changed_tell (turn_t *t, const templates_template_t *row, bytes_t components)
{
    event_about_t about;
    templates_template_changed_t body;
    told (row, components, &about, &body);
    turn_count (t, TEMPLATES_COUNTER_TEMPLATES_CHANGED_TOTAL, 1);
    return event_add (t, &templates_template_changed_event, &about, &body);
}

/* All that is told but the time of the change. */
static bytes_t packed (turn_t *t, const templates_template_t *row, bytes_t components)
{
    event_about_t about;
    templates_template_changed_t body;
    buf_t out = buf_in (t->arena);
    told (row, components, &about, &body);
    body.updated_at = 0;
    schema_pack (&templates_template_changed_type, &body, &out);
    return buf_bytes (&out);
}

static int changed_put (turn_t *t, templates_template_t *row, bytes_t components)
{
    templates_content_t content = {.id = row->id, .components = components};
    row->version += 1;
    row->updated_at = t->now;
    int code = store_put (t->txn, &templates_content_record, &content, NULL);
    if (code == 0)
        code = store_put (t->txn, &templates_template_record, row, NULL);
    return code ? code : changed_tell (t, row, components);
}

/* Meta may list a name twice for a while, when it was deleted and made anew: the approved one counts. */
static bool is_lesser (const templates_template_t *read, const templates_template_t *old,
                       id16_t sync)
{
    return id_equal (old->seen, sync) && old->status == TEMPLATES_STATUS_APPROVED &&
           read->status != TEMPLATES_STATUS_APPROVED;
}

int template_take (turn_t *t, const templates_carrier_account_t *account,
                   templates_template_t *read, bytes_t components, templates_sync_result_t *result)
{
    templates_template_t old = {0};
    bytes_t before = {0};
    store_key_t keys[] = {{.id = account->id}, {.id = read->key}};
    int code = store_find (t->txn, &templates_template_record, "by_key", keys, 2, t->arena, &old);
    bool found = code == 0;
    if (code && code != E_NOT_FOUND)
        return code;
    if (found && is_lesser (read, &old, account->sync))
        return 0;
    code = found ? components_get (t, old.id, &before) : 0;
    if (code)
        return code;
    bool again = found && id_equal (old.seen, account->sync);
    bool came = !found || old.status == TEMPLATES_STATUS_DELETED;
    read->id = found ? old.id : turn_id (t);
    read->org = account->org;
    read->account = account->id;
    read->waba = account->waba;
    read->created_at = found ? old.created_at : t->now;
    read->updated_at = old.updated_at;
    read->version = old.version;
    read->seen = account->sync;
    result->templates += !again;
    if (found && bytes_equal (packed (t, &old, before), packed (t, read, components)))
        return store_put (t->txn, &templates_template_record, read, NULL);
    result->added += came && !again;
    result->changed += !came && !again;
    return changed_put (t, read, components);
}

int template_delete (turn_t *t, templates_template_t *row)
{
    bytes_t components = {0};
    int code = components_get (t, row->id, &components);
    row->status = TEMPLATES_STATUS_DELETED;
    return code ? code : changed_put (t, row, components);
}
