/* list.c - templates and accounts for operators. */
#include "templates.h"

enum { LOOK_MOST = 2000, LIST_PAGE = 100, ACCOUNTS_MOST = 1000 };

static templates_template_info_t info_of (const templates_template_t *row)
{
    return (templates_template_info_t){
        .id = row->id,
        .org = row->org,
        .account = row->account,
        .provider_id = row->provider_id,
        .name = row->name,
        .language = row->language,
        .category = row->category,
        .status = row->status,
        .parameter_format = row->parameter_format,
        .slots = row->slots,
        .rejected_reason = row->rejected_reason,
        .quality = row->quality,
        .updated_at = row->updated_at,
    };
}

typedef struct listing {
    const templates_list_in_t *in;
    templates_template_info_t *items;
    size_t count, most, looked;
    id16_t last;
    bool full;
} listing_t;

static int listing_add (void *context, const void *row)
{
    listing_t *self = context;
    const templates_template_t *template = row;
    self->full = self->count == self->most || self->looked == LOOK_MOST;
    if (self->full)
        return 1;
    self->looked++;
    self->last = template->id;
    if (self->in->deleted || template->status != TEMPLATES_STATUS_DELETED)
        self->items[self->count++] = info_of (template);
    return 0;
}

int templates_list (turn_t *t, const templates_list_in_t *in, templates_list_out_t *out)
{
    size_t most = in->limit > 0 ? (size_t) in->limit : LIST_PAGE;
    listing_t self = {.in = in,
                      .items = arena_array_of (t->arena, templates_template_info_t, most),
                      .most = most,
                      .last = in->after};
    store_key_t key = {.id = in->account};
    bool all = id_is_nil (in->account), more = true;
    int code = 0;
    while (more && code == 0) {
        store_page_t page = {.index = all ? NULL : "by_account",
                             .keys = &key,
                             .key_count = all ? 0 : 1,
                             .after = self.last,
                             .limit = LIST_PAGE};
        code = store_list (t->txn, &templates_template_record, &page, t->arena, listing_add, &self,
                           &more);
    }
    *out = (templates_list_out_t){
        .templates = {self.items, self.count}, .more = self.full, .last = self.last};
    return self.full ? 0 : code;
}

int templates_show (turn_t *t, const templates_show_in_t *in, templates_template_info_t *out)
{
    templates_template_t row = {0};
    templates_content_t content = {0};
    int code = store_get_any (t->txn, &templates_template_record, in->id, t->arena, &row);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such template") : code;
    code = store_get_any (t->txn, &templates_content_record, in->id, t->arena, &content);
    *out = info_of (&row);
    out->components = content.components;
    return code == E_NOT_FOUND ? 0 : code;
}

typedef struct accounts_page {
    templates_carrier_account_t *rows;
    size_t count;
} accounts_page_t;

static int accounts_add (void *context, const void *row)
{
    accounts_page_t *self = context;
    const templates_carrier_account_t *account = row;
    if (!account->deleted)
        self->rows[self->count++] = *account;
    return 0;
}

int templates_accounts (turn_t *t, const templates_accounts_in_t *in, templates_accounts_out_t *out)
{
    (void) in;
    accounts_page_t self = {arena_array_of (t->arena, templates_carrier_account_t, ACCOUNTS_MOST),
                            0};
    store_page_t page = {.limit = ACCOUNTS_MOST};
    bool more = false;
    int code = store_list (t->txn, &templates_carrier_account_record, &page, t->arena, accounts_add,
                           &self, &more);
    templates_account_info_t *items =
        arena_array_of (t->arena, templates_account_info_t, self.count + 1);
    for (size_t i = 0; i < self.count && code == 0; i++) {
        const templates_carrier_account_t *row = &self.rows[i];
        store_key_t key = {.id = row->id};
        uint64_t count = 0;
        code = store_count (t->txn, &templates_template_record, "by_account", &key, 1, &count);
        items[i] = (templates_account_info_t){.id = row->id,
                                              .org = row->org,
                                              .name = row->name,
                                              .waba = row->waba,
                                              .templates = (int64_t) count,
                                              .syncing = !id_is_nil (row->sync),
                                              .synced_at = row->synced_at,
                                              .next_at = row->next_at,
                                              .failed_at = row->failed_at,
                                              .error = row->error};
    }
    out->accounts = (schema_list_t){items, self.count};
    return code;
}
