/* messages_list.c - an organization's messages by status, number, app and time, newest first; for the command line.
 *
 * One index is walked, the one whose counter says that it holds the fewest of what is asked for; the other filters are held against its rows. Ids grow with
 * time, and those of a message's recipients stand between its own and the next message's, so a place in any of these indexes is a message's id and a bound
 * in time is an id too. A page reads at most ROWS_MOST rows: where few of them fit it ends early and says where to go on. */
#include "gen/accounts.h"
#include "messaging.h"

enum {
    ROWS_MOST = 1000,
    BATCH = 32, /* rows that a walk reads ahead */
    NUMBERS_MOST = 16,
    WALKS_MOST = 2 * NUMBERS_MOST,
    RECIPIENTS_EACH = 100
};

/* One walk along an index, from its newest row. */
typedef struct walk {
    const schema_record_t *record;
    const char *index;
    store_key_t keys[3]; /* all of the index */
    size_t key_count;
    id16_t below; /* nil = from the newest */
    id16_t ids[BATCH], messages[BATCH];
    const messaging_message_t *rows[BATCH]; /* NULL where the index is of recipients */
    size_t at, count;
    bool over;
} walk_t;

/* Walks that together hold all that one filter lets through, each row once. */
typedef struct plan {
    walk_t *walks;
    size_t count;
    uint64_t total; /* rows in them */
    bool exact;     /* and they are just the messages asked for */
} plan_t;

typedef struct listing {
    turn_t *t;
    const messaging_messages_list_in_t *in;
    id16_t org;
    id16_t numbers[NUMBERS_MOST];
    size_t number_count;
    int32_t direction; /* 0 = both */
    int32_t statuses[2];
    size_t status_count; /* of recipients; 0 = any */
    plan_t plan;
    bool by_recipient;
    size_t rows; /* read so far */
} listing_t;

/* ---- what is asked for ---- */

static int org_note (listing_t *self)
{
    turn_t *t = self->t;
    messaging_app_t app = {0};
    self->org = self->in->org;
    int code = 0;
    if (!id_is_nil (self->in->app))
        code = store_get_any (t->txn, &messaging_app_record, self->in->app, t->arena, &app);
    if (code == 0 && id_is_nil (self->org))
        self->org = app.org;
    if (code == E_NOT_FOUND ||
        (code == 0 && !id_is_nil (self->in->app) && !id_equal (app.org, self->org)))
        return fail (t, E_NOT_FOUND, "app", "No such app in this organization");
    if (code == 0 && id_is_nil (self->org))
        return fail (t, E_BAD_REQUEST, "org", "An organization or an app is needed");
    return code;
}

static int number_note (void *context, const void *row)
{
    listing_t *self = context;
    const messaging_route_t *route = row;
    if (self->in->channel && route->channel != self->in->channel)
        return 0;
    for (size_t i = 0; i < self->number_count; i++)
        if (id_equal (self->numbers[i], route->number_id))
            return 0;
    if (self->number_count < NUMBERS_MOST)
        self->numbers[self->number_count++] = route->number_id;
    return 0;
}

/* A number can be several: one for each channel, and again when it was given up and came back. Routes that ended are still there. */
static int numbers_note (listing_t *self)
{
    turn_t *t = self->t;
    if (!self->in->number)
        return 0;
    store_key_t keys[] = {{.id = self->org}, {.str = self->in->number}};
    store_page_t page = {
        .index = "by_org", .keys = keys, .key_count = 2, .newest_first = true, .limit = 1000};
    int code =
        store_list (t->txn, &messaging_route_record, &page, t->arena, number_note, self, NULL);
    if (code == 0 && !self->number_count)
        return fail (t, E_NOT_FOUND, "number", "%s was never a number of this organization",
                     self->in->number);
    return code;
}

/* Words of the log are wider than statuses: what went out without an answer shows as sending, what was given up for want of one as failed. */
static bool status_note (listing_t *self)
{
    static const int32_t held[][2] = {
        [MESSAGING_LOG_STATUS_QUEUED] = {MESSAGING_STATUS_QUEUED},
        [MESSAGING_LOG_STATUS_SENDING] = {MESSAGING_STATUS_SENDING, MESSAGING_STATUS_UNKNOWN},
        [MESSAGING_LOG_STATUS_SENT] = {MESSAGING_STATUS_SENT},
        [MESSAGING_LOG_STATUS_DELIVERED] = {MESSAGING_STATUS_DELIVERED},
        [MESSAGING_LOG_STATUS_READ] = {MESSAGING_STATUS_READ},
        [MESSAGING_LOG_STATUS_FAILED] = {MESSAGING_STATUS_FAILED, MESSAGING_STATUS_UNCONFIRMED},
    };
    self->direction = self->in->direction;
    if (!self->in->status)
        return true;
    int32_t meant = self->in->status == MESSAGING_LOG_STATUS_RECEIVED
                        ? MESSAGING_DIRECTION_INBOUND
                        : MESSAGING_DIRECTION_OUTBOUND;
    bool fits = !self->direction || self->direction == meant;
    self->direction = meant;
    for (size_t i = 0; i < 2 && meant == MESSAGING_DIRECTION_OUTBOUND; i++)
        if (held[self->in->status][i])
            self->statuses[self->status_count++] = held[self->in->status][i];
    return fits;
}

/* ---- which index ---- */

static int walk_add (listing_t *self, plan_t *plan, const walk_t *walk)
{
    uint64_t count = 0;
    plan->walks[plan->count++] = *walk;
    int code =
        store_count (self->t->txn, walk->record, walk->index, walk->keys, walk->key_count, &count);
    plan->total += count;
    return code;
}

static bool has_direction (const listing_t *self, int32_t direction)
{
    return !self->direction || self->direction == direction;
}

static int plan_of_numbers (listing_t *self, plan_t *plan)
{
    int code = 0;
    for (size_t i = 0; i < self->number_count; i++)
        for (int32_t way = MESSAGING_DIRECTION_INBOUND;
             way <= MESSAGING_DIRECTION_OUTBOUND && code == 0; way++) {
            walk_t walk = {.record = &messaging_message_record,
                           .index = "log_of_number",
                           .keys = {{.id = self->numbers[i]}, {.num = way}},
                           .key_count = 2};
            if (has_direction (self, way))
                code = walk_add (self, plan, &walk);
        }
    plan->exact = id_is_nil (self->in->app) && !self->status_count;
    return code;
}

/* Of the app, else of the organization. */
static int plan_of_log (listing_t *self, plan_t *plan)
{
    static const int32_t channels[] = {ACCOUNTS_CHANNEL_SMS, ACCOUNTS_CHANNEL_WHATSAPP};
    bool of_app = !id_is_nil (self->in->app);
    int code = 0;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int32_t way = MESSAGING_DIRECTION_INBOUND;
             way <= MESSAGING_DIRECTION_OUTBOUND && code == 0; way++) {
            walk_t walk = {.record = &messaging_message_record,
                           .index = of_app ? "log_of_app" : "log",
                           .keys = {{.id = of_app ? self->in->app : self->org},
                                    {.num = channels[i]},
                                    {.num = way}},
                           .key_count = 3};
            if (has_direction (self, way) &&
                (!self->in->channel || self->in->channel == channels[i]))
                code = walk_add (self, plan, &walk);
        }
    plan->exact = !self->number_count && !self->status_count;
    return code;
}

static int plan_of_status (listing_t *self, plan_t *plan)
{
    int code = 0;
    for (size_t i = 0; i < self->status_count && code == 0; i++) {
        walk_t walk = {.record = &messaging_recipient_record,
                       .index = "by_status",
                       .keys = {{.id = self->org}, {.num = self->statuses[i]}},
                       .key_count = 2};
        code = walk_add (self, plan, &walk);
    }
    return code;
}

typedef int plan_f (listing_t *self, plan_t *plan);

static int plan_try (listing_t *self, plan_f *make)
{
    plan_t plan = {.walks = arena_array_of (self->t->arena, walk_t, WALKS_MOST)};
    int code = make (self, &plan);
    if (code == 0 && (!self->plan.walks || plan.total < self->plan.total)) {
        self->plan = plan;
        self->by_recipient = make == plan_of_status;
    }
    return code;
}

static int plan_choose (listing_t *self)
{
    int code = plan_try (self, plan_of_log);
    if (code == 0 && self->number_count)
        code = plan_try (self, plan_of_numbers);
    if (code == 0 && self->status_count)
        code = plan_try (self, plan_of_status);
    return code;
}

/* ---- walking ---- */

static int walk_note (void *context, const void *row)
{
    walk_t *walk = context;
    size_t i = walk->count++;
    if (walk->record == &messaging_recipient_record) {
        const messaging_recipient_t *recipient = row;
        walk->ids[i] = recipient->id;
        walk->messages[i] = recipient->message;
        walk->rows[i] = NULL;
        return 0;
    }
    walk->rows[i] = row; /* lives in the arena */
    walk->ids[i] = walk->messages[i] = walk->rows[i]->id;
    return 0;
}

static int walk_fill (listing_t *self, walk_t *walk)
{
    store_page_t page = {.index = walk->index,
                         .keys = walk->keys,
                         .key_count = walk->key_count,
                         .newest_first = true,
                         .after = walk->below,
                         .limit = BATCH};
    bool more = false;
    if (walk->at < walk->count || walk->over)
        return 0;
    walk->at = walk->count = 0;
    int code =
        store_list (self->t->txn, walk->record, &page, self->t->arena, walk_note, walk, &more);
    walk->over = !more;
    if (walk->count)
        walk->below = walk->ids[walk->count - 1];
    self->rows += walk->count;
    return code;
}

/* The walk whose next row is the newest; NULL: all are at their end, or before the time asked for. */
static int walk_next (listing_t *self, walk_t **out)
{
    int code = 0;
    *out = NULL;
    for (size_t i = 0; i < self->plan.count && code == 0; i++) {
        walk_t *walk = &self->plan.walks[i];
        code = walk_fill (self, walk);
        if (walk->at < walk->count &&
            (!*out || id_compare (walk->ids[walk->at], (*out)->ids[(*out)->at]) > 0))
            *out = walk;
    }
    if (*out && id_time_ms ((*out)->messages[(*out)->at]) < self->in->since)
        *out = NULL;
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

static void walks_place (listing_t *self)
{
    id16_t below = self->in->after;
    id16_t until = self->in->until > 0 ? id_of_time (self->in->until) : id_nil ();
    if (!id_is_nil (until) && (id_is_nil (below) || id_compare (until, below) < 0))
        below = until;
    for (size_t i = 0; i < self->plan.count; i++)
        self->plan.walks[i].below = below;
}

/* ---- the filters that the index does not stand for ---- */

static bool number_fits (const listing_t *self, id16_t number)
{
    for (size_t i = 0; i < self->number_count; i++)
        if (id_equal (self->numbers[i], number))
            return true;
    return !self->number_count;
}

static bool message_fits (const listing_t *self, const messaging_message_t *message)
{
    const messaging_messages_list_in_t *in = self->in;
    return id_equal (message->org, self->org) &&
           (id_is_nil (in->app) || id_equal (message->log_app, in->app)) &&
           number_fits (self, message->number) &&
           (!in->channel || message->channel == in->channel) &&
           has_direction (self, message->direction);
}

typedef struct status_search {
    listing_t *listing;
    bool found;
} status_search_t;

static int status_seek (void *context, const void *row)
{
    status_search_t *search = context;
    const listing_t *self = search->listing;
    search->listing->rows++;
    for (size_t i = 0; i < self->status_count; i++)
        search->found =
            search->found || ((const messaging_recipient_t *) row)->status == self->statuses[i];
    return search->found;
}

static int status_fits (listing_t *self, const messaging_message_t *message, bool *out)
{
    status_search_t search = {.listing = self};
    store_key_t key = {.id = message->id};
    store_page_t page = {
        .index = "by_message", .keys = &key, .key_count = 1, .limit = RECIPIENTS_EACH};
    *out = true;
    if (self->by_recipient || !self->status_count)
        return 0;
    int code = store_list (self->t->txn, &messaging_recipient_record, &page, self->t->arena,
                           status_seek, &search, NULL);
    *out = search.found;
    return search.found ? 0 : code;
}

static int fits (listing_t *self, const messaging_message_t *message, bool *out)
{
    *out = message_fits (self, message);
    return *out ? status_fits (self, message, out) : 0;
}

/* ---- the page ---- */

static int message_of_walk (listing_t *self, const walk_t *walk, const messaging_message_t **out)
{
    turn_t *t = self->t;
    *out = walk->rows[walk->at];
    if (*out)
        return 0;
    messaging_message_t *message = arena_new_of (t->arena, messaging_message_t);
    *out = message;
    self->rows++;
    return store_get_any (t->txn, &messaging_message_record, walk->messages[walk->at], t->arena,
                          message);
}

/* One more message, where it fits; *last is the one seen last. A recipient whose message is just being removed shows nothing. */
static int page_step (listing_t *self, walk_t *walk, messaging_messages_list_out_t *out,
                      id16_t *last)
{
    const messaging_message_t *message = NULL;
    messaging_log_message_t *items = out->messages.items;
    bool shown = false;
    if (id_equal (walk->messages[walk->at], *last)) { /* another recipient of it */
        walk->at++;
        return 0;
    }
    *last = walk->messages[walk->at];
    int code = message_of_walk (self, walk, &message);
    walk->at++;
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    out->next_test = message->test;
    out->next_channel = message->channel;
    code = fits (self, message, &shown);
    if (code || !shown)
        return code;
    return log_told (self->t, message, &items[out->messages.count++], &self->rows);
}

static int page_walk (listing_t *self, messaging_messages_list_out_t *out)
{
    size_t limit = (size_t) self->in->limit;
    id16_t last = id_nil ();
    walk_t *walk = NULL;
    out->messages.items = arena_array_of (self->t->arena, messaging_log_message_t, limit);
    int code = walk_next (self, &walk);
    while (code == 0 && walk &&
           (id_equal (walk->messages[walk->at], last) ||
            (out->messages.count < limit && self->rows < ROWS_MOST))) {
        code = page_step (self, walk, out, &last);
        if (code == 0)
            code = walk_next (self, &walk);
    }
    if (walk)
        out->next = last;
    return code;
}

int messaging_messages_list (turn_t *t, const messaging_messages_list_in_t *in,
                             messaging_messages_list_out_t *out)
{
    listing_t self = {.t = t, .in = in};
    int code = org_note (&self);
    if (code == 0)
        code = numbers_note (&self);
    if (code || !status_note (&self))
        return code;
    code = plan_choose (&self);
    if (code)
        return code;
    out->counted = self.plan.exact && !in->since && !in->until;
    out->total = out->counted ? (int64_t) self.plan.total : 0;
    walks_place (&self);
    return page_walk (&self, out);
}
