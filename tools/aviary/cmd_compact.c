/* cmd_compact.c - `aviary compact [SERVICE...]`: overwrites what was deleted, by making each store anew.
 *
 * While the house runs, one service after the other ends in order, is started again by whoever supervises it and makes its store anew before it opens it; its routes
 * answer 503 meanwhile. While nothing runs here the stores are made anew by this process. EX_OK when all were; a store that could not be keeps what it had. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "house.h"
#include "json.h"
#include "storage.h"

#include "base/clock.h"
#include "store/store.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    OPEN_MS = 1000,
    ASK_MS = 5000,
    LOOK_MS = 1000,
    POLL_MS = 100,
    DONE_MOST = 64,
    NAME_SIZE = 64
};

typedef struct done {
    char service[NAME_SIZE];
    store_compacted_t told;
} done_t;

typedef struct compacting {
    client_t *client; /* NULL: nothing runs */
    const char *data;
    const cli_list_t *wanted; /* none = all */
    int64_t timeout_ms;
    done_t done[DONE_MOST];
    size_t count;
    failure_t failure;
} compacting_t;

static bool is_wanted (const compacting_t *c, const char *service)
{
    bool found = !c->wanted->count;
    for (size_t i = 0; i < c->wanted->count; i++)
        found = found || !strcmp (c->wanted->items[i], service);
    return found;
}

static done_t *done_add (compacting_t *c, const char *service)
{
    if (c->count == DONE_MOST)
        return NULL;
    done_t *done = &c->done[c->count++];
    *done = (done_t){0};
    snprintf (done->service, sizeof done->service, "%.*s", NAME_SIZE - 1, service);
    return done;
}

/* ---- the house runs ---- */

static int told_ask (compacting_t *c, const char *service, store_compacted_t *out)
{
    char target[NAME_SIZE + 16];
    failure_t failure = {0};
    common_storage_in_t in = {0};
    common_storage_out_t told = {0};
    arena_t *arena = arena_new (1 << 20);
    if (!arena)
        return E_NO_MEMORY;
    snprintf (target, sizeof target, "%s.storage", service);
    int rc = client_ask (c->client, target, NULL, &in, &told, arena, LOOK_MS, &failure);
    *out = (store_compacted_t){.at = told.compacted_at,
                               .before = (uint64_t) told.compacted_from_bytes,
                               .after = (uint64_t) told.compacted_to_bytes};
    if (!rc && !told.file_bytes)
        rc = E_NOT_FOUND;
    snprintf (out->why, sizeof out->why, "%s", told.compact_failed ? told.compact_failed : "");
    arena_destroy (&arena);
    return rc;
}

/* It ends, starts again, makes its store anew and is owner. */
static int service_await (compacting_t *c, done_t *done, int64_t before)
{
    int64_t end = clock_mono_ms () + c->timeout_ms;
    while (clock_mono_ms () < end) {
        if (!told_ask (c, done->service, &done->told) && done->told.at > before)
            return 0;
        client_idle (c->client, POLL_MS);
    }
    return failure_set (&c->failure, E_TIMEOUT, "",
                        "%s has not made its store anew in time; it does when it starts next",
                        done->service);
}

static int service_compact (compacting_t *c, const char *service)
{
    char target[NAME_SIZE + 16];
    store_compacted_t before;
    int rc = told_ask (c, service, &before);
    if (rc == E_NOT_FOUND) /* it keeps no store */
        return 0;
    done_t *done = rc ? NULL : done_add (c, service);
    if (!done)
        return failure_set (&c->failure, E_UNAVAILABLE, "", "%s does not answer", service);
    arena_t *arena = arena_new (1 << 16);
    common_compact_in_t in = {0};
    common_compact_out_t out = {0};
    snprintf (target, sizeof target, "%s.compact", service);
    rc = arena ? client_ask (c->client, target, NULL, &in, &out, arena, ASK_MS, &c->failure)
               : failure_set (&c->failure, E_NO_MEMORY, "", "out of memory");
    arena_destroy (&arena);
    return rc ? rc : service_await (c, done, before.at);
}

static bool is_first (const house_t *house, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp (house->rows[i].service, house->rows[n].service))
            return false;
    return strcmp (house->rows[n].service, "broker") && strcmp (house->rows[n].service, "sim");
}

static int house_compact (compacting_t *c)
{
    house_t house;
    house_look (c->data, c->client, LOOK_MS, &house);
    int rc = 0;
    for (size_t i = 0; !rc && i < house.count; i++)
        if (house.rows[i].seen && is_first (&house, i) && is_wanted (c, house.rows[i].service))
            rc = service_compact (c, house.rows[i].service);
    return rc;
}

/* ---- nothing runs ---- */

static int folders_compact (compacting_t *c)
{
    char path[PATH_MAX], file[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/store", c->data);
    DIR *dir = opendir (path);
    if (!dir)
        return failure_set (&c->failure, E_NOT_FOUND, "", "there are no stores in %s", path);
    int rc = 0;
    for (struct dirent *e; !rc && (e = readdir (dir));) {
        snprintf (path, sizeof path, "%s/store/%s", c->data, e->d_name);
        snprintf (file, sizeof file, "%s/data.mdb", path);
        if (e->d_name[0] == '.' || access (file, F_OK) || !is_wanted (c, e->d_name))
            continue;
        done_t *done = done_add (c, e->d_name);
        rc = done ? store_compact (path, 0, &done->told, &c->failure)
                  : failure_set (&c->failure, E_TOO_LARGE, "", "too many stores in %s", path);
    }
    closedir (dir);
    return rc;
}

/* ---- telling ---- */

static void print_json (const compacting_t *c)
{
    buf_t text = {0};
    buf_add_str (&text, "[");
    for (size_t i = 0; i < c->count; i++) {
        const store_compacted_t *told = &c->done[i].told;
        buf_printf (&text, "%s{\"service\": ", i ? ",\n " : "");
        json_text (&text, c->done[i].service);
        buf_printf (&text,
                    ", \"bytes_before\": %" PRIu64 ", \"bytes_after\": %" PRIu64 ", \"error\": ",
                    told->before, told->after);
        if (*told->why)
            json_text (&text, told->why);
        else
            buf_add_str (&text, "null");
        buf_add_str (&text, "}");
    }
    buf_add_str (&text, "]");
    puts (buf_text (&text));
    buf_free (&text);
}

static void print_lines (const compacting_t *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const store_compacted_t *told = &c->done[i].told;
        char before[24], after[24];
        storage_size_text ((int64_t) told->before, before);
        storage_size_text ((int64_t) told->after, after);
        if (*told->why)
            printf ("%-12s not done: %s\n", c->done[i].service, told->why);
        else if (told->at)
            printf ("%-12s %s, was %s; what was deleted is overwritten\n", c->done[i].service,
                    after, before);
    }
}

/* One that failed is told, and is the exit code's reason. */
static int finish (compacting_t *c, int rc, bool json)
{
    if (json)
        print_json (c);
    else
        print_lines (c);
    for (size_t i = 0; !rc && i < c->count; i++)
        if (*c->done[i].told.why)
            rc = failure_set (&c->failure, E_IO, "", "the store of %s is as it was: %s",
                              c->done[i].service, c->done[i].told.why);
    if (!rc && !c->count)
        rc = failure_set (&c->failure, E_NOT_FOUND, "", "no such store");
    return rc ? client_fail ("compact", &c->failure) : EX_OK;
}

int cmd_compact (int argc, char **argv)
{
    const char *data = "./var";
    bool json = false;
    int64_t timeout = 600000;
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0},
        {"--timeout", "TIME", "how long one service may take (default 10m)", CLI_MILLIS, &timeout,
         1000, 24 * 3600 * INT64_C (1000)},
        {"--json", NULL, "an array of {service, bytes_before, bytes_after, error}", CLI_SWITCH,
         &json, 0, 0},
    };
    cli_form_t form = {
        .command = "compact",
        .about =
            "Makes stores anew and overwrites the old files: no byte of what was deleted or erased is left in them. "
            "One service after the other is restarted for it; a stopped house is done in place. Needs "
            "room for a copy of the largest store.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "[SERVICE...]",
        .operand_max = CLI_LIST_MAX,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    compacting_t c = {.data = data, .wanted = &form.given, .timeout_ms = timeout};
    failure_t nobody = {0};
    char bus[PATH_MAX];
    snprintf (bus, sizeof bus, "%s/run/bus", data);
    if (!access (bus, F_OK) && client_open (data, OPEN_MS, &c.client, &nobody))
        c.client = NULL;
    rc = c.client ? house_compact (&c) : folders_compact (&c);
    rc = finish (&c, rc, json);
    client_close (&c.client);
    return rc;
}
