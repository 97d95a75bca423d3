/* label.c - labels of teams: list, make, read, change, delete. */
#include "base/text.h"
#include "inbox.h"
#include <string.h>

enum { NAME_MOST = 50 };

static inbox_label_info_t label_shown (const inbox_label_t *row)
{
    return (inbox_label_info_t){.id = row->id,
                                .name = row->name,
                                .color = row->color,
                                .team_id = row->team,
                                .created_at = row->created_at,
                                .updated_at = row->updated_at};
}

int label_of (turn_t *t, id16_t id, const char *field, inbox_label_t *out)
{
    int code = store_get (t->txn, &inbox_label_record, t->ask->org, id, t->arena, out);
    return code == E_NOT_FOUND ? fail (t, code, field, "No such label") : code;
}

static int name_check (turn_t *t, const char *name)
{
    size_t points = text_code_points (name, strlen (name));
    return points < 1 || points > NAME_MOST
               ? fail (t, E_BAD_REQUEST, "name", "name has 1 to %d characters", NAME_MOST)
               : 0;
}

static int label_put (turn_t *t, const inbox_label_t *row)
{
    int code = store_put (t->txn, &inbox_label_record, row, NULL);
    return code == E_ALREADY_EXISTS
               ? fail (t, E_BAD_REQUEST, "name", "The team has a label of this name already")
               : code;
}

typedef struct listing {
    inbox_label_info_t *items;
    size_t count;
} listing_t;

static int listing_add (void *context, const void *row)
{
    listing_t *self = context;
    self->items[self->count++] = label_shown (row);
    return 0;
}

int inbox_label_list (turn_t *t, const inbox_label_list_in_t *in, inbox_label_list_out_t *out)
{
    place_t from;
    bool more = false;
    int code = page_read (t, in->after, in->limit, &from);
    if (code)
        return code;
    listing_t self = {arena_array_of (t->arena, inbox_label_info_t, (size_t) in->limit), 0};
    store_key_t key = {.id = t->ask->org}, behind = {.num = from.at};
    store_page_t page = {.index = "by_org",
                         .keys = &key,
                         .key_count = 1,
                         .newest_first = true,
                         .after = from.id,
                         .place = &behind,
                         .limit = (size_t) in->limit};
    code = store_list (t->txn, &inbox_label_record, &page, t->arena, listing_add, &self, &more);
    out->labels = (schema_list_t){self.items, self.count};
    if (code == 0 && more) {
        const inbox_label_info_t *last = &self.items[self.count - 1];
        out->next = page_next (t, (place_t){last->created_at, last->id});
    }
    return code;
}

int inbox_label_create (turn_t *t, const inbox_label_create_in_t *in, inbox_label_info_t *out)
{
    inbox_label_t row = {.id = turn_id (t),
                         .org = t->ask->org,
                         .name = in->name,
                         .color = in->color ? in->color : INBOX_LABEL_COLOR_GRAY,
                         .created_at = t->now,
                         .updated_at = t->now};
    int code = name_check (t, in->name);
    if (code == 0)
        code = team_of (t, in->team_id, &row.team);
    if (code == 0)
        code = label_put (t, &row);
    *out = label_shown (&row);
    return code;
}

int inbox_label_get (turn_t *t, const inbox_label_get_in_t *in, inbox_label_info_t *out)
{
    inbox_label_t row = {0};
    int code = label_of (t, in->id, "id", &row);
    *out = label_shown (&row);
    return code;
}

int inbox_label_update (turn_t *t, const inbox_label_update_in_t *in, inbox_label_info_t *out)
{
    inbox_label_t old = {0}, row;
    int code = label_of (t, in->id, "id", &old);
    if (code == 0 && in->name)
        code = name_check (t, in->name);
    if (code)
        return code;
    row = old;
    row.name = in->name ? in->name : old.name;
    row.color = in->color ? in->color : old.color;
    if (row.color != old.color || strcmp (row.name, old.name) != 0) {
        row.updated_at = t->now;
        code = label_put (t, &row);
    }
    *out = label_shown (&row);
    return code;
}

int inbox_label_delete (turn_t *t, const inbox_label_delete_in_t *in, inbox_label_delete_out_t *out)
{
    inbox_label_t row = {0};
    int code = label_of (t, in->id, "id", &row);
    if (code == 0)
        code = store_del (t->txn, &inbox_label_record, row.id);
    if (code == 0)
        code = links_drop (t, row.id, id_nil ());
    *out = (inbox_label_delete_out_t){.id = row.id, .deleted = true};
    return code;
}
