/* erase.c - the walk that takes what was erased out of every table. See erase.h.
 *
 * svc.erase   sequence (8)   -> [Unix ms, ids, ids beside, texts...]: what is to be erased; goes when nothing of it is left
 * svc.erased  id (16)        -> [Unix ms asked, Unix ms done or 0]: the receipt
 * svc.state   "erase"        -> [newest of the pass, table, key, something was left]: how far the walk is
 *
 * A pass is for all that was to be erased when it began; what comes meanwhile is for the next one. A step that fails is undone and run again. */
#include "svc/again.h"
#include "svc/erase_walk.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOKS_MOST = 2000,
    WRITES_MOST = 500,
    BYTES_MOST = 4 << 20,
    PASS_IDS = 32768,
    PASS_ROWS = 64,
    RETRY_MS = 1000,
    RETRY_MS_MAX = 60000,
    KEY_SIZE = 480
};

typedef struct place {
    uint64_t newest; /* of the pass; 0 = there is none under way */
    int64_t table;
    uint8_t key[KEY_SIZE]; /* the last that was looked at; empty = none */
    size_t key_size;
    bool left; /* something may not go yet */
} place_t;

struct erase {
    place_t place;
    erase_match_t *match; /* of the pass; NULL = to be made */
    bool idle;            /* nothing is to be erased */
    int64_t next;         /* Unix ms: the next pass, after one that left something */
    int64_t retry_ms;

    /* before this turn */
    place_t place_before;
    bool idle_before;
    int64_t next_before, retry_before;
    unsigned long long pending_told, rows_told;
};

static uint64_t number_of (bytes_t key)
{
    return key.size == 8 ? u64_read (key.data) : 0;
}

static table_t *table_of (turn_t *t, const char *name)
{
    return store_table (t->svc->store, name);
}

/* ---- the place ---- */

static int place_store (turn_t *t, const place_t *place)
{
    buf_t row = {0};
    mp_array (&row, 4);
    mp_int (&row, (int64_t) place->newest);
    mp_int (&row, place->table);
    mp_bin (&row, place->key, place->key_size);
    mp_bool (&row, place->left);
    int rc = buf_failed (&row) ? E_NO_MEMORY
                               : kv_put (t->txn, table_of (t, "svc.state"), bytes_of_str ("erase"),
                                         buf_bytes (&row));
    buf_free (&row);
    return rc;
}

static int place_load (svc_t *svc, txn_t *txn, place_t *out)
{
    bytes_t row;
    *out = (place_t){0};
    int rc = kv_get (txn, store_table (svc->store, "svc.state"), bytes_of_str ("erase"), &row);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    mp_reader_t in = mp_read (row);
    mp_read_array (&in);
    out->newest = (uint64_t) mp_read_int (&in);
    out->table = mp_read_int (&in);
    bytes_t key = mp_read_bin (&in);
    out->left = mp_read_bool (&in);
    if (in.failed || key.size > sizeof out->key)
        return E_CORRUPT;
    out->key_size = key.size;
    if (key.size)
        memcpy (out->key, key.data, key.size);
    return 0;
}

int erase_open (svc_t *svc)
{
    writer_t *w = &svc->writer;
    uint64_t pending = 0;
    w->erase = calloc (1, sizeof *w->erase);
    if (!w->erase)
        return E_NO_MEMORY;
    int rc = kv_count (w->txn, store_table (svc->store, "svc.erase"), &pending);
    atomic_store (&svc->metrics.erase_pending, pending);
    return rc ? rc : place_load (svc, w->txn, &w->erase->place);
}

void erase_close (svc_t *svc)
{
    if (svc->writer.erase)
        erase_match_free (&svc->writer.erase->match);
    free (svc->writer.erase);
    svc->writer.erase = NULL;
}

void erase_mark (writer_t *w)
{
    erase_t *self = w->erase;
    self->place_before = self->place;
    self->idle_before = self->idle;
    self->next_before = self->next;
    self->retry_before = self->retry_ms;
    self->pending_told = atomic_load (&w->svc->metrics.erase_pending);
    self->rows_told = atomic_load (&w->svc->metrics.erase_rows);
}

/* What is looked for may be of a pass that began or ended in the turn: it is made again. */
void erase_unmark (writer_t *w)
{
    erase_t *self = w->erase;
    erase_match_free (&self->match);
    self->place = self->place_before;
    self->idle = self->idle_before;
    self->next = self->next_before;
    self->retry_ms = self->retry_before;
    atomic_store (&w->svc->metrics.erase_pending, self->pending_told);
    atomic_store (&w->svc->metrics.erase_rows, self->rows_told);
}

/* ---- receipts ---- */

static int receipt_put (turn_t *t, id16_t id, int64_t asked, int64_t done)
{
    buf_t row = {0};
    mp_array (&row, 2);
    mp_int (&row, asked);
    mp_int (&row, done);
    int rc = buf_failed (&row) ? E_NO_MEMORY
                               : kv_put (t->txn, table_of (t, "svc.erased"),
                                         bytes_of (id.b, sizeof id.b), buf_bytes (&row));
    buf_free (&row);
    return rc;
}

int erase_receipt (svc_t *svc, txn_t *txn, id16_t id, int64_t *asked, int64_t *done)
{
    bytes_t row;
    table_t *table = store_table (svc->store, "svc.erased");
    int rc = table ? kv_get (txn, table, bytes_of (id.b, sizeof id.b), &row) : E_NOT_FOUND;
    if (rc)
        return rc;
    mp_reader_t in = mp_read (row);
    mp_read_array (&in);
    *asked = mp_read_int (&in);
    *done = mp_read_int (&in);
    return in.failed ? E_CORRUPT : 0;
}

int erase_find (turn_t *t, id16_t id)
{
    int64_t asked, done;
    return erase_receipt (t->svc, t->txn, id, &asked, &done);
}

/* ---- what is to be erased ---- */

typedef struct wish {
    buf_t ids, beside, texts;
    unsigned text_count;
} wish_t;

static bool is_listed (const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp (*names, name) == 0)
            return true;
    return false;
}

static void wish_add (wish_t *wish, const schema_field_t *field, const void *body, bool listed)
{
    const void *at = (const char *) body + field->offset;
    buf_t *ids = listed ? &wish->ids : &wish->beside;
    if (field->kind == SK_ID && !id_is_nil (*(const id16_t *) at))
        buf_add (ids, at, sizeof (id16_t));
    if (!listed)
        return;
    if (field->kind == SK_LIST && field->item == SK_ID) {
        const schema_list_t *list = at;
        buf_add (ids, list->items, list->count * sizeof (id16_t));
    }
    const char *text = field->kind == SK_STR ? *(const char *const *) at : NULL;
    if (text && *text) {
        mp_str (&wish->texts, text);
        wish->text_count++;
    }
}

static int wish_store (turn_t *t, const wish_t *wish)
{
    table_t *table = table_of (t, "svc.erase");
    kv_cursor_t walk = {.table = table, .reverse = true};
    bytes_t key, value;
    uint8_t space[8];
    uint64_t last = 0;
    int rc = kv_next (t->txn, &walk, &key, &value);
    if (!rc)
        last = number_of (key);
    kv_stop (&walk);
    if (rc && rc != E_NOT_FOUND)
        return rc;
    if (t->svc->writer.erase && last < t->svc->writer.erase->place.newest)
        last = t->svc->writer.erase->place.newest; /* no pass takes it for one of its own */
    u64_write (last + 1, space);
    buf_t row = {0};
    mp_array (&row, 3 + wish->text_count);
    mp_int (&row, t->now);
    mp_bin (&row, wish->ids.data, wish->ids.size);
    mp_bin (&row, wish->beside.data, wish->beside.size);
    buf_add (&row, wish->texts.data, wish->texts.size);
    rc = buf_failed (&row) ? E_NO_MEMORY
                           : kv_put (t->txn, table, bytes_of (space, 8), buf_bytes (&row));
    buf_free (&row);
    return rc;
}

static int receipts_open (turn_t *t, const wish_t *wish)
{
    int rc = 0;
    for (size_t at = 0; !rc && at < wish->ids.size; at += sizeof (id16_t)) {
        id16_t id;
        memcpy (id.b, wish->ids.data + at, sizeof id.b);
        rc = erase_find (t, id);
        rc = rc == E_NOT_FOUND ? receipt_put (t, id, t->now, 0) : rc;
    }
    return rc;
}

/* A snapshot tells of all that ever was erased: what is known needs no walk again. */
static bool is_new (turn_t *t, const wish_t *wish)
{
    id16_t id;
    if (!wish->ids.size)
        return true;
    memcpy (id.b, wish->ids.data, sizeof id.b);
    return erase_find (t, id) != 0;
}

int erase_heard (turn_t *t, const schema_event_t *event, const void *body, bool snapshot)
{
    wish_t wish = {0};
    if (!event->erases || !t->svc->store || t->inner->readonly)
        return 0;
    for (size_t i = 0; i < event->type->field_count; i++) {
        const schema_field_t *field = &event->type->fields[i];
        wish_add (&wish, field, body, is_listed (event->erases, field->name));
    }
    bool failed = buf_failed (&wish.ids) || buf_failed (&wish.beside) || buf_failed (&wish.texts);
    int rc = failed ? E_NO_MEMORY : 0;
    bool walks = wish.ids.size || wish.text_count;
    if (!rc && walks && (!snapshot || is_new (t, &wish)))
        rc = wish_store (t, &wish);
    if (!rc)
        rc = receipts_open (t, &wish);
    buf_free (&wish.ids);
    buf_free (&wish.beside);
    buf_free (&wish.texts);
    if (t->svc->writer.erase)
        t->svc->writer.erase->idle = false; /* only a hint: the walk looks */
    return rc;
}

/* ---- a pass ---- */

static int ids_add (erase_match_t *match, bytes_t ids, int64_t until)
{
    int rc = 0;
    for (size_t at = 0; !rc && at + sizeof (id16_t) <= ids.size; at += sizeof (id16_t)) {
        id16_t id;
        memcpy (id.b, ids.data + at, sizeof id.b);
        rc = erase_match_add_id (match, id, until);
    }
    return rc;
}

static int texts_add (erase_match_t *match, mp_reader_t *in, int64_t until, bytes_t beside,
                      arena_t *arena)
{
    size_t count = beside.size / sizeof (id16_t);
    id16_t *ids = arena_memdup (arena, beside.data, beside.size);
    int rc = 0;
    while (!rc && !in->failed && in->at < in->end) {
        bytes_t text = mp_read_str (in);
        if (in->failed)
            break;
        erase_text_t add = {.until = until, .beside = ids, .beside_count = count};
        add.text = arena_strndup (arena, (const char *) text.data, text.size);
        rc = erase_match_add_text (match, &add);
    }
    return rc;
}

static int row_add (erase_match_t *match, bytes_t row, arena_t *arena)
{
    mp_reader_t in = mp_read (row);
    mp_read_array (&in);
    int64_t at = mp_read_int (&in);
    bytes_t ids = mp_read_bin (&in), beside = mp_read_bin (&in);
    if (in.failed)
        return E_CORRUPT;
    int rc = ids_add (match, ids, at);
    return rc ? rc : texts_add (match, &in, at, beside, arena);
}

typedef struct making {
    erase_match_t *match;
    uint64_t newest, last;
} making_t;

static int match_fill (turn_t *t, void *context)
{
    making_t *m = context;
    kv_cursor_t walk = {.table = table_of (t, "svc.erase")};
    bytes_t key, value;
    int rc = 0;
    for (int n = 0; !rc && (m->newest || n < PASS_ROWS) &&
                    (m->newest || erase_match_ids (m->match) < PASS_IDS) &&
                    !(rc = kv_next (t->txn, &walk, &key, &value));
         n++) {
        if (m->newest && number_of (key) > m->newest)
            break;
        m->last = number_of (key);
        rc = row_add (m->match, value, t->arena);
    }
    kv_stop (&walk);
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* All up to `newest`, or as many as a pass takes, which gives `newest`. E_NOT_FOUND: nothing is to be erased. In a trap of its own: what is made is on the heap. */
static int match_make (turn_t *t, uint64_t *newest, erase_match_t **out)
{
    making_t m = {.match = erase_match_new (), .newest = *newest};
    int rc = m.match ? turn_trapped (t, match_fill, &m) : E_NO_MEMORY;
    if (!rc && !m.last)
        rc = E_NOT_FOUND;
    if (!rc && !*newest)
        *newest = m.last;
    if (rc)
        erase_match_free (&m.match);
    *out = m.match;
    return rc;
}

/* ---- its end ---- */

static int receipts_done (turn_t *t, bytes_t ids)
{
    int rc = 0;
    for (size_t at = 0; !rc && at + sizeof (id16_t) <= ids.size; at += sizeof (id16_t)) {
        id16_t id;
        int64_t asked = t->now, done = 0;
        memcpy (id.b, ids.data + at, sizeof id.b);
        rc = erase_receipt (t->svc, t->txn, id, &asked, &done);
        if (!rc || rc == E_NOT_FOUND)
            rc = receipt_put (t, id, asked, t->now);
    }
    return rc;
}

/* Nothing of it is left here: receipts say so. A few in a step. */
static int rows_finish (turn_t *t, uint64_t newest, bool *more)
{
    kv_cursor_t walk = {.table = table_of (t, "svc.erase")};
    bytes_t key, value;
    size_t writes = 0;
    int rc = 0;
    while (!rc && writes < WRITES_MOST && !(rc = kv_next (t->txn, &walk, &key, &value))) {
        uint8_t space[8];
        if (number_of (key) > newest) {
            rc = E_NOT_FOUND;
            break;
        }
        u64_write (number_of (key), space);
        mp_reader_t in = mp_read (value);
        mp_read_array (&in);
        mp_read_int (&in);
        bytes_t ids = mp_read_bin (&in);
        ids = bytes_of (arena_memdup (t->arena, ids.data, ids.size), ids.size);
        rc = receipts_done (t, ids);
        if (!rc)
            rc = kv_del (t->txn, walk.table, bytes_of (space, 8));
        writes += 1 + ids.size / sizeof (id16_t);
    }
    kv_stop (&walk);
    *more = !rc;
    return rc == E_NOT_FOUND ? 0 : rc;
}

/* ---- steps ---- */

/* Rows of one table from the place on; *over: its end was reached. */
static int table_walk (turn_t *t, erase_walk_t *w, place_t *place, const erase_table_t *row,
                       bool *over)
{
    kv_cursor_t walk = {.table = table_of (t, row->name), .after = true};
    bytes_t key, value;
    int rc = 0;
    uint8_t from[KEY_SIZE];
    *over = !walk.table;
    if (!walk.table)
        return 0;
    memcpy (from, place->key, place->key_size);
    walk.from = bytes_of (from, place->key_size);
    while (!rc && w->looks < LOOKS_MOST && w->writes < WRITES_MOST && w->bytes < BYTES_MOST &&
           !(rc = kv_next (t->txn, &walk, &key, &value))) {
        if (key.size > sizeof place->key) {
            rc = E_CORRUPT;
            break;
        }
        memcpy (place->key, key.data, key.size);
        place->key_size = key.size;
        w->looks++;
        w->bytes += value.size;
        w->record = row->record;
        rc = row->look (t, w, bytes_of (place->key, place->key_size), value);
        arena_reset (w->arena);
    }
    kv_stop (&walk);
    *over = rc == E_NOT_FOUND;
    return *over ? 0 : rc;
}

static int pass_walk (turn_t *t, erase_t *self, place_t *place, bool *over)
{
    erase_walk_t w = {.match = self->match, .arena = arena_new (ASK_MEMORY)};
    erase_table_t row;
    int rc = w.arena ? 0 : E_NO_MEMORY;
    *over = false;
    while (!rc && w.looks < LOOKS_MOST && w.writes < WRITES_MOST && w.bytes < BYTES_MOST) {
        bool end;
        if (!erase_table (t->svc, (size_t) place->table, &row)) {
            *over = true;
            break;
        }
        rc = table_walk (t, &w, place, &row, &end);
        if (!rc && end) {
            place->table++;
            place->key_size = 0;
        }
    }
    place->left = place->left || w.left;
    atomic_fetch_add (&t->svc->metrics.erase_rows, rc ? 0 : w.writes);
    arena_destroy (&w.arena);
    return rc;
}

/* The pass is over: what it was for is done, or comes again later. */
static int pass_end (turn_t *t, erase_t *self, place_t *place, bool *more)
{
    int rc = place->left ? 0 : rows_finish (t, place->newest, more);
    if (rc || *more)
        return rc;
    self->retry_ms = !place->left                        ? 0
                     : !self->retry_ms                   ? RETRY_MS
                     : self->retry_ms * 2 < RETRY_MS_MAX ? self->retry_ms * 2
                                                         : RETRY_MS_MAX;
    self->next = t->now + self->retry_ms;
    *place = (place_t){0};
    *more = !self->retry_ms;
    return 0;
}

static int pending_count (turn_t *t)
{
    uint64_t pending = 0;
    int rc = kv_count (t->txn, table_of (t, "svc.erase"), &pending);
    atomic_store (&t->svc->metrics.erase_pending, pending);
    return rc;
}

int erase_run (turn_t *t)
{
    erase_t *self = t->svc->writer.erase;
    place_t place = self->place;
    bool more = false, over = false;
    bool rests = !place.newest && self->next > t->now && self->next <= t->now + RETRY_MS_MAX;
    if (self->idle || rests)
        return 0;
    int rc = self->match ? 0 : match_make (t, &place.newest, &self->match);
    if (rc == E_NOT_FOUND) {
        self->idle = true;
        return pending_count (t);
    }
    if (!rc)
        rc = pass_walk (t, self, &place, &over);
    if (!rc && over)
        rc = pass_end (t, self, &place, &more);
    if (!rc)
        rc = place_store (t, &place);
    if (!rc)
        rc = pending_count (t);
    if (!place.newest || rc)
        erase_match_free (&self->match);
    if (rc)
        return rc;
    self->place = place;
    return !over || more ? E_CONFLICT_RETRY : 0;
}
