/* inbox_bench.c - what lists and searches of the inbox cost with few and with many contacts, at the start and at the end.
 *
 *   bench_inbox [--contacts N] [--rounds N]
 *
 * Fills two stores of inbox through its handlers in this process, a thousand contacts and N (100,000): each wrote once, in no order of time; every tenth has an e-mail
 * address. Then pages of 25 are asked for as reads, answers packed and unpacked; medians are told, with the ratio to the same in the small store. Inbox keeps no
 * messages, so their number plays no part. Prints, and fails nothing but what is wrong: an ask that fails ends it. The stores lie in TMPDIR. */
#include "base/clock.h"
#include "inbox_world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURN = 200, SMALL = 1000, ROUNDS_MOST = 1000 };

typedef struct house {
    optest_t *test;
    unsigned contacts;
    bytes_t end; /* place of the last page, of both lists */
    char newest[16];
} house_t;

static void must (int code, const char *what)
{
    if (code == 0)
        return;
    fprintf (stderr, "bench_inbox: %s: %s\n", what, error_name (code));
    exit (1);
}

/* ---- filling ---- */

typedef struct some {
    unsigned from, to, all;
    envelope_t header;
} some_t;

static unsigned shuffled (unsigned n, unsigned all)
{
    return (unsigned) ((uint64_t) n * 7919U % all);
}

static int one_write (turn_t *t, unsigned n, unsigned all)
{
    static const char *const names[] = {"Budi", "Siti", "Agus", "Dewi", "Rina", "Joko", "Élodie"};
    messaging_thread_told_t thread = {
        .conversation = world_conversation (n),
        .contact = world_contact (n),
        .number_id = world_number,
        .number_ref = WORLD_REF,
        .number = WORLD_NUMBER,
        .peer = arena_printf (t->arena, "+62811%07u", n),
        .name = arena_printf (t->arena, "%s Santoso %06u", names[n % 7], n)};
    messaging_content_t message = {
        .id = world_message (n + 1), .historical = false, .direction = MESSAGING_DIRECTION_INBOUND};
    messaging_message_received_t body = {.message = &message, .thread = &thread};
    journal_event_t event = {.event = &messaging_message_received_event,
                             .at = INT64_C (1700000000000) + 1000 * (int64_t) shuffled (n, all),
                             .org = world_org};
    return message_received (t, &event, &body);
}

static int one_address (turn_t *t, unsigned n)
{
    inbox_contact_update_in_t in = {.number_ref = WORLD_REF,
                                    .id = world_contact (n),
                                    .email = arena_printf (t->arena, "Person%u@Shop.example", n)};
    inbox_contact_told_t out;
    return inbox_contact_update (t, &in, &out);
}

static int some_write (turn_t *t, void *context)
{
    const some_t *some = context;
    int code = 0;
    t->ask = &some->header;
    for (unsigned n = some->from; n < some->to && code == 0; n++) {
        code = one_write (t, n, some->all);
        if (code == 0 && n % 10 == 0)
            code = one_address (t, n);
    }
    return code;
}

static void fill (house_t *self, unsigned contacts)
{
    int64_t began = clock_mono_us ();
    self->contacts = contacts;
    self->test = world_new ();
    must (self->test ? 0 : E_INTERNAL, "starting");
    for (unsigned n = 0; n < contacts; n += TURN) {
        some_t some = {n, n + TURN < contacts ? n + TURN : contacts, contacts, world_caller ()};
        must (optest_run (self->test, some_write, &some), "filling");
    }
    printf ("%u contacts and conversations in %.1f s\n", contacts,
            (double) (clock_mono_us () - began) / 1e6);
}

/* ---- asking ---- */

static int64_t timed (optest_t *test, const char *op, const void *in, void *out)
{
    int64_t began = clock_mono_us ();
    must (world_ask (test, op, in, out, NULL), op);
    return clock_mono_us () - began;
}

static int64_t talks (house_t *self, int32_t status, bytes_t after)
{
    inbox_conversation_list_in_t in = {
        .number_ref = WORLD_REF, .status = status, .limit = 25, .after = after};
    inbox_conversation_list_out_t out = {0};
    return timed (self->test, "conversation_list", &in, &out);
}

static int64_t contacts (house_t *self, const char *phone, const char *term, bytes_t after)
{
    inbox_contact_list_in_t in = {
        .number_ref = WORLD_REF, .phone = phone, .search = term, .limit = 25, .after = after};
    inbox_contact_list_out_t out = {0};
    return timed (self->test, "contact_list", &in, &out);
}

static bytes_t place_of (house_t *self, int64_t at, id16_t id)
{
    uint8_t *out = arena_alloc (optest_arena (self->test), 24);
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t) ((uint64_t) at >> (56 - 8 * i));
    memcpy (out + 8, id.b, sizeof id.b);
    return bytes_of (out, 24);
}

typedef enum what {
    TALKS_START,
    TALKS_END,
    TALKS_STATUS,
    CONTACTS_START,
    CONTACTS_END,
    BY_PHONE,
    SEARCH_MANY,
    SEARCH_NEW,
    SEARCH_OLD,
    SEARCH_NONE,
    WHAT_COUNT
} what_t;

static const char *const what_names[] = {
    "conversations, first page", "conversations, last page",  "conversations by status",
    "contacts, first page",      "contacts, last page",       "contact by phone",
    "search, all match",         "search, one of the newest", "search, the oldest alone",
    "search, none matches",
};

static int64_t ask (house_t *self, what_t what)
{
    static const bytes_t start = {0};
    switch (what) {
    case TALKS_START:
        return talks (self, 0, start);
    case TALKS_END:
        return talks (self, 0, self->end);
    case TALKS_STATUS:
        return talks (self, INBOX_CONVERSATION_STATUS_OPEN, self->end);
    case CONTACTS_START:
        return contacts (self, NULL, NULL, start);
    case CONTACTS_END:
        return contacts (self, NULL, NULL, self->end);
    case BY_PHONE:
        return contacts (self, "+628110000500", NULL, start);
    case SEARCH_MANY:
        return contacts (self, NULL, "SANTOSO", start);
    case SEARCH_NEW:
        return contacts (self, NULL, self->newest, start);
    case SEARCH_OLD:
        return contacts (self, NULL, "BUDI Santoso 000000", start);
    default:
        return contacts (self, NULL, "nobody of this name", start);
    }
}

static int compare (const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
    return (x > y) - (x < y);
}

static double median (house_t *self, what_t what, unsigned rounds)
{
    int64_t took[ROUNDS_MOST] = {0};
    unsigned middle = rounds / 2;
    for (unsigned i = 0; i < rounds; i++)
        took[i] = ask (self, what);
    qsort (took, rounds, sizeof *took, compare);
    return (double) took[middle];
}

/* Times are those of `shuffled`: 25 are older than the place, and one is the newest. */
static void ends_find (house_t *self)
{
    self->end = place_of (self, INT64_C (1700000000000) + 1000 * 25, (id16_t){{1}});
    for (unsigned n = 0; n < self->contacts; n++)
        if (shuffled (n, self->contacts) == self->contacts - 1)
            snprintf (self->newest, sizeof self->newest, " %06u", n);
}

int main (int argc, char **argv)
{
    unsigned many = 100000, rounds = 101;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp (argv[i], "--contacts") == 0)
            many = (unsigned) strtoul (argv[i + 1], NULL, 10);
        else if (strcmp (argv[i], "--rounds") == 0)
            rounds = (unsigned) strtoul (argv[i + 1], NULL, 10);
    }
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
    house_t small = {0}, large = {0};
    fill (&small, SMALL);
    fill (&large, many < SMALL ? SMALL : many);
    ends_find (&small);
    ends_find (&large);
    printf ("%-28s %12s %12s %8s\n", "page of 25, median in us", "1,000", "many", "ratio");
    for (what_t what = 0; what < WHAT_COUNT; what++) {
        double few = median (&small, what, rounds), all = median (&large, what, rounds);
        printf ("%-28s %12.0f %12.0f %8.2f\n", what_names[what], few, all, few ? all / few : 0);
    }
    optest_destroy (&small.test);
    optest_destroy (&large.test);
    return 0;
}
