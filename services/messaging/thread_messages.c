/* thread_messages.c - pages of a number's or a conversation's messages, newest first.
 *
 * An index holds one direction after the other, so a page of both is two walks merged by id; ids grow with time, so a bound in time is one of ids. The position is
 * the id of the last message looked at, which need not be there any more. A page looks at no more than LOOK_MOST messages: where few of them are in the
 * state asked for it ends early. */
#include "messaging.h"
#include <string.h>

enum { LOOK_MOST = 1000, BATCH = 32 };

typedef struct walk {
    store_key_t keys[2]; /* all of the index */
    id16_t below;        /* nil = from the newest */
    const messaging_message_t *rows[BATCH];
    size_t at, count;
    bool over;
} walk_t;

typedef struct listing {
    turn_t *t;
    const messaging_thread_messages_in_t *in;
    const char *index;
    walk_t walks[2];
    size_t walk_count;
    size_t looked;
    id16_t last;
} listing_t;

static int row_take (void *context, const void *row)
{
    walk_t *walk = context;
    walk->rows[walk->count++] = row; /* lives in the arena */
    return 0;
}

static int walk_fill (listing_t *self, walk_t *walk)
{
    if (walk->at < walk->count || walk->over)
        return 0;
    store_page_t page = {.index = self->index,
                         .keys = walk->keys,
                         .key_count = 2,
                         .newest_first = true,
                         .after = walk->below,
                         .limit = BATCH};
    bool more = false;
    walk->at = walk->count = 0;
    int code = store_list (self->t->txn, &messaging_message_record, &page, self->t->arena, row_take,
                           walk, &more);
    walk->over = !more;
    if (walk->count)
        walk->below = walk->rows[walk->count - 1]->id;
    return code;
}

/* The newest that is left; NULL: there is none, or it is before the time asked for. */
static int listing_next (listing_t *self, const messaging_message_t **out)
{
    walk_t *best = NULL;
    int code = 0;
    for (size_t i = 0; i < self->walk_count && code == 0; i++) {
        walk_t *walk = &self->walks[i];
        code = walk_fill (self, walk);
        if (walk->at < walk->count &&
            (!best || id_compare (walk->rows[walk->at]->id, best->rows[best->at]->id) > 0))
            best = walk;
    }
    *out = best ? best->rows[best->at] : NULL;
    if (*out && id_time_ms ((*out)->id) < self->in->created_after)
        *out = NULL;
    else if (best)
        best->at++;
    return code;
}

/* Below every id that is made in this millisecond. */
static id16_t id_of_time (int64_t ms)
{
    id16_t id = id_nil ();
    for (size_t i = 0; i < 6; i++)
        id.b[i] = (uint8_t) ((uint64_t) ms >> (40 - 8 * i));
    return id;
}

static int position_read (turn_t *t, const messaging_thread_messages_in_t *in, id16_t *out)
{
    *out = in->created_before > 0 ? id_of_time (in->created_before) : id_nil ();
    if (!in->after.size)
        return 0;
    if (in->after.size != sizeof out->b)
        return fail (t, E_BAD_CURSOR, "after", "No such place in this list");
    memcpy (out->b, in->after.data, sizeof out->b);
    return 0;
}

static int listing_begin (listing_t *self, id16_t number)
{
    static const int32_t ways[] = {MESSAGING_DIRECTION_INBOUND, MESSAGING_DIRECTION_OUTBOUND};
    const messaging_thread_messages_in_t *in = self->in;
    bool of_one = !id_is_nil (in->conversation);
    id16_t below;
    int code = position_read (self->t, in, &below);
    self->index = of_one ? "by_conversation" : "log_of_number";
    for (size_t i = 0; i < 2; i++)
        if (!in->direction || in->direction == ways[i])
            self->walks[self->walk_count++] =
                (walk_t){.keys = {{.id = of_one ? in->conversation : number}, {.num = ways[i]}},
                         .below = below};
    return code;
}

/* A conversation that is not this number's has no messages here. */
static int conversation_check (turn_t *t, id16_t id, id16_t number, bool *out)
{
    messaging_thread_t thread = {0};
    *out = true;
    if (id_is_nil (id))
        return 0;
    int code = store_get (t->txn, &messaging_thread_record, t->ask->org, id, t->arena, &thread);
    *out = code == 0 && id_equal (thread.number, number);
    return code == E_NOT_FOUND ? 0 : code;
}

static bool time_fits (const messaging_thread_messages_in_t *in, const messaging_message_t *message)
{
    return (!in->created_after || message->created_at > in->created_after) &&
           (!in->created_before || message->created_at < in->created_before);
}

static int page_show (listing_t *self, messaging_thread_messages_out_t *out)
{
    const messaging_thread_messages_in_t *in = self->in;
    size_t limit = (size_t) in->limit, count = 0;
    messaging_message_info_t *items =
        arena_array_of (self->t->arena, messaging_message_info_t, limit);
    const messaging_message_t *message = NULL;
    int code = listing_next (self, &message);
    while (message && count < limit && self->looked < LOOK_MOST && code == 0) {
        self->looked++;
        self->last = message->id;
        if (time_fits (in, message))
            code = message_info (self->t, message, &items[count]);
        if (time_fits (in, message) && (!in->status || items[count].status == in->status))
            count++;
        if (code == 0)
            code = listing_next (self, &message);
    }
    out->messages = (schema_list_t){items, count};
    if (message)
        out->next = bytes_of (arena_memdup (self->t->arena, self->last.b, sizeof self->last.b), 16);
    return code;
}

int messaging_thread_messages (turn_t *t, const messaging_thread_messages_in_t *in,
                               messaging_thread_messages_out_t *out)
{
    messaging_number_t number = {0};
    listing_t *self = arena_new_of (t->arena, listing_t);
    bool ours = false;
    self->t = t;
    self->in = in;
    int code = number_of_ref (t, in->number_ref, &number);
    if (code == 0)
        code = conversation_check (t, in->conversation, number.id, &ours);
    if (code == 0)
        code = listing_begin (self, number.id);
    return code || !ours ? code : page_show (self, out);
}
