/* shelf.c - search by a part of name or e-mail address.
 *
 * A part can begin anywhere, so no sorted index finds it. Instead the searched text stands close together: shelves of up to a hundred contacts in the order of the list,
 * so that 100,000 contacts are a thousand rows or two, read in one go. A search reads at most SEARCH_SHELVES of them and says where to go on. */
#include "inbox.h"
#include <string.h>

enum {
    SHELF_MOST = 100,
    SEARCH_SHELVES = 1500,
    SEARCH_STEP = 50, /* shelves read into one scratch */
    SEARCH_MEMORY = 16 << 20
};

static const id16_t highest = {
    {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}};

static int place_compare (int64_t at, id16_t id, int64_t other_at, id16_t other)
{
    return at != other_at ? (at > other_at) - (at < other_at) : id_compare (id, other);
}

/* ---- finding a shelf ---- */

typedef struct shelf {
    inbox_shelf_t row;
    inbox_shelf_entry_t *entries; /* room for one more */
    bool found;
} shelf_t;

static int shelf_take (void *context, const void *row)
{
    shelf_t *self = context;
    self->row = *(const inbox_shelf_t *) row;
    self->found = true;
    return 0;
}

/* The shelf that a contact of this place belongs on: the last that begins at or below it, else the first. */
static int shelf_find (turn_t *t, id16_t number, int64_t at, id16_t id, shelf_t *out)
{
    store_key_t key = {.id = number}, behind[] = {{.num = at}, {.id = id}};
    store_page_t page = {.index = "by_low",
                         .keys = &key,
                         .key_count = 1,
                         .newest_first = true,
                         .after = highest,
                         .place = behind,
                         .limit = 1};
    *out = (shelf_t){0};
    int code = store_list (t->txn, &inbox_shelf_record, &page, t->arena, shelf_take, out, NULL);
    if (code == 0 && !out->found) {
        page = (store_page_t){.index = "by_low", .keys = &key, .key_count = 1, .limit = 1};
        code = store_list (t->txn, &inbox_shelf_record, &page, t->arena, shelf_take, out, NULL);
    }
    out->entries = arena_array_of (t->arena, inbox_shelf_entry_t, out->row.entries.count + 1);
    if (out->row.entries.count)
        memcpy (out->entries, out->row.entries.items,
                out->row.entries.count * sizeof *out->entries);
    return code;
}

/* Where it stands or would stand. */
static size_t entry_at (const shelf_t *self, const inbox_contact_t *contact, bool *there)
{
    size_t i = 0;
    while (i < self->row.entries.count &&
           place_compare (self->entries[i].created_at, self->entries[i].contact,
                          contact->created_at, contact->id) < 0)
        i++;
    *there = i < self->row.entries.count && id_equal (self->entries[i].contact, contact->id);
    return i;
}

/* ---- keeping ---- */

static int shelf_put (turn_t *t, inbox_shelf_t *row, inbox_shelf_entry_t *entries, size_t count)
{
    row->entries = (schema_list_t){entries, count};
    return store_put (t->txn, &inbox_shelf_record, row, NULL);
}

/* Too many: what was added at the end begins a new one (contacts mostly come in order), else half of them moves. */
static int shelf_split (turn_t *t, shelf_t *self, size_t count, bool at_end)
{
    size_t keep = at_end ? count - 1 : count / 2;
    inbox_shelf_t upper = {.id = turn_id (t),
                           .number = self->row.number,
                           .low_at = self->entries[keep].created_at,
                           .low_id = self->entries[keep].contact};
    int code = shelf_put (t, &self->row, self->entries, keep);
    return code ? code : shelf_put (t, &upper, self->entries + keep, count - keep);
}

static int entry_add (turn_t *t, shelf_t *self, const inbox_contact_t *contact, size_t at)
{
    size_t count = self->row.entries.count;
    memmove (self->entries + at + 1, self->entries + at, (count - at) * sizeof *self->entries);
    self->entries[at] = (inbox_shelf_entry_t){.contact = contact->id,
                                              .created_at = contact->created_at,
                                              .name = text_fold (t->arena, contact->name),
                                              .email = text_fold (t->arena, contact->email)};
    if (!self->found)
        self->row = (inbox_shelf_t){.id = turn_id (t), .number = contact->number};
    if (at == 0 && (!self->found || place_compare (contact->created_at, contact->id,
                                                   self->row.low_at, self->row.low_id) < 0)) {
        self->row.low_at = contact->created_at;
        self->row.low_id = contact->id;
    }
    return count + 1 > SHELF_MOST ? shelf_split (t, self, count + 1, at == count)
                                  : shelf_put (t, &self->row, self->entries, count + 1);
}

static int entry_remove (turn_t *t, shelf_t *self, size_t at)
{
    size_t count = self->row.entries.count - 1;
    memmove (self->entries + at, self->entries + at + 1, (count - at) * sizeof *self->entries);
    return count ? shelf_put (t, &self->row, self->entries, count)
                 : store_del (t->txn, &inbox_shelf_record, self->row.id);
}

static bool is_searched (const inbox_contact_t *row)
{
    return row && (row->name || row->email);
}

static bool same (const char *a, const char *b)
{
    return strcmp (a ? a : "", b ? b : "") == 0;
}

int shelf_move (turn_t *t, const inbox_contact_t *old, const inbox_contact_t *row)
{
    const inbox_contact_t *contact = row ? row : old;
    shelf_t shelf;
    bool there;
    if (!is_searched (old) && !is_searched (row))
        return 0;
    if (old && row && same (old->name, row->name) && same (old->email, row->email))
        return 0;
    int code = shelf_find (t, contact->number, contact->created_at, contact->id, &shelf);
    if (code)
        return code;
    size_t at = entry_at (&shelf, contact, &there);
    if (!is_searched (row))
        return there ? entry_remove (t, &shelf, at) : 0;
    if (!there)
        return entry_add (t, &shelf, row, at);
    shelf.entries[at].name = text_fold (t->arena, row->name);
    shelf.entries[at].email = text_fold (t->arena, row->email);
    return shelf_put (t, &shelf.row, shelf.entries, shelf.row.entries.count);
}

/* ---- searching ---- */

typedef struct walk {
    search_t *search;
    place_t shelf; /* where the last shelf begins */
    id16_t shelf_id;
    size_t shelves;
} walk_t;

static bool entry_has (const inbox_shelf_entry_t *entry, const char *term)
{
    return (entry->name && strstr (entry->name, term)) ||
           (entry->email && strstr (entry->email, term));
}

static int walk_shelf (void *context, const void *row)
{
    walk_t *self = context;
    search_t *search = self->search;
    const inbox_shelf_t *shelf = row;
    const inbox_shelf_entry_t *entries = shelf->entries.items;
    for (size_t i = shelf->entries.count; i-- > 0;) {
        place_t at = {entries[i].created_at, entries[i].contact};
        if (!id_is_nil (search->from.id) &&
            place_compare (at.at, at.id, search->from.at, search->from.id) >= 0)
            continue;
        if (!entry_has (&entries[i], search->term)) {
            search->last = at;
            continue;
        }
        if (search->count == search->most) {
            search->more = true;
            return E_ALREADY_EXISTS; /* stops the walk */
        }
        search->found[search->count++] = search->last = at;
    }
    self->shelf = (place_t){shelf->low_at, shelf->low_id};
    self->shelf_id = shelf->id;
    self->shelves++;
    return 0;
}

/* The first step begins at the shelf of `from`, which is read anew; the others behind the last shelf. */
static int walk_step (turn_t *t, walk_t *self, arena_t *scratch, bool *more)
{
    const search_t *search = self->search;
    store_key_t key = {.id = search->number}, behind[2];
    bool first = self->shelves == 0;
    place_t from = first ? search->from : self->shelf;
    behind[0] = (store_key_t){.num = from.at};
    behind[1] = (store_key_t){.id = from.id};
    store_page_t page = {.index = "by_low",
                         .keys = &key,
                         .key_count = 1,
                         .newest_first = true,
                         .limit = SEARCH_STEP};
    if (!id_is_nil (from.id)) {
        page.after = first ? highest : self->shelf_id;
        page.place = behind;
    }
    return store_list (t->txn, &inbox_shelf_record, &page, scratch, walk_shelf, self, more);
}

int shelf_search (turn_t *t, search_t *search)
{
    walk_t walk = {.search = search};
    arena_t *scratch = arena_new (SEARCH_MEMORY);
    bool more = scratch != NULL;
    int code = scratch ? 0 : E_NO_MEMORY;
    search->last = search->from;
    while (more && code == 0 && walk.shelves < SEARCH_SHELVES) {
        arena_reset (scratch);
        code = walk_step (t, &walk, scratch, &more);
    }
    arena_destroy (&scratch);
    if (code == E_ALREADY_EXISTS && search->more)
        return 0;
    search->more = more;
    return code;
}
