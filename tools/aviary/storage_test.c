/* storage_test.c - when the disk is full, by what services told; sizes as people read them; the JSON of a store. */
#include "storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DAY  (24 * 3600 * INT64_C (1000))
#define HOUR (3600 * INT64_C (1000))
#define GIB  (INT64_C (1) << 30)
#define MIB  (INT64_C (1) << 20)

static void test_the_day_the_disk_is_full (void **state)
{
    static const struct {
        const char *name;
        common_storage_out_t told[2];
        storage_outlook_t want;
        int64_t days; /* until it is full */
        int64_t a_day;
    } rows[] = {
        {"nothing measured",
         {{.disk_free_bytes = GIB}, {.disk_free_bytes = GIB}},
         STORAGE_UNKNOWN,
         0,
         0},
        {"measured for a moment",
         {{.disk_free_bytes = GIB, .measured_ms = 5000, .file_grown_bytes = MIB},
          {.disk_free_bytes = GIB}},
         STORAGE_UNKNOWN,
         0,
         0},
        {"nothing grows",
         {{.disk_free_bytes = GIB, .measured_ms = DAY},
          {.disk_free_bytes = GIB, .measured_ms = DAY}},
         STORAGE_STEADY,
         0,
         0},
        {"both stores grow",
         {{.disk_free_bytes = GIB, .measured_ms = DAY, .file_grown_bytes = 24 * MIB},
          {.disk_free_bytes = GIB, .measured_ms = DAY / 2, .file_grown_bytes = 4 * MIB}},
         STORAGE_FILLS,
         32,
         32 * MIB},
        {"files beside the stores fill it",
         {{.disk_free_bytes = GIB,
           .measured_ms = DAY,
           .file_grown_bytes = MIB,
           .disk_lost_bytes = 512 * MIB},
          {.disk_free_bytes = GIB, .measured_ms = HOUR}},
         STORAGE_FILLS,
         2,
         512 * MIB},
        {"others made room meanwhile",
         {{.disk_free_bytes = GIB,
           .measured_ms = DAY,
           .file_grown_bytes = 64 * MIB,
           .disk_lost_bytes = -GIB},
          {.disk_free_bytes = GIB, .measured_ms = HOUR}},
         STORAGE_FILLS,
         16,
         64 * MIB},
        {"slower than a century",
         {{.disk_free_bytes = GIB, .measured_ms = DAY, .file_grown_bytes = 4096},
          {.disk_free_bytes = GIB, .measured_ms = DAY}},
         STORAGE_STEADY,
         0,
         4096},
        {"full already",
         {{.disk_free_bytes = 0, .measured_ms = DAY, .file_grown_bytes = 4096},
          {.disk_free_bytes = GIB, .measured_ms = DAY}},
         STORAGE_FILLS,
         0,
         4096},
    };
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        storage_row_t services[2] = {{"messaging", rows[i].told[0]}, {"webhooks", rows[i].told[1]}};
        storage_t storage = {.rows = services, .count = 2};
        storage_forecast_t got = storage_forecast (&storage, 1000 * DAY);
        if (got.outlook != rows[i].want)
            fail_msg ("%s: %d", rows[i].name, (int) got.outlook);
        assert_int_equal (got.bytes_a_day, rows[i].a_day);
        int64_t full = rows[i].want == STORAGE_FILLS ? (1000 + rows[i].days) * DAY : 0;
        assert_in_range (got.full_at, full, full + HOUR);
    }
}

static void test_sizes (void **state)
{
    static const struct {
        int64_t bytes;
        const char *want;
    } rows[] = {{0, "0 B"},           {1023, "1023 B"},
                {1536, "1.5 KiB"},    {-4 * MIB, "-4.0 MiB"},
                {5 * GIB, "5.0 GiB"}, {5000 * 1024 * GIB, "5000.0 TiB"}};
    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[24];
        storage_size_text (rows[i].bytes, text);
        assert_string_equal (text, rows[i].want);
    }
}

static void test_json (void **state)
{
    common_table_bytes_t tables[] = {{.name = "messaging.message", .rows = 3, .bytes = 8192},
                                     {.name = "messaging.message/log", .rows = 3, .bytes = 4096}};
    common_storage_out_t told = {.tables = {tables, 2},
                                 .file_bytes = 65536,
                                 .disk_free_bytes = 1000,
                                 .measured_ms = DAY / 2,
                                 .file_grown_bytes = 100};
    storage_forecast_t forecast = {.full_at = 20000 * DAY};
    buf_t out = {0};
    (void) state;
    storage_json (&told, &forecast, &out);
    assert_string_equal (
        buf_text (&out),
        "{\"file_bytes\": 65536, \"disk_free_bytes\": 1000, \"measured_ms\": 43200000, "
        "\"bytes_a_day\": 200, \"disk_full_on\": \"2024-10-04\", \"tables\": [{\"name\": "
        "\"messaging.message\", \"rows\": 3, \"bytes\": 8192}, {\"name\": "
        "\"messaging.message/log\", \"rows\": 3, \"bytes\": 4096}]}");
    buf_clear (&out);
    told.measured_ms = 0;
    told.tables.count = 0;
    forecast.full_at = 0;
    storage_json (&told, &forecast, &out);
    assert_string_equal (buf_text (&out),
                         "{\"file_bytes\": 65536, \"disk_free_bytes\": 1000, \"measured_ms\": 0, "
                         "\"bytes_a_day\": null, \"disk_full_on\": null, \"tables\": []}");
    buf_free (&out);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_the_day_the_disk_is_full),
        cmocka_unit_test (test_sizes),
        cmocka_unit_test (test_json),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
