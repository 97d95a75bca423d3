/* tap_replay.c - recorded asks through the API's own view of them, with the key of a test app.
 *
 * Each becomes a new request, so new ids all the way. A key is made for the replay and deleted after it. What the API refuses (a number that the app
 * does not have) is told and the rest goes on. */
#include "tap_replay.h"

#include "api.h"
#include "app_ref.h"
#include "cli.h"
#include "gen/accounts.h"
#include "gen/chirp.h"
#include "gen/messaging.h"
#include "spelling.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 8000, LINE_MEMORY = 8 << 20, LINE_MAX_BYTES = 2 << 20, MEMORY = 1 << 20 };

/* Which operations are replayed, and how their `in` looks in the API. */
static const struct {
    const char *op;
    int32_t channel; /* inbound: of which */
    const char *path;
    const schema_type_t *in;
    const schema_type_t *view;
} kinds[] = {
    {"messaging.sms_send", 0, "/v1/sms", &messaging_sms_send_in_type, &chirp_SendSmsRequest_view},
    {"messaging.whatsapp_send", 0, "/v1/whatsapp/messages", &messaging_whatsapp_send_in_type,
     &chirp_SendWhatsAppMessageRequest_view},
    {"messaging.inbound_simulate", ACCOUNTS_CHANNEL_SMS, "/v1/playground/sms/inbound",
     &messaging_inbound_simulate_in_type, &chirp_SimulateSmsRequest_view},
    {"messaging.inbound_simulate", ACCOUNTS_CHANNEL_WHATSAPP, "/v1/playground/whatsapp/inbound",
     &messaging_inbound_simulate_in_type, &chirp_SimulateWhatsAppRequest_view},
};

static int request_write (size_t kind, const cJSON *recorded, arena_t *arena, buf_t *body,
                          failure_t *failure)
{
    void *in = arena_alloc (arena, kinds[kind].in->size);
    char *text = cJSON_PrintUnformatted (recorded);
    schema_ctx_t ctx = {.id_write = spelling_write, .test = true};
    int rc = in && text ? schema_json_read (kinds[kind].in, &(schema_ctx_t){0}, bytes_of_str (text),
                                            arena, in, failure)
                        : failure_set (failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        schema_json_write (kinds[kind].view, &ctx, in, body);
    cJSON_free (text);
    return rc;
}

/* The kind of a recorded ask; SIZE_MAX if it is none that is replayed. */
static size_t kind_of (const cJSON *root, const cJSON *recorded)
{
    const char *channel = api_text (recorded, "channel");
    if (strcmp (api_text (root, "kind"), "ask") != 0)
        return SIZE_MAX;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp (kinds[i].op, api_text (root, "op")) &&
            (!kinds[i].channel ||
             !strcmp (schema_enum_word (&accounts_channel_enum, kinds[i].channel), channel)))
            return i;
    return SIZE_MAX;
}

int tap_request (bytes_t line, const char **path, buf_t *body, failure_t *failure)
{
    cJSON *root = cJSON_ParseWithLength ((const char *) line.data, line.size);
    const cJSON *recorded = cJSON_GetObjectItemCaseSensitive (root, "body");
    size_t kind = kind_of (root, recorded);
    int rc = 0;
    if (!root || !*api_text (root, "kind"))
        rc = failure_set (failure, E_BAD_REQUEST, "", "this is no line of a recording");
    else if (kind == SIZE_MAX)
        rc = failure_set (failure, E_NOT_FOUND, "", "nothing that is sent again");
    else if (!strcmp (api_text (recorded, "from"), "***"))
        rc = failure_set (failure, E_BAD_REQUEST, "",
                          "it was recorded without --reveal: its texts are masked");
    arena_t *arena = rc ? NULL : arena_new (LINE_MEMORY);
    if (!rc && !arena)
        rc = failure_set (failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = request_write (kind, recorded, arena, body, failure);
    if (!rc)
        *path = kinds[kind].path;
    arena_destroy (&arena);
    cJSON_Delete (root);
    return rc;
}

/* ---- sending ---- */

typedef struct replay {
    api_t api;
    bool json;
    unsigned sent, refused;
} replay_t;

static void line_replay (replay_t *self, unsigned number, bytes_t line)
{
    const char *path = NULL;
    buf_t body = {0};
    failure_t failure = {0};
    cJSON *answer = NULL;
    int rc = tap_request (line, &path, &body, &failure);
    if (!rc)
        rc = api_call (&self->api, "POST", path, cJSON_Parse (buf_text (&body)), NULL, &answer,
                       &failure);
    buf_free (&body);
    if (!rc) {
        printf (self->json ? "{\"line\": %u, \"id\": \"%s\"}\n" : "line %u: %s\n", number,
                api_text (answer, "id"));
        self->sent++;
    } else if (path || rc != E_NOT_FOUND) {
        cli_fail (0, "tap: line %u: %s", number, failure.text);
        self->refused++;
    }
    cJSON_Delete (answer);
}

static int lines_replay (replay_t *self, const char *file, failure_t *failure)
{
    FILE *in = fopen (file, "re");
    char *line = NULL;
    size_t size = 0;
    unsigned number = 0;
    if (!in)
        return failure_set (failure, E_NOT_FOUND, "", "%s: %s", file, strerror (errno));
    for (ssize_t n; (n = getline (&line, &size, in)) > 0;) {
        number++;
        if (n <= LINE_MAX_BYTES)
            line_replay (self, number, bytes_of (line, (size_t) n));
    }
    free (line);
    fclose (in);
    if (!self->json)
        printf ("%u sent, %u refused\n", self->sent, self->refused);
    return 0;
}

static int key_make (client_t *client, id16_t app, arena_t *arena, const char **key, id16_t *id,
                     failure_t *failure)
{
    accounts_key_create_in_t in = {.app = app, .name = "aviary tap replay"};
    accounts_key_create_out_t out = {0};
    int rc = client_ask (client, "accounts.key_create", NULL, &in, &out, arena, ASK_MS, failure);
    if (!rc && (!out.key || !out.info))
        rc = failure_set (failure, E_INTERNAL, "", "accounts told no key");
    if (!rc) {
        *key = out.key;
        *id = out.info->id;
    }
    return rc;
}

static void key_delete (client_t *client, id16_t id, arena_t *arena)
{
    accounts_key_delete_in_t in = {.id = id};
    accounts_key_delete_out_t out = {0};
    failure_t failure = {0};
    if (client_ask (client, "accounts.key_delete", NULL, &in, &out, arena, ASK_MS, &failure))
        cli_fail (0, "tap: the key made for the replay is still there: %s", failure.text);
}

int tap_replay (const char *data, const char *file, const char *app, const char *url, bool json,
                failure_t *failure)
{
    replay_t self = {.json = json};
    client_t *client = NULL;
    app_ref_t to = {0};
    const char *key = NULL;
    id16_t key_id = {0};
    arena_t *arena = arena_new (MEMORY);
    int rc = arena ? client_open (data, ASK_MS, &client, failure)
                   : failure_set (failure, E_NO_MEMORY, "", "out of memory");
    if (!rc)
        rc = app_ref_read (client, data, app, &to, failure);
    if (!rc && !to.test)
        rc = failure_set (failure, E_TEST_APP_REQUIRED, "--app",
                          "recordings are replayed to test apps only");
    if (!rc)
        rc = key_make (client, to.id, arena, &key, &key_id, failure);
    if (!rc) {
        rc = api_open (data, url, key, arena, &self.api, failure);
        if (!rc)
            rc = lines_replay (&self, file, failure);
        key_delete (client, key_id, arena);
    }
    client_close (&client);
    arena_destroy (&arena);
    return rc;
}
