/* json_bench.c - what it costs to read a request body: our reader into a struct (and to msgpack) beside cJSON's tree.
 *
 * A program to run by hand, not a test: prints nanoseconds per body. Usage: json_bench [rounds] */
#include "schema/schema.h"

#include "base/clock.h"
#include "testgen/bird.h"
#include "testgen/zoo.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char body[] =
    "{\"type\":\"CAT\",\"phone\":\"+4915112345678\",\"phones\":[\"+4915112345678\",\"+4915112345679\",\"+4915112345670\"],"
    "\"text\":{\"body\":\"Hello\",\"preview\":true},\"url\":\"https://example.test/some/path/to/a/picture/that/has/a/longish/name.jpeg\","
    "\"labels\":{\"a\":\"one\",\"b\":\"two\"},\"legCount\":4,\"weight\":12.5,\"day\":\"2026-03-02\",\"words\":[\"a\",\"b\",\"c\"],"
    "\"home\":{\"title\":\"Somewhere\",\"latitude\":52.5},\"tags\":[{\"word\":\"first\"},{\"word\":\"second\"}]}";

typedef struct bench {
    arena_t *arena;
    buf_t packed;
} bench_t;

static void do_cjson (bench_t *b)
{
    (void) b;
    cJSON *tree = cJSON_ParseWithLength (body, sizeof body - 1);
    if (!tree)
        abort ();
    cJSON_Delete (tree);
}

static void do_read (bench_t *b)
{
    zoo_add_in_t in = {0};
    if (schema_json_read (&bird_AddRequest_view, NULL, bytes_of_str (body), b->arena, &in, NULL))
        abort ();
    arena_reset (b->arena);
}

static void do_read_pack (bench_t *b)
{
    zoo_add_in_t in = {0};
    if (schema_json_read (&bird_AddRequest_view, NULL, bytes_of_str (body), b->arena, &in, NULL))
        abort ();
    buf_clear (&b->packed);
    schema_pack (&zoo_add_in_type, &in, &b->packed);
    arena_reset (b->arena);
}

static void do_unpack (bench_t *b)
{
    zoo_add_in_t in = {0};
    if (schema_unpack (&zoo_add_in_type, buf_bytes (&b->packed), b->arena, &in, NULL))
        abort ();
    arena_reset (b->arena);
}

int main (int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run) (bench_t *b);
    } rows[] = {{"cJSON_Parse", do_cjson},
                {"read", do_read},
                {"read and pack", do_read_pack},
                {"unpack", do_unpack}};
    long rounds = argc > 1 ? atol (argv[1]) : 100000;
    bench_t bench = {.arena = arena_new (1 << 16)};
    printf ("%zu bytes of JSON\n", sizeof body - 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t start = clock_mono_us ();
        for (long n = 0; n < rounds; n++)
            rows[i].run (&bench);
        printf ("%-16s %6.0f ns\n", rows[i].name,
                (double) (clock_mono_us () - start) * 1000.0 / (double) rounds);
    }
    printf ("%zu bytes of msgpack\n", bench.packed.size);
    buf_free (&bench.packed);
    arena_destroy (&bench.arena);
    return 0;
}
