/* growth_bench.c - what accepting a message costs as the store grows.
 *
 *   bench_growth [--messages N] [--batch N] [--window N] [--first N] [--deliver]
 *
 * Accepts messages as `POST /v1/sms` asks for them: one recipient of ten million, 120 characters, the app and its number among four, an idempotency key, a request id and a
 * trace of its own; --batch (32) asks in one turn and one commit, as the group commit takes them under load, flushed as ever. The runtime's own turn runs in this process, without bus
 * and HTTP; what becomes of the clock is the machine's. The carrier takes what the lanes hand out (1,024 jobs) and answers nothing; with --deliver it answers each turn at once, and the cost is that of
 * the whole way to `delivered`.
 *
 * For each --window (50,000) of messages a line: how many are in the store, then per message the median over the window's turns and the mean of the CPU time (user and
 * system) of the thread that runs the turns, the median of the wall time, and the bytes of the store. While the last 100,000 (--first) are accepted, a second store is filled with as many, a few
 * turns here and a few there: what the machine does meanwhile happens to both. So the last window is told beside the one that ends at 100,000 twice: as it was measured then, and as it
 * is measured now. In the end the time of a start on the full store. growth.py (tests/bench) reads this. Prints, and fails nothing but what is wrong: an ask that is not accepted ends it. The stores lie in TMPDIR. */
#include "bench_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    APPS = 4,
    BATCH_MOST = 512,
    PERSONS = 10000000,
    TURNS_QUIET = 3,
    LAG_MOST = 5000,
    BLOCK = 16
};
static const id16_t org = {{1}};
static const char text[] = "twelve charstwelve charstwelve charstwelve charstwelve chars"
                           "twelve charstwelve charstwelve charstwelve charstwelve chars";

typedef struct cost {
    double cpu_us, wall_us; /* of a message */
} cost_t;

typedef struct bench {
    const char *name; /* of its lines; "" = the store that grows */
    optest_t *test;
    size_t most, batch, window, beside, count; /* `beside`: of the store filled meanwhile */
    bool deliver;
    uint64_t seed;
    cost_t *costs; /* of the turns of this window */
    size_t turns;
    cost_t first, last; /* medians of the window that ends at `beside`, of the last one */
} bench_t;

/* An ask and what its header points at. */
typedef struct send {
    char to[16], from[16], key[48], request[32], trace[64];
    const char *list[1];
    messaging_sms_send_in_t in;
    envelope_t header;
    optest_put_t *put;
} send_t;

/* ---- who there is ---- */

static void app_number (unsigned app, char out[16])
{
    snprintf (out, 16, "+1555000%04u", app % APPS);
}

/* ---- a turn ---- */

static void send_make (bench_t *self, send_t *send)
{
    unsigned app = (unsigned) (dice_next (&self->seed) % APPS);
    uint64_t a = dice_next (&self->seed), b = dice_next (&self->seed), number = self->count++;
    app_number (app, send->from);
    snprintf (send->to, sizeof send->to, "+1312%07u",
              (unsigned) (dice_next (&self->seed) % PERSONS));
    snprintf (send->key, sizeof send->key, "%llu-0-%zu", (unsigned long long) self->seed % 1000000,
              (size_t) number);
    snprintf (send->request, sizeof send->request, "req_%016llx", (unsigned long long) a);
    snprintf (send->trace, sizeof send->trace, "00-%016llx%016llx-%016llx-01",
              (unsigned long long) a, (unsigned long long) b, (unsigned long long) (a ^ b));
    send->list[0] = send->to;
    send->in = (messaging_sms_send_in_t){.from = send->from, .to = {send->list, 1}, .text = text};
    send->header = (envelope_t){.org = org,
                                .app = world_app (app),
                                .test = true,
                                .principal = PRINCIPAL_APP_KEY,
                                .principal_id = {{6, (uint8_t) app}},
                                .trace = send->trace,
                                .request_id = send->request,
                                .idem = {.dialect = "chirp",
                                         .scope = {{6, (uint8_t) app}},
                                         .route = "POST /v1/sms",
                                         .key = send->key,
                                         .request_id = send->request}};
    for (size_t i = 0; i < sizeof send->header.idem.fingerprint; i += sizeof a) {
        a = dice_next (&self->seed);
        memcpy (send->header.idem.fingerprint + i, &a, sizeof a);
    }
    send->put = optest_put (self->test, "sms_send", &send->header, &send->in);
}

/* Answers what is out; how many that was. */
static size_t carrier_answer (bench_t *self)
{
    size_t count = 0;
    must (!optest_jobs_all (self->test, 0, &count), "a turn of the carrier");
    return count;
}

static void turn_measure (bench_t *self)
{
    static send_t sends[BATCH_MOST];
    size_t count = 0;
    while (count < self->batch && self->count < self->most)
        send_make (self, &sends[count++]);
    double wall = clock_us (CLOCK_MONOTONIC), cpu = clock_us (CLOCK_THREAD_CPUTIME_ID);
    must (!optest_turn (self->test), "a turn");
    if (self->deliver)
        carrier_answer (self);
    self->costs[self->turns++] =
        (cost_t){(clock_us (CLOCK_THREAD_CPUTIME_ID) - cpu) / (double) count,
                 (clock_us (CLOCK_MONOTONIC) - wall) / (double) count};
    for (size_t i = 0; i < count; i++) {
        messaging_sms_send_out_t out;
        failure_t failure = {0};
        int code = optest_take (self->test, sends[i].put, &out, &failure);
        must (!code && out.status == MESSAGING_STATUS_QUEUED,
              code ? failure.text : "a message is not accepted");
    }
    optest_forget (self->test);
}

/* ---- a window ---- */

static int by_cpu (const void *a, const void *b)
{
    double x = ((const cost_t *) a)->cpu_us, y = ((const cost_t *) b)->cpu_us;
    return (x > y) - (x < y);
}

static int by_wall (const void *a, const void *b)
{
    double x = ((const cost_t *) a)->wall_us, y = ((const cost_t *) b)->wall_us;
    return (x > y) - (x < y);
}

static void window_print (bench_t *self)
{
    uint64_t left = 0, used = 0;
    double sum = 0;
    for (size_t i = 0; i < self->turns; i++)
        sum += self->costs[i].cpu_us;
    must (!store_space (optest_store (self->test), &left, &used), "the size of the store");
    qsort (self->costs, self->turns, sizeof *self->costs, by_wall);
    double wall = self->costs[self->turns / 2].wall_us;
    qsort (self->costs, self->turns, sizeof *self->costs, by_cpu);
    self->last = (cost_t){self->costs[self->turns / 2].cpu_us, wall};
    if (self->count < self->beside + self->batch)
        self->first = self->last;
    printf ("%9zu %10.1f %10.1f %10.1f %10.0f%s\n", self->count, self->last.cpu_us,
            sum / (double) self->turns, wall, (double) used / (1 << 20), self->name);
    fflush (stdout);
    self->turns = 0;
}

/* Until it holds so many. */
static void fill (bench_t *self, size_t until)
{
    while (self->count < until && self->count < self->most) {
        size_t before = self->count / self->window;
        turn_measure (self);
        if (self->count / self->window != before)
            window_print (self);
    }
}

static size_t delivered (bench_t *self)
{
    size_t count = 0;
    for (unsigned app = 0; app < APPS; app++) {
        envelope_t header = {.org = org, .principal = PRINCIPAL_ORG_KEY};
        messaging_app_counts_in_t in = {.app = world_app (app)};
        messaging_app_counts_out_t out = {0};
        must (!optest_ask (self->test, "app_counts", &header, &in, &out, NULL), "the counts");
        count += (size_t) out.messages_delivered;
    }
    return count;
}

/* What was accepted is there; with --deliver the carrier kept up, and all has arrived. */
static void check (bench_t *self)
{
    must (optest_rows (self->test, "message") == (int64_t) self->count, "messages are missing");
    must (!self->deliver || self->count - delivered (self) < LAG_MOST, "the carrier lags");
    for (unsigned quiet = 0; self->deliver && quiet < TURNS_QUIET;) {
        quiet = carrier_answer (self) ? 0 : quiet + 1;
        must (!optest_advance (self->test, 20), "a moment");
    }
    must (delivered (self) == (self->deliver ? self->count : 0), "a delivery is missing");
}

static void side_begin (bench_t *self)
{
    char number[16];
    self->costs = calloc (self->window / self->batch + 2, sizeof *self->costs);
    must (self->costs, "out of memory");
    self->test = world_start ();
    for (unsigned app = 0; app < APPS; app++) {
        app_number (app, number);
        world_app_add (self->test, org, app);
        world_number_add (self->test, org, app, 0, number, ACCOUNTS_CHANNEL_SMS);
    }
}

static void side_end (bench_t *self)
{
    check (self);
    optest_destroy (&self->test);
    free (self->costs);
}

/* What was read at the start of the next process, so that it knows keys and lanes. */
static void start_measure (bench_t *self)
{
    double before = clock_us (CLOCK_MONOTONIC);
    must (!optest_restart (self->test), "a start");
    printf ("a start on %zu messages: %.0f ms\n", self->count,
            (clock_us (CLOCK_MONOTONIC) - before) / 1000);
}

static void bench_run (bench_t *self)
{
    bench_t fresh = *self;
    fresh.name = "  fresh";
    fresh.most = self->beside;
    printf ("%9s %10s %10s %10s %10s\n", "messages", "cpu_us", "cpu_mean", "wall_us", "store_mb");
    side_begin (self);
    fill (self, self->most - self->beside);
    side_begin (&fresh);
    for (size_t block = self->batch * BLOCK; self->count < self->most;) {
        fill (self, self->count + block);
        fill (&fresh, fresh.count + block);
    }
    fill (&fresh, self->beside);
    printf ("of %zu to %zu messages, CPU then %.2f, CPU meanwhile %.2f, wall meanwhile %.2f\n",
            self->count, self->beside, self->last.cpu_us / self->first.cpu_us,
            self->last.cpu_us / fresh.last.cpu_us, self->last.wall_us / fresh.last.wall_us);
    side_end (&fresh);
    start_measure (self);
    side_end (self);
}

static size_t number_of (const char *word)
{
    return word ? strtoul (word, NULL, 10) : 0;
}

int main (int argc, char **argv)
{
    bench_t self = {
        .name = "", .most = 2000000, .batch = 32, .window = 50000, .beside = 100000, .seed = 1};
    bool known = true;
    for (int i = 1; i < argc; i++) {
        if (!strcmp (argv[i], "--messages"))
            self.most = number_of (argv[++i]);
        else if (!strcmp (argv[i], "--batch"))
            self.batch = number_of (argv[++i]);
        else if (!strcmp (argv[i], "--window"))
            self.window = number_of (argv[++i]);
        else if (!strcmp (argv[i], "--first"))
            self.beside = number_of (argv[++i]);
        else if (!strcmp (argv[i], "--deliver"))
            self.deliver = true;
        else
            known = false;
    }
    must (known && self.batch && self.batch <= BATCH_MOST && self.window >= self.batch &&
              self.window <= self.beside && self.most >= self.beside,
          "usage: bench_growth [--messages N] [--batch 1..512] [--window N] [--first N] "
          "[--deliver], at least as many messages as the first, a window up to those");
    bench_run (&self);
    return 0;
}
