/* lists_test.c - lists of contacts and conversations beside a naive model: orders, filters, places that rows have left, search. */
#include "inbox_world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PEOPLE = 250 };

/* The same numbers in every run. */
static unsigned draw (unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245U + 12345U;
    return (*seed >> 8) % below;
}

/* ---- conversations ---- */

typedef struct talk {
    unsigned n;
    int64_t last;
    int32_t status;
    id16_t id;
} talk_t;

static int talk_compare (const void *a, const void *b)
{
    const talk_t *x = a, *y = b;
    if (x->last != y->last)
        return x->last < y->last ? 1 : -1;
    return -id_compare (x->id, y->id);
}

static void talks_fill (optest_t *test, talk_t *talks)
{
    unsigned seed = 7;
    for (unsigned i = 0; i < PEOPLE; i++) {
        int64_t last = draw (&seed, 20) ? 1000 + draw (&seed, 200) : 0; /* many at one time */
        talks[i] = (talk_t){i, last, (int32_t) draw (&seed, 3) + 1, world_conversation (i)};
        world_state (test, i,
                     &(messaging_thread_state_t){.created_at = 1,
                                                 .last_message_at = last,
                                                 .last_message = world_message (i + 1)});
        inbox_conversation_update_in_t in = {
            .number_ref = WORLD_REF, .id = talks[i].id, .status = talks[i].status};
        inbox_conversation_info_t out;
        assert_int_equal (world_ask (test, "conversation_update", &in, &out, NULL), 0);
    }
    qsort (talks, PEOPLE, sizeof *talks, talk_compare);
}

static void pages_follow (optest_t *test, const talk_t *talks, int32_t status, int64_t limit)
{
    inbox_conversation_list_in_t in = {.number_ref = WORLD_REF, .status = status, .limit = limit};
    inbox_conversation_list_out_t out = {0};
    size_t at = 0;
    do {
        assert_int_equal (world_ask (test, "conversation_list", &in, &out, NULL), 0);
        const inbox_conversation_info_t *items = out.conversations.items;
        assert_true ((int64_t) out.conversations.count <= limit);
        for (size_t i = 0; i < out.conversations.count; i++) {
            while (at < PEOPLE && status && talks[at].status != status)
                at++;
            assert_true (at < PEOPLE);
            assert_true (id_equal (items[i].id, talks[at].id));
            assert_int_equal (items[i].status, talks[at].status);
            at++;
        }
        in.after = out.next;
    } while (out.next.size);
    while (at < PEOPLE && status && talks[at].status != status)
        at++;
    assert_int_equal (at, PEOPLE);
}

static void test_conversations (void **state)
{
    static talk_t talks[PEOPLE];
    talks_fill (*state, talks);
    for (int32_t status = 0; status <= 3; status++) {
        pages_follow (*state, talks, status, 100);
        pages_follow (*state, talks, status, 7);
    }
}

/* What is written in meanwhile goes to the top: the list goes on where it was, and shows nothing twice. */
static void test_a_place_that_its_row_left (void **state)
{
    optest_t *test = *state;
    inbox_conversation_list_in_t in = {.number_ref = WORLD_REF, .limit = 2};
    inbox_conversation_list_out_t out = {0};
    for (unsigned i = 1; i <= 5; i++)
        world_state (test, i,
                     &(messaging_thread_state_t){.last_message_at = i * 100,
                                                 .last_message = world_message (i)});
    assert_int_equal (world_ask (test, "conversation_list", &in, &out, NULL), 0);
    in.after = out.next;
    world_inbound (test, 4, 9, NULL); /* the last of the page */
    inbox_contact_delete_in_t gone = {.number_ref = WORLD_REF, .id = world_contact (3)};
    inbox_contact_delete_out_t unused;
    assert_int_equal (world_ask (test, "contact_delete", &gone, &unused, NULL), 0);
    assert_int_equal (world_ask (test, "conversation_list", &in, &out, NULL), 0);
    const inbox_conversation_info_t *items = out.conversations.items;
    assert_int_equal (out.conversations.count, 2);
    assert_true (id_equal (items[0].id, world_conversation (2)));
    assert_true (id_equal (items[1].id, world_conversation (1)));
    assert_int_equal (out.next.size, 0);
}

static void test_of_one_contact (void **state)
{
    optest_t *test = *state;
    inbox_conversation_list_in_t in = {
        .number_ref = WORLD_REF, .contact_id = world_contact (1), .limit = 25};
    inbox_conversation_list_out_t out = {0};
    assert_int_equal (world_create (test, 1, NULL, NULL, NULL, NULL), 0);
    assert_int_equal (world_ask (test, "conversation_list", &in, &out, NULL), 0);
    assert_int_equal (out.conversations.count, 0);
    world_inbound (test, 1, 1, NULL);
    world_inbound (test, 2, 2, NULL);
    assert_int_equal (world_ask (test, "conversation_list", &in, &out, NULL), 0);
    assert_int_equal (out.conversations.count, 1);
    in.status = INBOX_CONVERSATION_STATUS_PENDING;
    assert_int_equal (world_ask (test, "conversation_list", &in, &out, NULL), 0);
    assert_int_equal (out.conversations.count, 0);
    in.status = 0;
    in.number_ref = WORLD_OTHER_REF;
    assert_int_equal (world_ask (test, "conversation_list", &in, &out, NULL), 0);
    assert_int_equal (out.conversations.count, 0);
}

static void test_limits_and_places (void **state)
{
    static const struct {
        int64_t limit;
        const char *after;
        int code;
    } rows[] = {{-1, "", E_BAD_LIMIT},
                {101, "", E_BAD_LIMIT},
                {100, "", 0},
                {1, "x", E_BAD_CURSOR},
                {1, "0123456789012345678901234", E_BAD_CURSOR}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        inbox_contact_list_in_t in = {
            .number_ref = WORLD_REF, .limit = rows[i].limit, .after = bytes_of_str (rows[i].after)};
        inbox_contact_list_out_t out;
        assert_int_equal (world_ask (*state, "contact_list", &in, &out, NULL), rows[i].code);
    }
    inbox_contact_list_in_t zero = {.has = 0, .number_ref = "1", .limit = 1};
    inbox_contact_list_out_t out;
    assert_int_equal (world_ask (*state, "contact_list", &zero, &out, NULL), E_NOT_FOUND);
}

/* ---- contacts ---- */

typedef struct person {
    unsigned n;
    int64_t created;
    char name[40];
    char email[40];
    bool gone;
} person_t;

static int person_compare (const void *a, const void *b)
{
    const person_t *x = a, *y = b;
    if (x->created != y->created)
        return x->created < y->created ? 1 : -1;
    return -id_compare (world_contact (x->n), world_contact (y->n));
}

static const char *const names[] = {"",      "Ada Lovelace", "BUDI Santoso", "Élodie",
                                    "Ωmega", "Иван Петров",  "ada",          "李小龍"};

static bool holds (const person_t *person, const char *folded)
{
    char name[40], email[40];
    arena_t *arena = arena_new (4096);
    snprintf (name, sizeof name, "%s", text_fold (arena, person->name));
    snprintf (email, sizeof email, "%s", text_fold (arena, person->email));
    arena_destroy (&arena);
    return strstr (name, folded) || strstr (email, folded);
}

/* All pages of a search are what the model says, in its order. */
static void search_follow (optest_t *test, const person_t *people, const char *term, int64_t limit)
{
    inbox_contact_list_in_t in = {.number_ref = WORLD_REF, .search = term, .limit = limit};
    inbox_contact_list_out_t out = {0};
    const char *folded = term ? text_fold (optest_arena (test), term) : NULL;
    size_t at = 0;
    do {
        assert_int_equal (world_ask (test, "contact_list", &in, &out, NULL), 0);
        const inbox_contact_told_t *items = out.contacts.items;
        for (size_t i = 0; i < out.contacts.count; i++) {
            while (at < PEOPLE && (people[at].gone || (folded && !holds (&people[at], folded))))
                at++;
            assert_true (at < PEOPLE);
            assert_true (id_equal (items[i].id, world_contact (people[at].n)));
            at++;
        }
        in.after = out.next;
    } while (out.next.size);
    while (at < PEOPLE && (people[at].gone || (folded && !holds (&people[at], folded))))
        at++;
    assert_int_equal (at, PEOPLE);
}

/* Contacts come in no order of their times, as a snapshot and those of today do together; some change, some go. */
static void people_fill (optest_t *test, person_t *people)
{
    unsigned seed = 3;
    for (unsigned i = 0; i < PEOPLE; i++) {
        person_t *person = &people[i];
        messaging_thread_told_t thread = {.name = names[draw (&seed, 8)]};
        *person = (person_t){.n = i, .created = 1000 + draw (&seed, 150)};
        snprintf (person->name, sizeof person->name, "%s", thread.name);
        world_state (test, i,
                     &(messaging_thread_state_t){.created_at = person->created,
                                                 .last_message = world_message (i + 1),
                                                 .thread = &thread});
    }
    for (unsigned i = 0; i < PEOPLE; i++) {
        person_t *person = &people[i];
        inbox_contact_update_in_t in = {.number_ref = WORLD_REF, .id = world_contact (i)};
        inbox_contact_delete_in_t gone = {.number_ref = WORLD_REF, .id = world_contact (i)};
        inbox_contact_delete_out_t unused;
        inbox_contact_told_t out;
        unsigned what = draw (&seed, 6);
        if (what == 0) {
            person->gone = true;
            assert_int_equal (world_ask (test, "contact_delete", &gone, &unused, NULL), 0);
        } else if (what < 3) {
            snprintf (person->email, sizeof person->email, "Person%u@Shop.example", i);
            in.email = person->email;
            in.name = names[draw (&seed, 8)];
            snprintf (person->name, sizeof person->name, "%s", in.name);
            assert_int_equal (world_ask (test, "contact_update", &in, &out, NULL), 0);
        }
    }
    qsort (people, PEOPLE, sizeof *people, person_compare);
}

static void test_contacts_and_search (void **state)
{
    static person_t people[PEOPLE];
    static const char *const terms[] = {"ADA", "a",      "love",    "santoso", "ÉLO", "ωM", "ВАН",
                                        "小",  "shop.e", "PERSON1", "no such", "@",   "i s"};
    people_fill (*state, people);
    search_follow (*state, people, NULL, 100);
    search_follow (*state, people, NULL, 9);
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        search_follow (*state, people, terms[i], 100);
        search_follow (*state, people, terms[i], 3);
    }
}

static void test_by_phone (void **state)
{
    optest_t *test = *state;
    static const struct {
        const char *phone, *search;
        int code;
        size_t count;
    } rows[] = {
        {"+15550000001", NULL, 0, 1},           {" 15550000001", NULL, 0, 1},
        {"+15550000002", NULL, 0, 0},           {"15550000001", NULL, 0, 1},
        {"x", NULL, E_INVALID_PHONE_NUMBER, 0}, {"+15550000001", "ADA", 0, 1},
        {"+15550000001", "bob", 0, 0},
    };
    assert_int_equal (world_create (test, 1, "Ada", NULL, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        inbox_contact_list_in_t in = {
            .number_ref = WORLD_REF, .phone = rows[i].phone, .search = rows[i].search, .limit = 25};
        inbox_contact_list_out_t out = {0};
        assert_int_equal (world_ask (test, "contact_list", &in, &out, NULL), rows[i].code);
        assert_int_equal (out.contacts.count, rows[i].count);
    }
}

static void test_folding (void **state)
{
    (void) state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},         {"AbC-1", "abc-1"},   {"ÀÖ×Øß", "àö×øß"}, {"ĀāĿŽ", "āāŀž"},
        {"ΑΣΫς", "ασϋς"}, {"ЀЏАЯѠҀ", "ѐџаяѡҁ"}, {"李😀", "李😀"},
    };
    arena_t *arena = arena_new (65536);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal (text_fold (arena, rows[i].text), rows[i].want);
    assert_null (text_fold (arena, NULL));
    arena_destroy (&arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, world_setup, world_teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_conversations),       TEST (test_a_place_that_its_row_left),
        TEST (test_of_one_contact),      TEST (test_limits_and_places),
        TEST (test_contacts_and_search), TEST (test_by_phone),
        cmocka_unit_test (test_folding),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
