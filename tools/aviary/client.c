/* client.c - a house's clients: synchronous asks over the bus, HTTP over libs/fetch, credentials.
 *
 * Everything ends within its time limit. Fails with an E_ code and a failure text that says what to do where that is known. */
#include "client.h"

#include "cli.h"
#include "files.h"

#include "base/clock.h"
#include "bus/curve.h"
#include "fetch/fetch.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct client {
    bus_t *bus;
};

typedef struct waiting {
    const schema_op_t *op;
    void *out;
    arena_t *arena;
    failure_t *failure;
    int code;
    bool done;
} waiting_t;

static void bus_step (client_t *self, int64_t until_ms)
{
    int next_ms = 0;
    while (bus_work (self->bus, &next_ms))
        ;
    int64_t left = until_ms - clock_mono_ms ();
    if (next_ms < 0 || next_ms > left)
        next_ms = left > 0 ? (int) left : 0;
    struct pollfd in = {.fd = bus_fd (self->bus), .events = POLLIN};
    poll (&in, 1, next_ms);
}

/* The bus of the house in `data`, or where AVIARY_BUS says (then with the keys in AVIARY_BUS_KEYS). */
static int place_find (const char *data, const char *service, char *endpoint, size_t size,
                       curve_keys_t *keys, bool *keyed, failure_t *failure)
{
    char folder[PATH_MAX];
    const char *bus = getenv ("AVIARY_BUS"), *key_folder = getenv ("AVIARY_BUS_KEYS");
    *keyed = false;
    if (!bus || !*bus) {
        if (!cli_absolute (data, folder, sizeof folder))
            return failure_set (failure, E_BAD_REQUEST, "data", "the path is too long");
        snprintf (endpoint, size, "ipc://%s/run/bus", folder);
        return 0;
    }
    snprintf (endpoint, size, "%s", bus);
    if (!strncmp (bus, "ipc://", 6))
        return 0;
    *keyed = true;
    return curve_keys_load (key_folder ? key_folder : "", service, keys, failure);
}

int client_open_as (const char *data, const char *service, uint32_t wait_ms, client_t **out,
                    failure_t *failure)
{
    char endpoint[PATH_MAX + 32];
    curve_keys_t keys;
    bool keyed;
    int rc = place_find (data, service, endpoint, sizeof endpoint, &keys, &keyed, failure);
    if (rc)
        return rc;
    client_t *self = calloc (1, sizeof *self);
    if (!self)
        return failure_set (failure, E_INTERNAL, "", "out of memory");
    bus_config_t config = {.endpoint = endpoint,
                           .service = service,
                           .pid = (unsigned) getpid (),
                           .curve = keyed ? &keys : NULL};
    rc = bus_new (&config, &self->bus, failure);
    if (keyed)
        curve_keys_wipe (&keys);
    int64_t until = clock_mono_ms () + wait_ms;
    while (!rc && !bus_connected (self->bus) && clock_mono_ms () < until)
        bus_step (self, until);
    if (!rc && wait_ms && !bus_connected (self->bus))
        rc = failure_set (failure, E_UNAVAILABLE, "",
                          "no broker answers at %s; is `aviary up` running?", endpoint);
    if (rc)
        client_close (&self);
    else
        *out = self;
    return rc;
}

int client_open (const char *data, uint32_t wait_ms, client_t **out, failure_t *failure)
{
    return client_open_as (data, "cli", wait_ms, out, failure);
}

void client_close (client_t **self)
{
    if (!self || !*self)
        return;
    bus_destroy (&(*self)->bus);
    free (*self);
    *self = NULL;
}

bool client_connected (client_t *self)
{
    return bus_connected (self->bus);
}

void client_idle (client_t *self, uint32_t wait_ms)
{
    int64_t until = clock_mono_ms () + wait_ms;
    do
        bus_step (self, until);
    while (clock_mono_ms () < until);
}

static void answered (void *context, const envelope_t *header, bytes_t body,
                      const failure_t *failure)
{
    waiting_t *waiting = context;
    waiting->done = true;
    if (failure) {
        *waiting->failure = *failure;
        waiting->code = failure->code ? failure->code : E_INTERNAL;
    } else if (header)
        waiting->code =
            schema_unpack (waiting->op->out, body, waiting->arena, waiting->out, waiting->failure);
    else
        waiting->code =
            failure_set (waiting->failure, E_INTERNAL, "", "neither answer nor failure");
}

int client_ask (client_t *self, const char *target, const envelope_t *header, const void *in,
                void *out, arena_t *arena, uint32_t timeout_ms, failure_t *failure)
{
    const schema_op_t *op = schema_op_find (target, strlen (target));
    if (!op)
        return failure_set (failure, E_NOT_FOUND, "", "there is no operation %s", target);
    buf_t body = {0};
    schema_pack (op->in, in, &body);
    if (buf_failed (&body)) {
        buf_free (&body);
        return failure_set (failure, E_INTERNAL, "", "out of memory");
    }
    envelope_t ask = header ? *header : (envelope_t){.principal = PRINCIPAL_CLI};
    ask.kind = ENV_ASK;
    ask.target = target;
    ask.ttl_ms = timeout_ms;
    waiting_t waiting = {.op = op, .out = out, .arena = arena, .failure = failure};
    bus_ask (self->bus, &ask, buf_bytes (&body), answered, &waiting);
    while (!waiting.done) /* the bus ends every ask at its deadline */
        bus_step (self, clock_mono_ms () + 100);
    buf_free (&body);
    return waiting.code;
}

static const char *text_at (const cJSON *object, const char *name, arena_t *arena)
{
    const char *text = cJSON_GetStringValue (cJSON_GetObjectItem (object, name));
    return text ? arena_strdup (arena, text) : "";
}

int credentials_read (const char *data, arena_t *arena, credentials_t *out, failure_t *failure)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/credentials.json", data);
    buf_t text = {0};
    int rc = file_read (path, 1 << 16, &text);
    cJSON *root = rc ? NULL : cJSON_Parse (buf_text (&text));
    const cJSON *app = cJSON_GetObjectItem (root, "app");
    buf_free (&text);
    if (!root)
        return failure_set (failure, E_NOT_FOUND, "", "%s: %s; the first `aviary up` writes it",
                            path, rc ? strerror (rc) : "is not JSON");
    *out = (credentials_t){
        .base_url = text_at (root, "base_url", arena),
        .organization_id = text_at (root, "organization_id", arena),
        .admin_key = text_at (root, "admin_key", arena),
        .app_id = text_at (app, "id", arena),
        .live_key = text_at (app, "live_key", arena),
        .test_app_id = text_at (app, "test_app_id", arena),
        .test_key = text_at (app, "test_key", arena),
    };
    cJSON_Delete (root);
    return 0;
}

typedef struct exchange {
    int *status;
    buf_t *answer;
    failure_t *failure;
    int code;
    bool done;
} exchange_t;

static void exchanged (void *context, const fetch_answer_t *answer)
{
    exchange_t *exchange = context;
    exchange->done = true;
    exchange->code = answer->code;
    *exchange->status = answer->status;
    buf_add (exchange->answer, answer->body.data, answer->body.size);
    if (answer->code)
        failure_set (exchange->failure, answer->code, "", "%s",
                     answer->reason ? answer->reason : "no answer");
}

enum { HEADERS_MAX = 16, HTTP_TIMEOUT_MS = 30000, ANSWER_MAX = 4 << 20 };

int client_http (const char *method, const char *url, const char *key, const char *const *headers,
                 const char *body, int *status, buf_t *answer, failure_t *failure)
{
    char bearer[512];
    const char *lines[HEADERS_MAX + 3] = {NULL};
    size_t count = 0;
    if (key && snprintf (bearer, sizeof bearer, "Authorization: Bearer %s", key) > 0)
        lines[count++] = bearer;
    if (body)
        lines[count++] = "Content-Type: application/json";
    for (; headers && *headers && count < HEADERS_MAX + 2; headers++)
        lines[count++] = *headers;
    fetch_config_t config = {.allow_http = true, .user_agent = "aviary-cli/" AVIARY_VERSION};
    fetch_t *fetch;
    int rc = fetch_new (&config, &fetch, failure);
    if (rc)
        return rc;
    fetch_request_t request = {
        .method = method,
        .url = url,
        .headers = lines,
        .body = bytes_of_str (body ? body : ""),
        .timeout_ms = HTTP_TIMEOUT_MS,
        .answer_max = ANSWER_MAX,
    };
    exchange_t exchange = {.status = status, .answer = answer, .failure = failure};
    fetch_start (fetch, &request, exchanged, &exchange);
    while (!exchange.done)
        fetch_work (fetch, 1000, -1);
    fetch_destroy (&fetch);
    return exchange.code;
}

int client_fail (const char *command, const failure_t *failure)
{
    const char *text = failure->text[0] ? failure->text : error_doc (failure->code);
    return cli_fail (cli_exit_code (failure->code), "%s: %s%s%s", command, failure->field,
                     failure->field[0] ? ": " : "", text);
}

void client_print (const schema_type_t *type, const void *in, bool reveal)
{
    buf_t out = {0};
    schema_ctx_t ctx = {.mask = true, .reveal = reveal};
    schema_json_write (type, &ctx, in, &out);
    puts (buf_text (&out));
    buf_free (&out);
}
