/* thread_state.c - a thread as it is now, read from its messages: for snapshots, for what a read receipt leaves unread, and for threads of old messages. */
#include "messaging.h"

enum { UNREAD_MOST = 1000, PER_WALK = 50 };

typedef struct newest {
    messaging_message_t row;
    bool found;
} newest_t;

static int newest_take (void *context, const void *row)
{
    newest_t *self = context;
    self->row = *(const messaging_message_t *) row;
    self->found = true;
    return 0;
}

static int newest_of (turn_t *t, id16_t conversation, int32_t direction, newest_t *out)
{
    store_key_t keys[] = {{.id = conversation}, {.num = direction}};
    store_page_t page = {
        .index = "by_conversation", .keys = keys, .key_count = 2, .newest_first = true, .limit = 1};
    return store_list (t->txn, &messaging_message_record, &page, t->arena, newest_take, out, NULL);
}

static int unread_count (void *context, const void *row)
{
    thread_unread_t *self = context;
    const messaging_message_t *message = row;
    if (message->read_at) {
        self->newest_read = message->id;
        return E_ALREADY_EXISTS; /* found: no further */
    }
    return ++self->unread < UNREAD_MOST ? 0 : E_ALREADY_EXISTS;
}

int thread_unread (turn_t *t, id16_t conversation, thread_unread_t *out)
{
    store_key_t keys[] = {{.id = conversation}, {.num = MESSAGING_DIRECTION_INBOUND}};
    store_page_t page = {.index = "by_conversation",
                         .keys = keys,
                         .key_count = 2,
                         .newest_first = true,
                         .limit = UNREAD_MOST};
    *out = (thread_unread_t){0};
    int code =
        store_list (t->txn, &messaging_message_record, &page, t->arena, unread_count, out, NULL);
    return code == E_ALREADY_EXISTS ? 0 : code;
}

const char *message_text (const messaging_message_t *message)
{
    const messaging_body_t *body = message->body;
    if (message->text || !body)
        return message->text;
    if (body->media && body->media->caption)
        return body->media->caption;
    return body->interactive ? body->interactive->body : NULL;
}

static int messages_tell (turn_t *t, const messaging_thread_t *thread,
                          messaging_thread_state_t *out)
{
    newest_t in = {0}, sent = {0};
    thread_unread_t unread = {0};
    int code = newest_of (t, thread->id, MESSAGING_DIRECTION_INBOUND, &in);
    if (code == 0)
        code = newest_of (t, thread->id, MESSAGING_DIRECTION_OUTBOUND, &sent);
    if (code == 0 && in.found)
        code = thread_unread (t, thread->id, &unread);
    if (code || (!in.found && !sent.found))
        return code;
    bool later = !sent.found || (in.found && id_compare (in.row.id, sent.row.id) > 0);
    const messaging_message_t *last = later ? &in.row : &sent.row;
    out->last_message = last->id;
    out->last_message_at = last->created_at;
    out->last_direction = last->direction;
    out->last_text = message_text (last);
    out->last_inbound_at = in.row.created_at;
    out->unread = unread.unread;
    return 0;
}

int thread_state_fill (turn_t *t, const void *row, event_about_t *about, void *body)
{
    const messaging_thread_t *thread = row;
    messaging_thread_state_t *out = body;
    messaging_thread_told_t *told = arena_new_of (t->arena, messaging_thread_told_t);
    thread_number_tell (t, thread->number, told);
    told->conversation = thread->id;
    told->contact = thread->contact;
    told->peer = thread->peer;
    told->name = thread->name;
    *out = (messaging_thread_state_t){.thread = told, .created_at = thread->created_at};
    *about = (event_about_t){.record = thread->id,
                             .version = (uint64_t) thread->version,
                             .org = thread->org,
                             .test = thread->test};
    return messages_tell (t, thread, out);
}

/* ---- messages older than threads ---- */

typedef struct old_page {
    id16_t until;
    messaging_message_t *rows;
    size_t count;
    bool over;
} old_page_t;

static const id16_t fill_id = {.b = {[15] = 1}};

static int old_take (void *context, const void *row)
{
    old_page_t *page = context;
    const messaging_message_t *message = row;
    page->over = id_compare (message->id, page->until) > 0;
    if (page->over)
        return E_ALREADY_EXISTS;
    page->rows[page->count++] = *message;
    return 0;
}

static int fill_messages (turn_t *t, messaging_thread_fill_t *fill)
{
    old_page_t old = {.until = fill->until,
                      .rows = arena_array_of (t->arena, messaging_message_t, PER_WALK)};
    store_page_t page = {.after = fill->after, .limit = PER_WALK};
    bool more = false;
    int code =
        store_list (t->txn, &messaging_message_record, &page, t->arena, old_take, &old, &more);
    if (code == E_ALREADY_EXISTS)
        code = 0;
    for (size_t i = 0; i < old.count && code == 0; i++) {
        bool lacks = id_is_nil (old.rows[i].conversation);
        code = thread_enter_late (t, &old.rows[i]);
        fill->filled += lacks && !id_is_nil (old.rows[i].conversation);
    }
    if (old.count)
        fill->after = old.rows[old.count - 1].id;
    if (old.over || !more) {
        fill->telling = true;
        fill->after = id_nil ();
        fill->done = !fill->filled;
    }
    return code;
}

typedef struct thread_page {
    messaging_thread_t *rows;
    size_t count;
} thread_page_t;

static int thread_take (void *context, const void *row)
{
    thread_page_t *page = context;
    page->rows[page->count++] = *(const messaging_thread_t *) row;
    return 0;
}

int thread_state_tell (turn_t *t, const messaging_thread_t *thread)
{
    event_about_t about = {0};
    messaging_thread_state_t state = {0};
    int code = thread_state_fill (t, thread, &about, &state);
    return code ? code : event_add (t, &messaging_thread_state_event, &about, &state);
}

static int fill_tell (turn_t *t, messaging_thread_fill_t *fill)
{
    thread_page_t threads = {.rows = arena_array_of (t->arena, messaging_thread_t, PER_WALK)};
    store_page_t page = {.after = fill->after, .limit = PER_WALK};
    bool more = false;
    int code = store_list (t->txn, &messaging_thread_record, &page, t->arena, thread_take, &threads,
                           &more);
    for (size_t i = 0; i < threads.count && code == 0; i++)
        code = thread_state_tell (t, &threads.rows[i]);
    if (threads.count)
        fill->after = threads.rows[threads.count - 1].id;
    fill->done = !more;
    return code;
}

static int fill_begin (turn_t *t, messaging_thread_fill_t *fill)
{
    newest_t newest = {0};
    store_page_t page = {.newest_first = true, .limit = 1};
    int code =
        store_list (t->txn, &messaging_message_record, &page, t->arena, newest_take, &newest, NULL);
    *fill = (messaging_thread_fill_t){.id = fill_id, .until = newest.row.id, .done = !newest.found};
    return code;
}

int thread_fill (turn_t *t)
{
    messaging_thread_fill_t fill = {0};
    int code = store_get_any (t->txn, &messaging_thread_fill_record, fill_id, t->arena, &fill);
    if (code == 0 && fill.done)
        return 0;
    if (code == E_NOT_FOUND)
        code = fill_begin (t, &fill);
    else if (code == 0)
        code = fill.telling ? fill_tell (t, &fill) : fill_messages (t, &fill);
    if (code == 0)
        code = store_put (t->txn, &messaging_thread_fill_record, &fill, NULL);
    return code == 0 && !fill.done ? E_CONFLICT_RETRY : code;
}
