/* inbox_world.c - see inbox_world.h. */
#include "inbox_world.h"
#include <stdio.h>
#include <stdlib.h>

const id16_t world_org = {{1}};
const id16_t world_foreign_org = {{2}};
const id16_t world_team = {{31}};
const id16_t world_other_team = {{32}};
const id16_t world_number = {{21}};
const id16_t world_other_number = {{22}};
const id16_t world_user = {{41}};
const id16_t world_nobody = {{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}};

static void must (int code, const char *what)
{
    if (code == 0)
        return;
    fprintf (stderr, "inbox_world: %s: %s\n", what, error_name (code));
    abort ();
}

static void number_tell (optest_t *test, id16_t id, id16_t org, const char *ref, const char *number,
                         id16_t team)
{
    accounts_number_changed_t body = {.id = id,
                                      .org = org,
                                      .number = number,
                                      .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                      .ref = ref,
                                      .team = team,
                                      .status = ACCOUNTS_NUMBER_STATUS_CONNECTED};
    event_about_t about = {.record = id, .version = 1, .org = org};
    must (optest_follow (test, &accounts_number_changed_event, &about, &body, NULL), "number");
}

static void people_tell (optest_t *test)
{
    id16_t teams[] = {world_team, world_other_team};
    for (size_t i = 0; i < 2; i++) {
        accounts_team_changed_t team = {.id = teams[i], .org = world_org, .name = "team"};
        event_about_t about = {.record = teams[i], .version = 1, .org = world_org};
        must (optest_follow (test, &accounts_team_changed_event, &about, &team, NULL), "team");
    }
    accounts_user_changed_t user = {.id = world_user,
                                    .org = world_org,
                                    .name = "Ada",
                                    .email = "ada@house.example",
                                    .teams = {teams, 1}};
    event_about_t about = {.record = world_user, .version = 1, .org = world_org};
    must (optest_follow (test, &accounts_user_changed_event, &about, &user, NULL), "user");
}

optest_t *world_new (void)
{
    optest_t *test = optest_new (&inbox_tables);
    if (!test)
        return NULL;
    number_tell (test, world_number, world_org, WORLD_REF, WORLD_NUMBER, world_team);
    number_tell (test, world_other_number, world_org, WORLD_OTHER_REF, "+15550003333",
                 world_other_team);
    number_tell (test, (id16_t){{23}}, world_foreign_org, "106540352242924", "+15550004444",
                 (id16_t){{33}});
    people_tell (test);
    return test;
}

int world_setup (void **state)
{
    *state = world_new ();
    return *state ? 0 : -1;
}

int world_teardown (void **state)
{
    optest_t *test = *state;
    optest_destroy (&test);
    return 0;
}

envelope_t world_caller (void)
{
    return (envelope_t){.org = world_org};
}

int world_ask (optest_t *test, const char *op, const void *in, void *out, failure_t *failure)
{
    envelope_t header = world_caller ();
    return optest_ask (test, op, &header, in, out, failure);
}

static id16_t numbered (uint8_t kind, unsigned n)
{
    return (id16_t){{kind, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, (uint8_t) (n >> 24),
                     (uint8_t) (n >> 16), (uint8_t) (n >> 8), (uint8_t) n}};
}

id16_t world_contact (unsigned n)
{
    return numbered (101, n);
}

id16_t world_conversation (unsigned n)
{
    return numbered (102, n);
}

id16_t world_message (unsigned n)
{
    return numbered (103, n);
}

const char *world_phone (optest_t *test, unsigned n)
{
    return arena_printf (optest_arena (test), "+1555%07u", n);
}

messaging_thread_told_t world_thread (optest_t *test, unsigned n, const char *name)
{
    return (messaging_thread_told_t){.conversation = world_conversation (n),
                                     .contact = world_contact (n),
                                     .number_id = world_number,
                                     .number_ref = WORLD_REF,
                                     .number = WORLD_NUMBER,
                                     .peer = world_phone (test, n),
                                     .name = name};
}

void world_inbound (optest_t *test, unsigned n, unsigned m, const char *name)
{
    messaging_thread_told_t thread = world_thread (test, n, name);
    messaging_content_t message = {.id = world_message (m),
                                   .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                   .direction = MESSAGING_DIRECTION_INBOUND};
    messaging_message_received_t body = {.message = &message, .thread = &thread};
    event_about_t about = {.record = message.id, .version = 1, .org = world_org};
    must (optest_follow (test, &messaging_message_received_event, &about, &body, NULL),
          "message_received");
}

void world_sent (optest_t *test, unsigned n, unsigned m)
{
    messaging_thread_told_t thread = world_thread (test, n, NULL);
    messaging_content_t message = {.id = world_message (m),
                                   .channel = ACCOUNTS_CHANNEL_WHATSAPP,
                                   .direction = MESSAGING_DIRECTION_OUTBOUND};
    messaging_message_accepted_t body = {.message = &message, .thread = &thread};
    event_about_t about = {.record = message.id, .version = 1, .org = world_org};
    must (optest_follow (test, &messaging_message_accepted_event, &about, &body, NULL),
          "message_accepted");
}

void world_read (optest_t *test, unsigned n, unsigned m, int64_t after)
{
    messaging_conversation_read_t body = {.conversation = world_conversation (n),
                                          .contact = world_contact (n),
                                          .message = world_message (m),
                                          .after = after};
    event_about_t about = {.record = body.conversation, .version = 1, .org = world_org};
    must (optest_follow (test, &messaging_conversation_read_event, &about, &body, NULL),
          "conversation_read");
}

void world_state (optest_t *test, unsigned n, const messaging_thread_state_t *state)
{
    messaging_thread_state_t body = *state;
    messaging_thread_told_t thread =
        world_thread (test, n, state->thread ? state->thread->name : NULL);
    event_about_t about = {.record = thread.conversation, .version = 1, .org = world_org};
    body.thread = &thread;
    must (optest_follow (test, &messaging_thread_state_event, &about, &body, NULL), "thread_state");
}

static inbox_contact_create_in_t create_in (optest_t *test, unsigned n, const char *name,
                                            const char *email)
{
    return (inbox_contact_create_in_t){.number_ref = WORLD_REF,
                                       .phone_number = world_phone (test, n),
                                       .name = name,
                                       .email = email,
                                       .conversation = world_conversation (n),
                                       .contact = world_contact (n),
                                       .number_id = world_number};
}

int world_create (optest_t *test, unsigned n, const char *name, const char *email,
                  inbox_contact_told_t *out, failure_t *failure)
{
    inbox_contact_told_t unused;
    inbox_contact_create_in_t in = create_in (test, n, name, email);
    return world_ask (test, "contact_create", &in, out ? out : &unused, failure);
}

void world_create_many (optest_t *test, unsigned count)
{
    enum { TOGETHER = 100 };
    optest_put_t *puts[TOGETHER];
    for (unsigned n = 0; n < count; n += TOGETHER) {
        unsigned some = count - n < TOGETHER ? count - n : TOGETHER;
        for (unsigned i = 0; i < some; i++) {
            inbox_contact_create_in_t in = create_in (test, n + i, NULL, NULL);
            envelope_t header = world_caller ();
            puts[i] = optest_put (test, "contact_create", &header, &in);
        }
        must (optest_turn (test), "turn");
        for (unsigned i = 0; i < some; i++) {
            inbox_contact_told_t out;
            must (optest_take (test, puts[i], &out, NULL), "contact_create");
        }
    }
}

bytes_t world_json (optest_t *test, const char *json)
{
    buf_t packed = buf_in (optest_arena (test));
    must (schema_any_read (bytes_of_str (json), &packed, NULL), json);
    return buf_bytes (&packed);
}

static void contact_story (buf_t *out, const inbox_contact_changed_t *body)
{
    const char *const *changed = body->changed.items;
    if (body->created)
        buf_printf (out, "created:%s", schema_enum_word (&inbox_contact_source_enum, body->source));
    else
        buf_printf (out, "changed");
    for (size_t i = 0; i < body->changed.count; i++)
        buf_printf (out, ":%s", changed[i]);
    buf_printf (out, "(%s) ", body->contact->name ? body->contact->name : "");
}

const char *world_story (optest_t *test, uint64_t *sequence)
{
    const common_event_t *events;
    size_t count = optest_events (test, *sequence, &events);
    buf_t out = buf_in (optest_arena (test));
    for (size_t i = 0; i < count; i++) {
        inbox_contact_changed_t contact;
        inbox_conversation_assigned_t assigned;
        inbox_conversation_closed_t closed;
        inbox_erased_t erased;
        *sequence = (uint64_t) events[i].sequence;
        if (optest_event_body (test, &events[i], &inbox_contact_changed_event, &contact) == 0)
            contact_story (&out, &contact);
        else if (optest_event_body (test, &events[i], &inbox_conversation_assigned_event,
                                    &assigned) == 0)
            buf_printf (&out, "assigned:%d>%d ", assigned.previous_user.b[0], assigned.user.b[0]);
        else if (optest_event_body (test, &events[i], &inbox_conversation_closed_event, &closed) ==
                 0)
            buf_printf (&out, "closed ");
        else if (optest_event_body (test, &events[i], &inbox_erased_event, &erased) == 0)
            buf_printf (&out, "erased:%s ", erased.peer);
    }
    return buf_text (&out);
}
