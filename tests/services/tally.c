/* tally.c - a service for the runtime's tests only: counts under names, and tells in its journal.
 *
 * `fail_after_write` does all that a good handler does and then fails, or asks for more memory than a request may use. */
#include "tally.h"

#include <string.h>

static int count_get (turn_t *t, const char *name, tally_count_t *out)
{
    store_key_t key = {.str = name};
    *out = (tally_count_t){0};
    return store_find (t->txn, &tally_count_record, "by_name", &key, 1, t->arena, out);
}

static int count_add (turn_t *t, const char *name, int64_t add, int64_t *total)
{
    tally_count_t row;
    int rc = count_get (t, name, &row);
    if (rc && rc != E_NOT_FOUND)
        return rc;
    if (rc)
        row = (tally_count_t){.id = turn_id (t), .name = name};
    row.total += add;
    row.version++;
    rc = store_put (t->txn, &tally_count_record, &row, NULL);
    if (rc)
        return rc;
    tally_counted_t body = {.name = name, .add = add, .total = row.total};
    event_about_t about = {.record = row.id, .version = (uint64_t) row.version};
    *total = row.total;
    turn_count (t, TALLY_COUNTER_COUNTED_TOTAL, 1);
    return event_add (t, &tally_counted_event, &about, &body);
}

int tally_incr (turn_t *t, const tally_incr_in_t *in, tally_incr_out_t *out)
{
    if (in->add < 0)
        return fail (t, E_BAD_REQUEST, "add", "Counts only grow");
    return count_add (t, in->name, in->add ? in->add : 1, &out->total);
}

int tally_incr_seen (turn_t *t, const tally_incr_seen_in_t *in, tally_incr_seen_out_t *out)
{
    return count_add (t, in->name, in->add ? in->add : 1, &out->total);
}

int tally_total (turn_t *t, const tally_total_in_t *in, tally_total_out_t *out)
{
    tally_count_t row;
    int rc = count_get (t, in->name, &row);
    out->total = row.total;
    return rc == E_NOT_FOUND ? 0 : rc;
}

int tally_fail_after_write (turn_t *t, const tally_fail_after_write_in_t *in,
                            tally_fail_after_write_out_t *out)
{
    (void) out;
    int64_t total;
    int rc = count_add (t, in->name, 1000, &total);
    if (rc)
        return rc;
    while (in->memory)
        arena_alloc (t->arena, 65536);
    return fail (t, E_CONFLICT, "name", "Fails as asked");
}

int tally_secret (turn_t *t, const tally_secret_in_t *in, tally_secret_out_t *out)
{
    (void) in;
    int64_t total;
    char text[33];
    sign_random_base62 (text, sizeof text - 1);
    out->secret = arena_printf (t->arena, "%s%s", "tally_", text);
    return count_add (t, "secrets", 1, &total);
}

/* ---- people ---- */

int tally_note (turn_t *t, const tally_note_in_t *in, tally_note_out_t *out)
{
    if (in->refuse)
        return fail (t, E_CONFLICT, "phone", "%s does not like that", in->phone);
    tally_note_t row = {.id = turn_id (t), .about = in->about, .text = in->text};
    tally_noted_t told = {
        .about = in->about, .number = in->number, .phone = in->phone, .text = in->text};
    int rc = store_insert (t->txn, &tally_note_record, &row, NULL);
    out->about = in->about;
    out->text = in->text;
    return rc ? rc : event_add (t, &tally_noted_event, &(event_about_t){.record = row.id}, &told);
}

int tally_forget (turn_t *t, const tally_forget_in_t *in, tally_forget_out_t *out)
{
    tally_forgotten_t told = {
        .about = in->about, .number = in->number, .phone = in->phone, .more = in->more};
    out->about = in->about;
    return event_add (t, &tally_forgotten_event, &(event_about_t){.record = in->about}, &told);
}

/* One that says so may not go yet. */
static int note_erase (turn_t *t, const void *row)
{
    (void) t;
    return strcmp (((const tally_note_t *) row)->text, "held") == 0 ? E_CONFLICT : 0;
}

static const svc_erase_t erases[] = {{&tally_note_record, note_erase}};

/* ---- what new followers are told ---- */

static int count_tell (turn_t *t, const void *row, event_about_t *about, void *body)
{
    (void) t;
    const tally_count_t *count = row;
    tally_counted_t *told = body;
    *about = (event_about_t){.record = count->id, .version = (uint64_t) count->version};
    *told = (tally_counted_t){.name = count->name, .total = count->total};
    return 0;
}

static const svc_snapshot_t snapshots[] = {{&tally_count_record, &tally_counted_event, count_tell}};

const svc_service_t tally = {.schema = &tally_service,
                             .snapshots = snapshots,
                             .snapshot_count = 1,
                             .erases = erases,
                             .erase_count = 1};
