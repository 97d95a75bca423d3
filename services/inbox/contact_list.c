/* contact_list.c - a number's contacts, newest first: all, one by phone number, or those that a search finds. */
#include "base/text.h"
#include "inbox.h"
#include <string.h>

typedef struct listing {
    turn_t *t;
    const inbox_number_t *number;
    inbox_contact_told_t *items;
    size_t count;
} listing_t;

static int listing_add (void *context, const void *row)
{
    listing_t *self = context;
    const inbox_contact_t *contact = row;
    self->items[self->count++] = contact_told (contact, self->number->number);
    return 0;
}

static int list_all (listing_t *self, const inbox_contact_list_in_t *in, place_t from,
                     inbox_contact_list_out_t *out)
{
    bool more = false;
    store_key_t key = {.id = self->number->id}, behind = {.num = from.at};
    store_page_t page = {.index = "by_created",
                         .keys = &key,
                         .key_count = 1,
                         .newest_first = true,
                         .after = from.id,
                         .place = &behind,
                         .limit = (size_t) in->limit};
    int code = store_list (self->t->txn, &inbox_contact_record, &page, self->t->arena, listing_add,
                           self, &more);
    if (code == 0 && more) {
        const inbox_contact_told_t *last = &self->items[self->count - 1];
        out->next = page_next (self->t, (place_t){last->created_at, last->id});
    }
    return code;
}

static int list_searched (listing_t *self, const inbox_contact_list_in_t *in, place_t from,
                          inbox_contact_list_out_t *out)
{
    search_t search = {.number = self->number->id,
                       .term = text_fold (self->t->arena, in->search),
                       .from = from,
                       .most = (size_t) in->limit};
    search.found = arena_array_of (self->t->arena, place_t, search.most);
    int code = shelf_search (self->t, &search);
    for (size_t i = 0; i < search.count && code == 0; i++) {
        inbox_contact_t row = {0};
        code = store_get_any (self->t->txn, &inbox_contact_record, search.found[i].id,
                              self->t->arena, &row);
        if (code == 0)
            listing_add (self, &row);
    }
    if (code == 0 && search.more)
        out->next = page_next (self->t, search.last);
    return code;
}

static bool has (turn_t *t, const char *text, const char *term)
{
    return text && strstr (text_fold (t->arena, text), text_fold (t->arena, term));
}

/* With its "+" or without, which an unescaped one of a URL is by the time it is here (a blank). */
static int list_one (listing_t *self, const inbox_contact_list_in_t *in)
{
    inbox_contact_t row = {0};
    const char *digits = in->phone + (*in->phone == ' ' || *in->phone == '+');
    const char *phone = arena_printf (self->t->arena, "+%s", digits);
    if (!text_is_e164 (phone))
        return fail (self->t, E_INVALID_PHONE_NUMBER, "phone", "phone must be E.164");
    int code = contact_find (self->t, self->number->id, phone, &row);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    if (!in->search || has (self->t, row.name, in->search) || has (self->t, row.email, in->search))
        listing_add (self, &row);
    return 0;
}

int inbox_contact_list (turn_t *t, const inbox_contact_list_in_t *in, inbox_contact_list_out_t *out)
{
    inbox_number_t number;
    place_t from;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = page_read (t, in->after, in->limit, &from);
    if (code)
        return code;
    listing_t self = {.t = t,
                      .number = &number,
                      .items = arena_array_of (t->arena, inbox_contact_told_t, (size_t) in->limit)};
    if (in->phone)
        code = list_one (&self, in);
    else if (in->search && *in->search)
        code = list_searched (&self, in, from, out);
    else
        code = list_all (&self, in, from, out);
    out->contacts = (schema_list_t){self.items, self.count};
    return code;
}
