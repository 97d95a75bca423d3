/* table_test.c - what the generator makes: services, records, machines, routes, events, errors; and the look-ups over them. */
#include "schema/schema.h"

#include "testgen/bird.h"
#include "testgen/zoo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

extern const schema_op_t testgen_all_ops[];
extern const size_t testgen_all_op_count;
extern const size_t testgen_common_op_count;

/* The handlers that zoo.h declares; `t` is only handed through. */
int zoo_add (turn_t *t, const zoo_add_in_t *in, zoo_add_out_t *out)
{
    (void) t;
    out->legs = in->legs + 1;
    return 11;
}

int zoo_add_resume (turn_t *t, const zoo_add_in_t *in, zoo_add_out_t *out)
{
    (void) t;
    out->legs = in->legs + 2;
    return 12;
}

int zoo_list (turn_t *t, const zoo_list_in_t *in, zoo_list_out_t *out)
{
    (void) t;
    (void) in;
    (void) out;
    return 13;
}

static void test_service (void **state)
{
    (void) state;
    const schema_service_t *s = &zoo_service;
    assert_string_equal (s->name, "zoo");
    assert_int_equal (s->version, 3);
    assert_int_equal (s->readable_from, 2);
    assert_int_equal (s->op_count, 2);
    const schema_op_t *add = &s->ops[0];
    assert_string_equal (add->name, "add");
    assert_int_equal (add->flags, OP_WRITE | OP_KEYED | OP_PARKS);
    assert_int_equal (add->deadline_ms, 900);
    assert_true (add->secret_answer);
    assert_string_equal (add->settles[0], "zoo");
    assert_null (add->settles[1]);
    assert_ptr_equal (add->out, &zoo_animal_type);
    zoo_add_in_t in = {.legs = 3};
    zoo_animal_t out = {0};
    assert_int_equal (add->handler (NULL, &in, &out), 11);
    assert_int_equal (out.legs, 4);
    assert_int_equal (add->resume (NULL, &in, &out), 12);
    assert_int_equal (out.legs, 5);
    assert_int_equal (s->ops[1].flags, OP_READ | OP_OWNER);
    assert_null (s->ops[1].resume);
    assert_null (zoo_contract.ops[0].handler);
    assert_ptr_equal (zoo_contract.ops, testgen_all_ops);
    assert_int_equal (testgen_all_op_count, 2);
    assert_int_equal (testgen_common_op_count, 0);
    assert_null (schema_common_ops[0].from); /* any service may ask */
    assert_string_equal (s->counters[ZOO_COUNTER_ANIMALS_LOST_TOTAL], "animals_lost_total");
    assert_string_equal (s->counter_docs[ZOO_COUNTER_ANIMALS_ADDED_TOTAL], "Animals added.");
}

static void test_record (void **state)
{
    (void) state;
    const schema_record_t *r = &zoo_animal_record;
    assert_ptr_equal (zoo_service.records[0], r);
    assert_string_equal (r->table, "zoo.animal");
    assert_string_equal (r->id->name, "id");
    assert_string_equal (r->owner->name, "org");
    assert_int_equal (r->index_count, 2);
    assert_true (r->indexes[0].unique);
    assert_string_equal (r->indexes[0].fields[1]->name, "name");
    assert_true (r->indexes[1].counted);
    for (size_t i = 1; i < r->type->field_count; i++) /* canonical order is the order of numbers */
        assert_true (r->type->fields[i - 1].number < r->type->fields[i].number);
    for (size_t i = 0; i < r->type->field_count; i++)
        assert_int_equal (r->type->fields[i].has_bit, i);
    assert_int_equal (schema_field_find (r->type, "name")->number, 20);
    assert_null (schema_field_find (r->type, "nam"));
}

static void test_settings (void **state)
{
    (void) state;
    static const struct {
        const char *name;
        int kind;
        size_t offset;
        const char *initial;
    } rows[] = {
        {"cages", SK_INT, offsetof (zoo_settings_t, cages), "12"},
        {"nap", SK_TIME, offsetof (zoo_settings_t, nap), "10m"},
        {"password", SK_STR, offsetof (zoo_settings_t, password), NULL},
        {"open", SK_BOOL, offsetof (zoo_settings_t, open), "on"},
    };
    assert_int_equal (ZOO_SETTING_COUNT, 4);
    assert_int_equal (zoo_service.settings_size, sizeof (zoo_settings_t));
    for (size_t i = 0; i < ZOO_SETTING_COUNT; i++) {
        const schema_setting_t *s = &zoo_service.settings[i];
        assert_string_equal (s->name, rows[i].name);
        assert_int_equal (s->kind, rows[i].kind);
        assert_int_equal (s->offset, rows[i].offset);
        if (rows[i].initial)
            assert_string_equal (s->initial, rows[i].initial);
        else
            assert_null (s->initial);
    }
    assert_true (zoo_settings[0].reloadable && zoo_settings[2].required && zoo_settings[2].secret);
}

static void test_machine (void **state)
{
    (void) state;
    assert_true (schema_may_move (&zoo_animal_machine, ZOO_STATE_NEW, ZOO_STATE_DEAD));
    assert_false (schema_may_move (&zoo_animal_machine, ZOO_STATE_DEAD, ZOO_STATE_NEW));
    assert_false (schema_may_move (&zoo_animal_machine, ZOO_STATE_NEW, ZOO_STATE_NEW));
    assert_string_equal (schema_enum_word (&zoo_kind_enum, 9), "fish");
    assert_string_equal (schema_enum_word (&zoo_kind_enum, 3), "?");
    assert_int_equal (schema_enum_read (&zoo_kind_enum, "catx", 3), ZOO_KIND_CAT);
    assert_int_equal (schema_enum_read (&zoo_kind_enum, "catx", 4), 0);
}

static const schema_public_t *route (const char *name)
{
    for (size_t i = 0; i < testgen_bird_op_count; i++)
        if (strcmp (testgen_bird_ops[i].name, name) == 0)
            return &testgen_bird_ops[i];
    fail ();
    return NULL;
}

static void test_public (void **state)
{
    (void) state;
    assert_int_equal (testgen_bird_op_count, 4);
    assert_true (route ("countAnimals") < route ("getAnimal")); /* literal segments match first */
    const schema_public_t *count = route ("countAnimals"), *add = route ("addAnimal"),
                          *get = route ("getAnimal");
    assert_int_equal (count->auth, AUTH_ADMIN);
    assert_true (count->test_only);
    assert_string_equal (count->bucket, "slow");
    assert_int_equal (count->status, 200);
    assert_int_equal (count->answer_view->size,
                      sizeof (zoo_list_out_t)); /* a view used over another struct than its own */
    assert_ptr_equal (add->op, &testgen_all_ops[0]);
    assert_ptr_equal (add->ensure, &testgen_all_ops[1]);
    assert_ptr_equal (add->body_view, &bird_AddRequest_view);
    assert_true (add->body_optional);
    assert_ptr_equal (add->answer_view, &bird_Animal_view);
    assert_int_equal (get->path_view->fields[0].flags & SF_REQUIRED, SF_REQUIRED);
    assert_string_equal (get->path_view->fields[0].prefix, "ani");
    arena_t *arena = arena_new (4096);
    zoo_add_in_t in = {0};
    assert_int_equal (schema_fixed_apply (add, arena, &in), 0);
    assert_int_equal (in.kind, ZOO_KIND_FISH);
    assert_string_equal (in.text, "hm");
    assert_true (in.has & ZOO_ADD_IN_HAS_TEXT);
    buf_t out = {0};
    schema_json_write (count->answer_view, NULL, &(zoo_list_out_t){0}, &out);
    assert_string_equal (buf_text (&out), "{\"message\":\"done\"}");
    buf_free (&out);
    arena_destroy (&arena);
}

static void test_copy_same (void **state)
{
    (void) state;
    zoo_add_in_t from = {.has = ZOO_ADD_IN_HAS_PREVIEW,
                         .weight = 1.5,
                         .text = "t",
                         .labels = {(schema_pair_t[]){{"a", "b"}}, 1}};
    zoo_list_in_t to = {0};
    zoo_animal_t animal = {0};
    schema_copy_same (&zoo_add_in_type, &from, &zoo_list_in_type, &to);
    assert_true (to.weight == 1.5);
    assert_int_equal (to.has, ZOO_LIST_IN_HAS_WEIGHT);
    schema_copy_same (&zoo_add_in_type, &from, &zoo_animal_type, &animal);
    assert_int_equal (animal.labels.count, 1);
    assert_null (animal.name);
}

static void test_events (void **state)
{
    (void) state;
    zoo_animal_t owl = {.kind = ZOO_KIND_OWL}, cat = {.kind = ZOO_KIND_CAT};
    const struct {
        zoo_born_t born;
        bool owls, wild;
    } rows[] = {
        {{.message = &owl, .state = ZOO_STATE_NEW}, true, false},
        {{.message = &owl, .state = ZOO_STATE_LIVING, .wild = true}, true, true},
        {{.message = &owl, .state = ZOO_STATE_DEAD}, false, false},
        {{.message = &cat, .state = ZOO_STATE_NEW, .wild = true}, false, true},
        {{.state = ZOO_STATE_NEW, .wild = true}, false, false},
    };
    assert_int_equal (testgen_bird_event_count, 3);
    const schema_public_event_t *owls = &testgen_bird_events[0], *wild = &testgen_bird_events[1],
                                *moved = &testgen_bird_events[2];
    assert_string_equal (owls->name, "owls.born");
    assert_ptr_equal (owls->core, &zoo_born_event);
    assert_ptr_equal (owls->view, &bird_Animal_view);
    assert_int_equal (moved->core->number, 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal (schema_event_applies (owls, &rows[i].born), rows[i].owls);
        assert_int_equal (schema_event_applies (wild, &rows[i].born), rows[i].wild);
        assert_ptr_equal (schema_event_part (owls, &rows[i].born), rows[i].born.message);
        assert_ptr_equal (schema_event_part (wild, &rows[i].born), &rows[i].born);
    }
}

static void test_dialect (void **state)
{
    (void) state;
    const schema_dialect_t *d = &testgen_bird_dialect;
    assert_string_equal (d->name, "bird");
    assert_int_equal (schema_public_error_find (d, 1)->status, 400);
    assert_null (schema_public_error_find (d, 1)->word);
    assert_int_equal (schema_public_error_find (d, 101)->status, 422);
    assert_string_equal (schema_public_error_find (d, 101)->word, "phone");
    assert_string_equal (schema_public_error_find (d, 101)->type, "bad");
    assert_null (schema_public_error_find (d, 7));
    assert_int_equal (schema_bucket_find (d, "slow")->per_minute, 6);
    assert_null (schema_bucket_find (d, "fast"));
    buf_t packed = {0};
    assert_int_equal (schema_any_read (bytes_of_str (d->openapi), &packed, NULL), 0);
    assert_non_null (strstr (d->openapi, "\"openapi\":\"3.1.0\""));
    buf_free (&packed);
}

/* The real schemas: every op, record and event is found by its name. */
static void test_find (void **state)
{
    (void) state;
    for (size_t i = 0; i < schema_all_op_count; i++) {
        char target[128];
        int length = snprintf (target, sizeof target, "%s.%s", schema_all_ops[i].service,
                               schema_all_ops[i].name);
        assert_ptr_equal (schema_op_find (target, (size_t) length), &schema_all_ops[i]);
        assert_null (schema_op_find (target, (size_t) length - 1));
    }
    for (size_t i = 0; i < schema_all_service_count; i++) {
        const schema_service_t *s = schema_all_services[i];
        char target[128];
        assert_ptr_equal (schema_service_find (s->name, strlen (s->name)), s);
        for (size_t j = 0; j < schema_common_op_count; j++) {
            int length =
                snprintf (target, sizeof target, "%s.%s", s->name, schema_common_ops[j].name);
            assert_ptr_equal (schema_op_find (target, (size_t) length), &schema_common_ops[j]);
        }
        for (size_t j = 0; j < s->record_count; j++)
            assert_ptr_equal (schema_record_find (s->records[j]->table), s->records[j]);
        for (size_t j = 0; j < s->event_count; j++)
            assert_ptr_equal (schema_event_find (s->name, s->events[j]->number), s->events[j]);
    }
    static const char *const strange[] = {"",          ".",          "nobody.ping", "common.ping",
                                          "messaging", "messaging.", ".ping"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        assert_null (schema_op_find (strange[i], strlen (strange[i])));
    assert_null (schema_op_find ("messaging\0.ping", 15));
    assert_null (schema_record_find ("nobody.nothing"));
    assert_null (schema_event_find ("nobody", 1));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_service),  cmocka_unit_test (test_record),
        cmocka_unit_test (test_settings), cmocka_unit_test (test_machine),
        cmocka_unit_test (test_public),   cmocka_unit_test (test_copy_same),
        cmocka_unit_test (test_events),   cmocka_unit_test (test_dialect),
        cmocka_unit_test (test_find),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
