/* storage.c - asks each service what its store takes, adds it up and says when the disk is full. See storage.h. */
#include "storage.h"

#include "base/clock.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 8 << 20, KNOWN_AFTER_MS = 60000, NAME_MAX_SHOWN = 64 };
static const int64_t day_ms = 24 * 3600 * INT64_C (1000);
static const int64_t century_days = 36525;

void storage_look (client_t *client, const house_t *house, uint32_t timeout_ms, storage_t *out)
{
    *out = (storage_t){.arena = client ? arena_new (MEMORY) : NULL};
    out->rows = out->arena ? arena_array_of (out->arena, storage_row_t, house->count + 1) : NULL;
    for (size_t i = 0; out->rows && i < house->count; i++) {
        const house_row_t *row = &house->rows[i];
        char target[48];
        failure_t failure = {0};
        common_storage_in_t in = {0};
        storage_row_t *to = &out->rows[out->count];
        bool asks = row->seen && (row->ready || row->owner) && strcmp (row->service, "broker") &&
                    strcmp (row->service, "sim") && !storage_of (out, row->service);
        snprintf (target, sizeof target, "%s.storage", row->service);
        if (!asks ||
            client_ask (client, target, NULL, &in, &to->told, out->arena, timeout_ms, &failure))
            continue;
        to->service = row->service;
        out->count += to->told.file_bytes > 0;
    }
}

void storage_free (storage_t *self)
{
    arena_destroy (&self->arena);
    *self = (storage_t){0};
}

const common_storage_out_t *storage_of (const storage_t *self, const char *service)
{
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp (self->rows[i].service, service))
            return &self->rows[i].told;
    return NULL;
}

/* ---- how long the disk lasts ---- */

int64_t storage_a_day (int64_t bytes, int64_t measured_ms)
{
    return measured_ms > 0 ? (int64_t) ((double) bytes * (double) day_ms / (double) measured_ms)
                           : 0;
}

storage_forecast_t storage_forecast (const storage_t *self, int64_t now)
{
    storage_forecast_t out = {0};
    int64_t stores = 0, disk = 0;
    for (size_t i = 0; i < self->count; i++) {
        const common_storage_out_t *told = &self->rows[i].told;
        if (!i || told->disk_free_bytes < out.free_bytes)
            out.free_bytes = told->disk_free_bytes;
        if (told->measured_ms < KNOWN_AFTER_MS)
            continue;
        stores += storage_a_day (told->file_grown_bytes, told->measured_ms);
        if (told->measured_ms > out.measured_ms) {
            out.measured_ms = told->measured_ms;
            disk = storage_a_day (told->disk_lost_bytes, told->measured_ms);
        }
    }
    out.bytes_a_day = disk > stores ? disk : stores;
    if (!out.measured_ms)
        return out;
    bool fills = out.bytes_a_day > 0 && out.free_bytes / out.bytes_a_day < century_days;
    out.outlook = fills ? STORAGE_FILLS : STORAGE_STEADY;
    if (fills)
        out.full_at =
            now + (int64_t) ((double) out.free_bytes / (double) out.bytes_a_day * (double) day_ms);
    return out;
}

/* ---- text ---- */

void storage_size_text (int64_t bytes, char out[24])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double) bytes;
    size_t unit = 0;
    for (; (value >= 1024 || value <= -1024) && unit < 4; unit++)
        value /= 1024;
    snprintf (out, 24, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void span_text (int64_t ms, char out[24])
{
    int64_t minutes = ms / 60000;
    if (minutes < 120)
        snprintf (out, 24, "%" PRId64 " min", minutes);
    else
        snprintf (out, 24, "%" PRId64 " h", minutes / 60);
}

static void print_disk (const storage_t *self, int64_t now)
{
    storage_forecast_t f = storage_forecast (self, now);
    char left[24], rate[24], span[24], at[CLOCK_ISO_SIZE];
    storage_size_text (f.free_bytes, left);
    storage_size_text (f.bytes_a_day, rate);
    span_text (f.measured_ms, span);
    printf ("\ndisk: %s free, ", left);
    if (f.outlook == STORAGE_UNKNOWN)
        printf ("how fast it fills shows after a minute\n");
    else if (f.outlook == STORAGE_STEADY)
        printf ("%s (measured over %s)\n",
                f.bytes_a_day > 0 ? "lasts for over a century" : "not growing", span);
    else {
        clock_write_iso (f.full_at, at);
        printf ("full on %.10s at this rate: %s a day, measured over %s\n", at, rate, span);
    }
}

/* A record's rows and indexes are one line: its indexes follow it in the list. */
static size_t print_table (const char *service, const common_table_bytes_t *tables, size_t count)
{
    int64_t bytes = tables->bytes;
    size_t length = strlen (tables->name), n = 1;
    while (n < count && !strncmp (tables[n].name, tables->name, length) &&
           tables[n].name[length] == '/')
        bytes += tables[n++].bytes;
    char whole[24], indexes[24];
    storage_size_text (bytes, whole);
    storage_size_text (bytes - tables->bytes, indexes);
    if (!bytes)
        return n;
    size_t own = strlen (service);
    bool is_own = !strncmp (tables->name, service, own) && tables->name[own] == '.';
    printf ("    %-20.*s %12s  %" PRId64 " rows", NAME_MAX_SHOWN,
            tables->name + (is_own ? own + 1 : 0), whole, tables->rows);
    printf (n > 1 && bytes > tables->bytes ? ", %s of it indexes\n" : "\n", indexes);
    return n;
}

static void print_store (const storage_row_t *row)
{
    const common_storage_out_t *told = &row->told;
    const common_table_bytes_t *tables = told->tables.items;
    char file[24], rate[24];
    storage_size_text (told->file_bytes, file);
    storage_size_text (storage_a_day (told->file_grown_bytes, told->measured_ms), rate);
    printf ("%s: %s", row->service, file);
    if (told->measured_ms >= KNOWN_AFTER_MS)
        printf (told->file_grown_bytes > 0 ? ", grows %s a day" : ", not growing", rate);
    printf ("\n");
    for (size_t i = 0; i < told->tables.count;)
        i += print_table (row->service, &tables[i], told->tables.count - i);
}

void storage_print (const storage_t *self, int64_t now)
{
    if (!self->count)
        return;
    print_disk (self, now);
    for (size_t i = 0; i < self->count; i++)
        print_store (&self->rows[i]);
}

/* ---- JSON ---- */

void storage_json (const common_storage_out_t *told, const storage_forecast_t *forecast, buf_t *out)
{
    const common_table_bytes_t *tables = told->tables.items;
    char at[CLOCK_ISO_SIZE];
    bool known = told->measured_ms >= KNOWN_AFTER_MS;
    clock_write_iso (forecast->full_at, at);
    buf_printf (out,
                "{\"file_bytes\": %" PRId64 ", \"disk_free_bytes\": %" PRId64
                ", \"measured_ms\": %" PRId64,
                told->file_bytes, told->disk_free_bytes, told->measured_ms);
    if (known)
        buf_printf (out, ", \"bytes_a_day\": %" PRId64,
                    storage_a_day (told->file_grown_bytes, told->measured_ms));
    else
        buf_add_str (out, ", \"bytes_a_day\": null");
    if (forecast->full_at)
        buf_printf (out, ", \"disk_full_on\": \"%.10s\"", at);
    else
        buf_add_str (out, ", \"disk_full_on\": null");
    buf_add_str (out, ", \"tables\": [");
    for (size_t i = 0; i < told->tables.count; i++) {
        buf_add_str (out, i ? ", {\"name\": " : "{\"name\": ");
        json_text (out, tables[i].name);
        buf_printf (out, ", \"rows\": %" PRId64 ", \"bytes\": %" PRId64 "}", tables[i].rows,
                    tables[i].bytes);
    }
    buf_add_str (out, "]}");
}
