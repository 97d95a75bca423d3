/* erase_test.c - a contact deleted for good: nothing of it is left in any table, others stay, and who writes again is somebody new. */
#include "gen/inbox.h"
#include "media.h"
#include "messaging_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define MARKER "+15557771234"
#define OTHER  "+15557775678"
#define SAID   "a-marker-that-nobody-else-says"

static messaging_message_received_t person_writes (optest_t *test, const char *from,
                                                   const char *provider_id, const char *text)
{
    provider_event_t event = world_hi (provider_id, false);
    event.from = from;
    event.text = text;
    event.contact_name = "Marker";
    messaging_message_received_t told = {0};
    world_inbound (test, ACCOUNTS_CARRIER_LOOPBACK, &event);
    assert_true (world_last (test, &messaging_message_received_event, &told));
    return told;
}

static id16_t sends (optest_t *test, const char *to, const char *text)
{
    messaging_whatsapp_send_in_t in = {.kind = MESSAGING_KIND_TEXT, .text = text, .to = to};
    messaging_whatsapp_send_out_t out = {0};
    assert_int_equal (world_whatsapp (test, world_caller (), &in, &out, NULL), 0);
    return out.id;
}

static void erase (optest_t *test, const messaging_thread_told_t *thread, int64_t at)
{
    inbox_erased_t body = {.contact = thread->contact,
                           .conversation = thread->conversation,
                           .number_id = thread->number_id,
                           .peer = thread->peer,
                           .at = at};
    event_about_t about = {.record = thread->contact, .version = 1, .org = world_org};
    assert_int_equal (optest_follow (test, &inbox_erased_event, &about, &body, NULL), 0);
}

/* ---- every row of every table ---- */

static bool has (bytes_t where, const char *what)
{
    size_t length = strlen (what);
    for (size_t i = 0; i + length <= where.size; i++)
        if (memcmp (where.data + i, what, length) == 0)
            return true;
    return false;
}

static bool is_later (const char *table)
{
    return strcmp (table, "svc.journal") ==
           0; /* the journal ages; what scrubs it is the runtime's */
}

typedef struct names {
    const char *items[200];
    size_t count;
    arena_t *arena;
} names_t;

static void table_name (void *context, const char *table, uint64_t entries, uint64_t bytes)
{
    names_t *names = context;
    (void) entries, (void) bytes;
    if (names->count < 200)
        names->items[names->count++] = arena_strdup (names->arena, table);
}

static size_t traces (optest_t *test, const char *needle)
{
    txn_t *txn = NULL;
    size_t found = 0;
    names_t names = {.arena = optest_arena (test)};
    assert_int_equal (txn_begin (optest_store (test), TXN_READ, &txn), 0);
    assert_int_equal (store_table_stats (txn, table_name, &names), 0);
    for (size_t i = 0; i < names.count; i++) {
        table_t *table = store_table (optest_store (test), names.items[i]);
        if (!table || is_later (names.items[i]))
            continue;
        kv_cursor_t cursor = {.table = table};
        bytes_t key, value;
        while (kv_next (txn, &cursor, &key, &value) == 0)
            found += has (key, needle) || has (value, needle);
    }
    txn_abort (&txn);
    return found;
}

static void run_out (optest_t *test)
{
    for (int i = 0; i < 30; i++) {
        world_carrier_answers (test);
        assert_int_equal (optest_advance (test, 1000), 0);
    }
}

/* The runtime keeps answers for a minute or two. */
static void forget (optest_t *test)
{
    for (int i = 0; i < 5; i++)
        assert_int_equal (optest_advance (test, 60000), 0);
}

static size_t erased_told (optest_t *test)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events), ids = 0;
    for (size_t i = 0; i < count; i++) {
        messaging_messages_erased_t body = {0};
        if (events[i].number == messaging_messages_erased_event.number &&
            optest_event_body (test, &events[i], &messaging_messages_erased_event, &body) == 0)
            ids += body.messages.count;
    }
    return ids;
}

static void test_nothing_is_left (void **state)
{
    enum { EACH = 60 };
    messaging_inbound_simulate_in_t play = {
        .from = MARKER, .to = WORLD_WHATSAPP, .text = SAID, .channel = ACCOUNTS_CHANNEL_WHATSAPP};
    messaging_inbound_simulate_out_t played = {0};
    envelope_t header = world_caller ();
    for (int i = 0; i < EACH; i++)
        sends (*state, MARKER, SAID);
    assert_int_equal (optest_ask (*state, "inbound_simulate", &header, &play, &played, NULL), 0);
    messaging_message_received_t in = person_writes (*state, MARKER, "wamid.1", SAID);
    sends (*state, OTHER, "kept");
    for (int i = 0; i < 4 * EACH; i++)
        world_carrier_answers (*state);
    run_out (*state);
    assert_true (traces (*state, MARKER) > 0);
    assert_true (traces (*state, SAID) > 0);
    forget (*state);
    size_t others = traces (*state, OTHER);
    erase (*state, in.thread, INT64_MAX);
    run_out (*state);
    forget (*state);
    assert_int_equal (traces (*state, MARKER), 0);
    assert_int_equal (traces (*state, SAID), 0);
    assert_int_equal (traces (*state, OTHER), others);
    assert_int_equal (erased_told (*state), EACH + 2);
    erase (*state, in.thread, INT64_MAX); /* told again */
    run_out (*state);
    assert_int_equal (erased_told (*state), EACH + 2);
}

/* Queued sends are gone too, and the person's next message makes somebody new. */
static void test_who_writes_again_is_new (void **state)
{
    messaging_message_received_t in = person_writes (*state, MARKER, "wamid.1", SAID);
    sends (*state, MARKER, SAID);
    erase (*state, in.thread, INT64_MAX);
    messaging_message_received_t again = person_writes (*state, MARKER, "wamid.2", "Hello");
    assert_true (again.thread->created);
    assert_false (id_equal (again.thread->conversation, in.thread->conversation));
    assert_false (id_equal (again.thread->contact, in.thread->contact));
    run_out (*state);
    assert_int_equal (traces (*state, SAID), 0);
    assert_true (traces (*state, MARKER) > 0);
}

static int64_t now_of (optest_t *test)
{
    const common_event_t *events = NULL;
    size_t count = optest_events (test, 0, &events);
    return events[count - 1].at;
}

/* What came between the deletion and the hearing of it is the new person's. */
static void test_what_came_after_stays (void **state)
{
    messaging_message_received_t first = person_writes (*state, MARKER, "wamid.1", SAID);
    int64_t at = now_of (*state);
    assert_int_equal (optest_advance (*state, 50), 0);
    person_writes (*state, MARKER, "wamid.2", "later");
    erase (*state, first.thread, at);
    run_out (*state);
    messaging_thread_state_t told = {0};
    assert_int_equal (traces (*state, SAID), 0);
    assert_true (traces (*state, "later") > 0);
    assert_true (world_last (*state, &messaging_thread_state_event, &told));
    assert_false (id_equal (told.thread->conversation, first.thread->conversation));
    assert_string_equal (told.last_text, "later");
    assert_int_equal (told.unread, 1);
    assert_int_equal (erased_told (*state), 1);
}

static void test_others_cannot_erase (void **state)
{
    messaging_message_received_t in = person_writes (*state, MARKER, "wamid.1", SAID);
    inbox_erased_t body = {
        .contact = in.thread->contact, .conversation = in.thread->conversation, .at = INT64_MAX};
    event_about_t about = {.record = in.thread->contact, .version = 1, .org = {{99}}};
    assert_int_equal (optest_follow (*state, &inbox_erased_event, &about, &body, NULL), 0);
    run_out (*state);
    assert_true (traces (*state, SAID) > 0);
}

/* ---- a file ---- */

typedef struct filed {
    id16_t message, media;
} filed_t;

static int file_put (turn_t *t, void *context)
{
    const filed_t *self = context;
    messaging_message_t message = {0};
    messaging_media_t media = {0};
    int code = store_get_any (t->txn, &messaging_message_record, self->message, t->arena, &message);
    if (code == 0)
        code = store_get_any (t->txn, &messaging_media_record, self->media, t->arena, &media);
    messaging_media_content_t file = {.media = self->media, .filename = "plan.pdf"};
    messaging_body_t body = {.media = &file};
    message.body = &body;
    media.message = message.id;
    media.number = message.number;
    if (code == 0)
        code = store_put (t->txn, &messaging_message_record, &message, NULL);
    return code ? code : store_put (t->txn, &messaging_media_record, &media, NULL);
}

static void test_the_file_goes_with_it (void **state)
{
    messaging_message_received_t in = person_writes (*state, MARKER, "wamid.1", SAID);
    filed_t filed = {.message = in.message->id,
                     .media = world_file (*state, world_app, MESSAGING_KIND_IMAGE)};
    id16_t kept = world_file (*state, world_app, MESSAGING_KIND_IMAGE);
    blobs_t *folder = ((messaging_context_t *) svc_context (optest_svc (*state)))->media;
    blob_reader_t *reader = NULL;
    assert_int_equal (optest_run (*state, file_put, &filed), 0);
    erase (*state, in.thread, INT64_MAX);
    run_out (*state);
    assert_int_equal (blob_reader_new (folder, filed.media, &reader, NULL), E_NOT_FOUND);
    assert_int_equal (blob_reader_new (folder, kept, &reader, NULL), 0);
    blob_reader_destroy (&reader);
}

int main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (test_##name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T (nothing_is_left),     T (who_writes_again_is_new), T (what_came_after_stays),
        T (others_cannot_erase), T (the_file_goes_with_it),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
