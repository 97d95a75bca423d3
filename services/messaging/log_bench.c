/* log_bench.c - what a page of the message logs costs at the start, in the middle and at the end of them, for each filter and for combinations.
 *
 *   bench_logs [--messages N] [--rounds N]
 *
 * Fills a store of messaging through its handlers in this process: sends and inbound messages over 30 days, four apps with four numbers each, both channels,
 * run by the loopback carrier to their statuses; a fifth of it is another organization's. A list kept beside says what every page must hold. Then each filter's
 * pages are asked for in turn as reads, answers packed and unpacked, and the medians of this thread's CPU time told (others share the machine), with the ratio of the dearest place to the cheapest and the bar.
 * Prints, and fails nothing but what is wrong: a page or a total that is not that of the list ends it. The store lies in TMPDIR. */
#include "bench_world.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    APPS = 5, /* the last is the other organization's */
    NUMBERS = 4,
    TURN = 64,
    DAYS = 30,
    PERSONS = 10000,
    PAGE = 50,
    ROUNDS_MOST = 25,
    FATES = 5
};
static const int64_t day_ms = 86400000;
static const double bar = 2;
static const id16_t orgs[] = {{{1}}, {{2}}};

/* What becomes of a message, by the number that it goes to. */
static const struct {
    const char *to; /* NULL = anybody */
    int32_t sms, whatsapp;
} fates[FATES] = {
    {NULL, MESSAGING_LOG_STATUS_DELIVERED, MESSAGING_LOG_STATUS_READ},
    {NULL, MESSAGING_LOG_STATUS_DELIVERED, MESSAGING_LOG_STATUS_READ},
    {NULL, MESSAGING_LOG_STATUS_DELIVERED, MESSAGING_LOG_STATUS_READ},
    {"+99930005", MESSAGING_LOG_STATUS_SENT, MESSAGING_LOG_STATUS_SENT},
    {"+999140008", MESSAGING_LOG_STATUS_FAILED, MESSAGING_LOG_STATUS_READ},
};

typedef struct kept {
    id16_t id;
    uint8_t app, number, channel, direction, status, day;
} kept_t;

typedef struct bench {
    optest_t *test;
    kept_t *rows;
    size_t count, most, rounds;
    uint64_t seed;
    unsigned day;
    int64_t day_began[DAYS + 1];
    bool missed;
} bench_t;

static unsigned dice (bench_t *self, unsigned sides)
{
    return (unsigned) (dice_next (&self->seed) % sides);
}

/* ---- who there is ---- */

static id16_t app_org (unsigned app)
{
    return orgs[app + 1 == APPS];
}

static const char *number_text (unsigned app, unsigned number, char out[16])
{
    snprintf (out, 16, "+1555000%u%02u0", app % 10, number % 100);
    return out;
}

static int32_t number_channel (unsigned number)
{
    return number == NUMBERS - 1 ? ACCOUNTS_CHANNEL_WHATSAPP : ACCOUNTS_CHANNEL_SMS;
}

static const char *account_ref (unsigned app, char out[16])
{
    snprintf (out, 16, "90000000%u", app);
    return out;
}

/* The app's WhatsApp number, as those know it who write from numbers. */
static void account_add (bench_t *self, unsigned app)
{
    char text[16], ref[16];
    event_about_t about = {.record = world_number (app, NUMBERS - 1),
                           .version = 1,
                           .org = app_org (app),
                           .test = true};
    accounts_number_changed_t row = {.id = about.record,
                                     .org = about.org,
                                     .number = number_text (app, NUMBERS - 1, text),
                                     .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                     .carrier = ACCOUNTS_CARRIER_LOOPBACK,
                                     .test = true,
                                     .ref = account_ref (app, ref),
                                     .status = ACCOUNTS_NUMBER_STATUS_CONNECTED};
    must (!optest_follow (self->test, &accounts_number_changed_event, &about, &row, NULL),
          "an account");
}

static void app_add (bench_t *self, unsigned app)
{
    char text[16];
    world_app_add (self->test, app_org (app), app);
    for (unsigned n = 0; n < NUMBERS; n++)
        world_number_add (self->test, app_org (app), app, n, number_text (app, n, text),
                          number_channel (n));
    account_add (self, app);
}

/* ---- filling ---- */

static int out_add (turn_t *t, kept_t *row, const char *to, const char *from)
{
    const char *list[] = {to};
    messaging_sms_send_in_t sms = {.from = from, .to = {list, 1}, .text = "Your parcel is here."};
    messaging_sms_send_out_t sent = {0};
    messaging_whatsapp_send_in_t whatsapp = {.from = from,
                                             .to = to,
                                             .kind = MESSAGING_KIND_TEXT,
                                             .text = "Your parcel is here.",
                                             .window = MESSAGING_WINDOW_POLICY_LET_FAIL};
    messaging_whatsapp_send_out_t posted = {0};
    bool is_sms = row->channel == ACCOUNTS_CHANNEL_SMS;
    int code = is_sms ? messaging_sms_send (t, &sms, &sent)
                      : messaging_whatsapp_send (t, &whatsapp, &posted);
    row->id = is_sms ? sent.id : posted.id;
    return code;
}

/* The handler does not tell the id of what came in: it is the newest of its number. */
static int newest_note (void *context, const void *row)
{
    ((kept_t *) context)->id = ((const messaging_message_t *) row)->id;
    return 0;
}

static int in_add (turn_t *t, kept_t *row, const char *from, const char *to)
{
    provider_event_t event = {.org = app_org (row->app),
                              .number = world_number (row->app, row->number),
                              .whatsapp = row->channel == ACCOUNTS_CHANNEL_WHATSAPP,
                              .from = from,
                              .to = to,
                              .text = "Thank you!"};
    store_page_t page = {.newest_first = true, .limit = 1};
    inbound_call_t call = {.id = turn_id (t), .body = bytes_of_str ("{}")};
    int code = inbound_take (t, ACCOUNTS_CARRIER_LOOPBACK, &event, &call);
    return code ? code
                : store_list (t->txn, &messaging_message_record, &page, t->arena, newest_note, row,
                              NULL);
}

static int message_add (turn_t *t, bench_t *self)
{
    char ours[16], person[24];
    kept_t *row = &self->rows[self->count++];
    unsigned fate = dice (self, FATES);
    *row = (kept_t){.app = (uint8_t) dice (self, APPS),
                    .number = (uint8_t) dice (self, NUMBERS),
                    .direction =
                        dice (self, 3) ? MESSAGING_DIRECTION_OUTBOUND : MESSAGING_DIRECTION_INBOUND,
                    .day = (uint8_t) self->day};
    row->channel = (uint8_t) number_channel (row->number);
    number_text (row->app, row->number, ours);
    snprintf (person, sizeof person, "+1312555%04u", dice (self, PERSONS));
    envelope_t header = {.org = app_org (row->app),
                         .app = world_app (row->app),
                         .test = true,
                         .principal = PRINCIPAL_APP_KEY,
                         .request_id = "req_bench"};
    const envelope_t *before = t->ask;
    t->ask = &header;
    bool out = row->direction == MESSAGING_DIRECTION_OUTBOUND;
    row->status = (uint8_t) (!out                                   ? MESSAGING_LOG_STATUS_RECEIVED
                             : row->channel == ACCOUNTS_CHANNEL_SMS ? fates[fate].sms
                                                                    : fates[fate].whatsapp);
    int code = out ? out_add (t, row, fates[fate].to ? fates[fate].to : person, ours)
                   : in_add (t, row, person, ours);
    t->ask = before;
    return code;
}

static int turn_fill (turn_t *t, void *context)
{
    bench_t *self = context;
    int code = 0;
    for (unsigned i = 0; i < TURN && self->count < self->most && code == 0; i++)
        code = message_add (t, self);
    return code;
}

/* What the carrier was given it answers at once; false: nothing was under way. */
static bool carrier_turn (bench_t *self)
{
    size_t count = 0;
    must (!optest_jobs_all (self->test, 0, &count), "a turn of the carrier");
    return count > 0;
}

static void fill (bench_t *self)
{
    double began = clock_us (CLOCK_MONOTONIC);
    self->day_began[0] = clock_now_ms ();
    while (self->count < self->most) {
        must (!optest_run (self->test, turn_fill, self), "a turn of messages");
        carrier_turn (self);
        if (self->count * DAYS / self->most > self->day && self->day + 1 < DAYS) {
            must (!optest_advance (self->test, day_ms), "a day");
            self->day_began[++self->day] = clock_now_ms ();
        }
    }
    for (unsigned quiet = 0; quiet < 10;) {
        quiet = carrier_turn (self) ? 0 : quiet + 1;
        must (!optest_advance (self->test, 20), "a moment");
    }
    self->day_began[DAYS] = clock_now_ms () + 1;
    printf ("%zu messages in %.0f s, %.0f/s\n", self->count,
            (clock_us (CLOCK_MONOTONIC) - began) / 1e6,
            (double) self->count / ((clock_us (CLOCK_MONOTONIC) - began) / 1e6));
}

/* ---- filters ---- */

typedef struct filter {
    const char *name;
    bool contract; /* messaging.log_page, else messages_list */
    bool account;  /* messaging.thread_messages of the app's WhatsApp number */
    int32_t channel, direction, status;
    int app, number;  /* from 1; 0 = any. `number` is of `app`, which then is no filter itself */
    bool number_only; /* the app is not a filter */
    unsigned from_day, to_day;
} filter_t;

static const filter_t filters[] = {
    {.name = "log, sms", .contract = true, .channel = 1},
    {.name = "log, sms, inbound", .contract = true, .channel = 1, .direction = 1},
    {.name = "log, sms, outbound", .contract = true, .channel = 1, .direction = 2},
    {.name = "log, sms, app", .contract = true, .channel = 1, .app = 2},
    {.name = "log, sms, app, inbound", .contract = true, .channel = 1, .app = 2, .direction = 1},
    {.name = "log, sms, app, outbound", .contract = true, .channel = 1, .app = 2, .direction = 2},
    {.name = "log, whatsapp", .contract = true, .channel = 2},
    {.name = "log, whatsapp, app, outbound",
     .contract = true,
     .channel = 2,
     .app = 1,
     .direction = 2},
    {.name = "messages"},
    {.name = "messages, delivered", .status = MESSAGING_LOG_STATUS_DELIVERED},
    {.name = "messages, failed", .status = MESSAGING_LOG_STATUS_FAILED},
    {.name = "messages, sent", .status = MESSAGING_LOG_STATUS_SENT},
    {.name = "messages, read", .status = MESSAGING_LOG_STATUS_READ},
    {.name = "messages, received", .status = MESSAGING_LOG_STATUS_RECEIVED},
    {.name = "messages, number", .app = 1, .number = 2, .number_only = true},
    {.name = "messages, number, inbound",
     .app = 1,
     .number = 4,
     .number_only = true,
     .direction = 1},
    {.name = "messages, app", .app = 3},
    {.name = "messages, channel", .channel = 2},
    {.name = "messages, direction", .direction = 1},
    {.name = "messages, ten days", .from_day = 10, .to_day = 20},
    {.name = "messages, failed, number",
     .status = MESSAGING_LOG_STATUS_FAILED,
     .app = 1,
     .number = 2,
     .number_only = true},
    {.name = "messages, delivered, app", .status = MESSAGING_LOG_STATUS_DELIVERED, .app = 3},
    {.name = "messages, sent, channel", .status = MESSAGING_LOG_STATUS_SENT, .channel = 2},
    {.name = "messages, number, ten days",
     .app = 1,
     .number = 1,
     .number_only = true,
     .from_day = 5,
     .to_day = 15},
    {.name = "account", .account = true, .app = 1, .number = NUMBERS},
    {.name = "account, inbound",
     .account = true,
     .app = 1,
     .number = NUMBERS,
     .direction = MESSAGING_DIRECTION_INBOUND},
    {.name = "messages, all of them",
     .status = MESSAGING_LOG_STATUS_FAILED,
     .app = 1,
     .number = 1,
     .channel = 1,
     .direction = 2,
     .from_day = 2,
     .to_day = 28},
};

static bool fits (const filter_t *f, const kept_t *row)
{
    return row->app + 1 != APPS && (!f->channel || row->channel == f->channel) &&
           (!f->direction || row->direction == f->direction) &&
           (!f->status || row->status == f->status) && (!f->app || row->app == f->app - 1) &&
           (!f->number || row->number == f->number - 1) &&
           (!f->to_day || (row->day >= f->from_day && row->day < f->to_day));
}

static double account_ask (bench_t *self, const filter_t *f, id16_t after, const id16_t *want,
                           size_t count)
{
    char ref[16];
    envelope_t header = {.org = orgs[0], .principal = PRINCIPAL_ORG_KEY};
    messaging_thread_messages_in_t in = {.number_ref = account_ref ((unsigned) f->app - 1, ref),
                                         .direction = f->direction,
                                         .limit = PAGE};
    messaging_thread_messages_out_t out = {0};
    if (!id_is_nil (after))
        in.after = bytes_of (after.b, sizeof after.b);
    double began = clock_us (CLOCK_THREAD_CPUTIME_ID);
    int code = optest_ask (self->test, "thread_messages", &header, &in, &out, NULL);
    double took = clock_us (CLOCK_THREAD_CPUTIME_ID) - began;
    must (!code && out.messages.count == count, f->name);
    for (size_t i = 0; i < count; i++)
        must (id_equal (((const messaging_message_info_t *) out.messages.items)[i].id, want[i]),
              "a page does not hold what it should");
    return took;
}

/* One page after `after`, against `want` (newest first); its time. */
static double page_ask (bench_t *self, const filter_t *f, id16_t after, const id16_t *want,
                        size_t count, size_t total)
{
    char text[16];
    envelope_t header = {.org = orgs[0], .principal = PRINCIPAL_ADMIN_KEY};
    messaging_log_page_in_t log = {.channel = f->channel,
                                   .direction = f->direction,
                                   .app = f->app ? world_app ((unsigned) f->app - 1) : id_nil (),
                                   .app_test = true,
                                   .cursor = after,
                                   .limit = PAGE};
    messaging_log_page_out_t log_out = {0};
    messaging_messages_list_in_t list = {.org = orgs[0],
                                         .app = f->number_only ? id_nil () : log.app,
                                         .channel = f->channel,
                                         .direction = f->direction,
                                         .status = f->status,
                                         .since = f->to_day ? self->day_began[f->from_day] : 0,
                                         .until = f->to_day ? self->day_began[f->to_day] : 0,
                                         .after = after,
                                         .limit = PAGE};
    messaging_messages_list_out_t list_out = {0};
    if (f->number)
        list.number = number_text ((unsigned) f->app - 1, (unsigned) f->number - 1, text);
    double began = clock_us (CLOCK_THREAD_CPUTIME_ID);
    int code = f->contract
                   ? optest_ask (self->test, "log_page", &header, &log, &log_out, NULL)
                   : optest_ask (self->test, "messages_list", &header, &list, &list_out, NULL);
    double took = clock_us (CLOCK_THREAD_CPUTIME_ID) - began;
    const schema_list_t *shown = f->contract ? &log_out.messages : &list_out.messages;
    must (!code, f->name);
    must (shown->count == count, "a page is not as long as it should be");
    for (size_t i = 0; i < count; i++)
        must (id_equal (((const messaging_log_message_t *) shown->items)[i].id, want[i]),
              "a page does not hold what it should");
    if (f->contract || list_out.counted)
        must ((size_t) (f->contract ? log_out.total : list_out.total) == total, "a total is wrong");
    return took;
}

static int by_size (const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static void filter_measure (bench_t *self, const filter_t *f)
{
    double times[3][ROUNDS_MOST], median[3];
    size_t count = 0;
    id16_t *ids = malloc ((self->count + 1) * sizeof *ids);
    must (ids != NULL, "out of memory");
    for (size_t i = self->count; i-- > 0;)
        if (fits (f, &self->rows[i]))
            ids[count++] = self->rows[i].id;
    if (count < 3 * PAGE) {
        printf ("%-32s %9zu  too few\n", f->name, count);
        free (ids);
        return;
    }
    const size_t places[] = {0, count / 2, count - PAGE};
    for (size_t round = 0; round < self->rounds + 1; round++) /* the first is not counted */
        for (size_t i = 0; i < 3; i++) {
            size_t at = places[i];
            id16_t after = at ? ids[at - 1] : id_nil ();
            double took = f->account ? account_ask (self, f, after, ids + at, PAGE)
                                     : page_ask (self, f, after, ids + at, PAGE, count);
            times[i][round ? round - 1 : 0] = took;
        }
    double least = 0, most = 0;
    for (size_t i = 0; i < 3; i++) {
        qsort (times[i], self->rounds, sizeof times[i][0], by_size);
        median[i] = times[i][self->rounds / 2];
        least = !i || median[i] < least ? median[i] : least;
        most = median[i] > most ? median[i] : most;
    }
    bool missed = most / least >= bar;
    self->missed = self->missed || missed;
    printf ("%-32s %9zu %8.0f %8.0f %8.0f   %5.2f  < %.0f%s\n", f->name, count, median[0],
            median[1], median[2], most / least, bar, missed ? "  missed" : "");
    free (ids);
}

int main (int argc, char **argv)
{
    bench_t self = {.most = 200000, .rounds = 15, .seed = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp (argv[i], "--messages"))
            self.most = strtoul (argv[i + 1], NULL, 10);
        if (!strcmp (argv[i], "--rounds"))
            self.rounds = strtoul (argv[i + 1], NULL, 10);
    }
    must (argc % 2 && self.most >= 1000 && self.rounds >= 1 && self.rounds <= ROUNDS_MOST,
          "usage: bench_logs [--messages N] [--rounds 1..25]");
    self.rows = calloc (self.most, sizeof *self.rows);
    must (self.rows, "out of memory");
    self.test = world_start ();
    for (unsigned app = 0; app < APPS; app++)
        app_add (&self, app);
    fill (&self);
    printf ("%-32s %9s %8s %8s %8s   %5s\n", "CPU us a page of 50, by cursor", "messages", "start",
            "middle", "end", "ratio");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        filter_measure (&self, &filters[i]);
    printf (self.missed ? "a bar was missed\n" : "no bar was missed\n");
    optest_destroy (&self.test);
    free (self.rows);
    return 0;
}
