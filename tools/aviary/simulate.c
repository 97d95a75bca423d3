/* simulate.c - wiring a house to aviary-sim: its file, its command line, accounts and numbers, the credentials, its presets.
 *
 * Every step looks for what it would make, so that a start that was cut off is finished by the next. */
#include "simulate.h"

#include "carrier.h"
#include "files.h"
#include "first.h"
#include "gen/accounts.h"
#include "json.h"
#include "port.h"
#include "spelling.h"

#include "base/text.h"
#include "sign/sign.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { ASK_MS = 8000, MEMORY = 4 << 20, FILE_MAX = 1 << 16, PORTS_TRIED = 200 };

static const char account_name[] = "simulator";

/* ---- DIR/simulator.json ---- */

static void path_write (const char *data, const char *name, char out[PATH_MAX])
{
    snprintf (out, PATH_MAX, "%s/%s", data, name);
}

/* libsodium's secret key is the seed and the public key behind it. */
static void key_make (simulate_t *self)
{
    uint8_t public_key[32], secret[64];
    sign_ed25519_keypair (public_key, secret);
    text_write_hex (secret, 32, self->seed);
    text_write_base64 (public_key, sizeof public_key, self->public_key);
    sign_wipe (secret, sizeof secret);
}

static void secrets_make (simulate_t *self)
{
    sign_random_base62 (self->app_secret, 32);
    sign_random_base62 (self->verify_token, 32);
    memcpy (self->token, "EAAsim", 6);
    sign_random_base62 (self->token + 6, 40);
    memcpy (self->key, "KEYsim", 6);
    sign_random_base62 (self->key + 6, 40);
    key_make (self);
}

static int port_find (uint16_t first, uint16_t *out, failure_t *failure)
{
    for (unsigned port = first; port < (unsigned) first + PORTS_TRIED && port <= 65535; port++)
        if (port_try ("127.0.0.1", (uint16_t) port) == 0) {
            *out = (uint16_t) port;
            return 0;
        }
    return failure_set (failure, E_UNAVAILABLE, "", "no port from %u on is free for the simulator",
                        first);
}

/* The file's texts and where they go. */
typedef struct member {
    const char *name;
    char *out;
    size_t size;
} member_t;

enum { MEMBERS = 6 };

static void members_of (simulate_t *self, member_t out[MEMBERS])
{
    const member_t all[MEMBERS] = {
        {"app_secret", self->app_secret, sizeof self->app_secret},
        {"verify_token", self->verify_token, sizeof self->verify_token},
        {"token", self->token, sizeof self->token},
        {"key", self->key, sizeof self->key},
        {"seed", self->seed, sizeof self->seed},
        {"public_key", self->public_key, sizeof self->public_key},
    };
    memcpy (out, all, sizeof all);
}

static int file_write (const char *data, simulate_t *self, failure_t *failure)
{
    char path[PATH_MAX];
    member_t members[MEMBERS];
    buf_t text = {0};
    members_of (self, members);
    buf_printf (&text, "{\n  \"port\": %u", self->port);
    for (size_t i = 0; i < MEMBERS; i++) {
        buf_printf (&text, ",\n  \"%s\": ", members[i].name);
        json_text (&text, members[i].out);
    }
    buf_add_str (&text, "\n}\n");
    path_write (data, "simulator.json", path);
    int rc = buf_failed (&text) ? ENOMEM : file_replace (path, buf_bytes (&text));
    if (text.data)
        sign_wipe (text.data, text.size);
    buf_free (&text);
    return rc ? failure_set (failure, E_IO, "", "cannot write %s: %s", path, strerror (rc)) : 0;
}

/* E_NOT_FOUND: there is no file. */
static int file_load (const char *data, simulate_t *self, failure_t *failure)
{
    char path[PATH_MAX];
    member_t members[MEMBERS];
    buf_t text = {0};
    path_write (data, "simulator.json", path);
    int rc = file_read (path, FILE_MAX, &text);
    if (rc == ENOENT)
        return E_NOT_FOUND;
    cJSON *root = rc ? NULL : cJSON_Parse (buf_text (&text));
    const cJSON *port = cJSON_GetObjectItem (root, "port");
    bool sound = cJSON_IsNumber (port) && port->valueint > 0 && port->valueint < 65536;
    members_of (self, members);
    self->port = sound ? (uint16_t) port->valueint : 0;
    for (size_t i = 0; i < MEMBERS && sound; i++) {
        const char *value = cJSON_GetStringValue (cJSON_GetObjectItem (root, members[i].name));
        sound = value && *value && strlen (value) < members[i].size;
        if (sound)
            strcpy (members[i].out, value); /* its length was just looked at */
    }
    cJSON_Delete (root);
    buf_free (&text);
    return sound ? 0
                 : failure_set (failure, E_CORRUPT, "",
                                "%s: %s; remove it and a new simulator is made", path,
                                rc ? strerror (rc) : "is not what --simulate wrote");
}

int simulate_open (const char *data, uint16_t first_port, simulate_t *out, failure_t *failure)
{
    char holder[96];
    *out = (simulate_t){0};
    int rc = file_load (data, out, failure);
    if (!rc && port_try ("127.0.0.1", out->port)) {
        port_holder (out->port, holder, sizeof holder);
        return failure_set (failure, E_UNAVAILABLE, "", "the simulator's port %u is in use by %s",
                            out->port, holder);
    }
    if (rc != E_NOT_FOUND)
        return rc;
    secrets_make (out);
    rc = port_find (first_port, &out->port, failure);
    return rc ? rc : file_write (data, out, failure);
}

bool simulate_args (const simulate_t *self, const char *bin, const char *clock, child_t *child)
{
    const char *const flags[][2] = {{"--meta-app-secret", self->app_secret},
                                    {"--meta-verify-token", self->verify_token},
                                    {"--telnyx-seed", self->seed}};
    bool ok = child_arg (child, "%s/aviary-sim", bin) && child_arg (child, "--bare") &&
              child_arg (child, "--listen") && child_arg (child, "127.0.0.1:%u", self->port);
    for (size_t i = 0; i < sizeof flags / sizeof *flags && ok; i++)
        ok = child_arg (child, "%s", flags[i][0]) && child_arg (child, "%s", flags[i][1]);
    if (ok && clock)
        ok = child_arg (child, "--clock") && child_arg (child, "%s", clock);
    return ok;
}

/* ---- accounts and numbers ---- */

typedef struct wiring {
    client_t *client;
    arena_t *arena;
    const char *data, *base_url;
    simulate_t sim;
    credentials_t known;
    failure_t *failure;
} wiring_t;

static int ask (wiring_t *self, const char *op, const void *in, void *out)
{
    return client_ask (self->client, op, NULL, in, out, self->arena, ASK_MS, self->failure);
}

static int account_find (wiring_t *self, int32_t carrier, id16_t *out)
{
    accounts_carrier_list_in_t in = {0};
    accounts_carrier_list_out_t list = {0};
    int rc = ask (self, "accounts.carrier_list", &in, &list);
    const accounts_carrier_info_t *rows = list.accounts.items;
    for (size_t i = 0; !rc && i < list.accounts.count; i++)
        if (rows[i].carrier == carrier && rows[i].name && strcmp (rows[i].name, account_name) == 0)
            *out = rows[i].id;
    return rc;
}

static int account_wire (wiring_t *self, accounts_carrier_set_in_t *in, char *url, size_t url_size,
                         id16_t *id)
{
    accounts_carrier_info_t out = {0};
    in->name = account_name;
    spelling_read (self->known.organization_id, &in->org);
    int rc = account_find (self, in->carrier, &in->id);
    if (!rc)
        rc = ask (self, "accounts.carrier_set", in, &out);
    *id = out.id;
    if (!rc && !carrier_callback_url (self->base_url, in->carrier, out.id, url, url_size))
        rc = failure_set (self->failure, E_TOO_LARGE, "", "the public URL is too long");
    return rc;
}

static int number_wire (wiring_t *self, int32_t channel, const char *number, id16_t account,
                        const char *ref)
{
    accounts_number_add_in_t in = {
        .number = number, .channel = channel, .account = account, .ref = ref};
    accounts_app_number_t out = {0};
    if (!spelling_read (self->known.app_id, &in.app))
        return failure_set (self->failure, E_NOT_FOUND, "", "credentials.json names no live app");
    int rc = ask (self, "accounts.number_add", &in, &out);
    return rc == E_ALREADY_EXISTS ? 0 : rc;
}

static int meta_wire (wiring_t *self, simulate_wired_t *out)
{
    id16_t id;
    const char *base = arena_printf (self->arena, "http://127.0.0.1:%u/v23.0", self->sim.port);
    accounts_carrier_set_in_t in = {.carrier = ACCOUNTS_CARRIER_META,
                                    .base_url = base,
                                    .waba = SIMULATE_WABA,
                                    .token = self->sim.token,
                                    .app_secret = self->sim.app_secret,
                                    .verify_token = self->sim.verify_token};
    int rc = account_wire (self, &in, out->meta_callback, sizeof out->meta_callback, &id);
    return rc ? rc
              : number_wire (self, ACCOUNTS_CHANNEL_WHATSAPP, SIMULATE_WHATSAPP_NUMBER, id,
                             SIMULATE_PHONE_NUMBER_ID);
}

static int telnyx_wire (wiring_t *self, simulate_wired_t *out)
{
    id16_t id;
    const char *base = arena_printf (self->arena, "http://127.0.0.1:%u/v2", self->sim.port);
    accounts_carrier_set_in_t in = {.carrier = ACCOUNTS_CARRIER_TELNYX,
                                    .base_url = base,
                                    .token = self->sim.key,
                                    .public_key = self->sim.public_key};
    int rc = account_wire (self, &in, out->telnyx_callback, sizeof out->telnyx_callback, &id);
    return rc ? rc : number_wire (self, ACCOUNTS_CHANNEL_SMS, SIMULATE_SMS_NUMBER, id, NULL);
}

/* ---- DIR/credentials.json ---- */

static void text_put (cJSON *object, const char *name, const char *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive (object, name);
    cJSON_AddStringToObject (object, name, value);
}

static void credentials_add (const wiring_t *self, cJSON *root)
{
    cJSON *app = cJSON_GetObjectItem (root, "app");
    char url[64];
    cJSON_DeleteItemFromObjectCaseSensitive (root, "simulator");
    cJSON *simulator = cJSON_AddObjectToObject (root, "simulator");
    static const char *const urls[][2] = {
        {"meta_base_url", "/v23.0"}, {"telnyx_base_url", "/v2"}, {"control_url", "/_sim"}};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        snprintf (url, sizeof url, "http://127.0.0.1:%u%s", self->sim.port, urls[i][1]);
        text_put (simulator, urls[i][0], url);
    }
    text_put (app, "whatsapp_number", SIMULATE_WHATSAPP_NUMBER);
    text_put (app, "sms_number", SIMULATE_SMS_NUMBER);
    text_put (app, "meta_phone_number_id", SIMULATE_PHONE_NUMBER_ID);
    cJSON *kirim = cJSON_GetObjectItem (root, "kirim");
    if (cJSON_IsObject (kirim))
        text_put (kirim, "phone_number_id", SIMULATE_PHONE_NUMBER_ID);
}

static int credentials_extend (const wiring_t *self)
{
    char path[PATH_MAX];
    buf_t text = {0};
    path_write (self->data, "credentials.json", path);
    int rc = file_read (path, FILE_MAX, &text);
    cJSON *root = rc ? NULL : cJSON_Parse (buf_text (&text));
    char *out = NULL;
    if (!rc && cJSON_IsObject (cJSON_GetObjectItem (root, "app"))) {
        credentials_add (self, root);
        out = cJSON_Print (root);
    }
    if (!rc)
        rc = out ? file_replace (path, bytes_of_str (out)) : EINVAL;
    if (out)
        sign_wipe (out, strlen (out));
    cJSON_free (out);
    cJSON_Delete (root);
    buf_free (&text);
    return rc ? failure_set (self->failure, E_IO, "", "cannot extend %s: %s", path, strerror (rc))
              : 0;
}

int simulate_wire (client_t *client, const char *data, const char *base_url, simulate_wired_t *out,
                   failure_t *failure)
{
    wiring_t self = {.client = client, .data = data, .base_url = base_url, .failure = failure};
    self.arena = arena_new (MEMORY);
    if (!self.arena)
        return failure_set (failure, E_NO_MEMORY, "", "out of memory");
    int rc = file_load (data, &self.sim, failure);
    if (!rc)
        rc = credentials_read (data, self.arena, &self.known, failure);
    if (!rc)
        rc = meta_wire (&self, out);
    if (!rc)
        rc = telnyx_wire (&self, out);
    if (!rc)
        rc = credentials_extend (&self);
    sign_wipe (&self.sim, sizeof self.sim);
    arena_destroy (&self.arena);
    return rc;
}

/* ---- what the simulator is told ---- */

static int control_put (const simulate_t *sim, const char *path, const char *body,
                        failure_t *failure)
{
    char url[96];
    int status = 0;
    buf_t answer = {0};
    snprintf (url, sizeof url, "http://127.0.0.1:%u/_sim%s", sim->port, path);
    int rc = client_http ("PUT", url, NULL, NULL, body, &status, &answer, failure);
    if (!rc && status != 200)
        rc = failure_set (failure, E_INTERNAL, "", "the simulator answers %d to PUT %s: %.200s",
                          status, path, buf_text (&answer));
    buf_free (&answer);
    return rc;
}

int simulate_preset (const char *data, const simulate_wired_t *wired, failure_t *failure)
{
    static const char numbers[] =
        "[{\"provider\":\"meta\",\"phone_number_id\":\"" SIMULATE_PHONE_NUMBER_ID
        "\",\"waba_id\":\"" SIMULATE_WABA "\",\"display_phone_number\":\"" SIMULATE_WHATSAPP_NUMBER
        "\"},"
        "{\"provider\":\"telnyx\",\"phone_number\":\"" SIMULATE_SMS_NUMBER "\"}]";
    simulate_t sim;
    buf_t settings = {0};
    int rc = file_load (data, &sim, failure);
    if (!rc)
        rc = control_put (&sim, "/numbers", numbers, failure);
    /* No handshake: the edge may be waiting for us to be done. */
    buf_add_str (&settings, "{\"verify\":false,\"meta_callback\":");
    json_text (&settings, wired->meta_callback);
    buf_add_str (&settings, ",\"telnyx_callback\":");
    json_text (&settings, wired->telnyx_callback);
    buf_add_byte (&settings, '}');
    if (!rc)
        rc = control_put (&sim, "/settings", buf_text (&settings), failure);
    buf_free (&settings);
    sign_wipe (&sim, sizeof sim);
    return rc;
}
