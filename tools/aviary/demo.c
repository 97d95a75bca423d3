/* demo.c - draws numbers, makes a webhook to a listener of its own, sends, plays the person who replies, and checks what comes back.
 *
 * The webhook is removed at the end whatever happened. Fails with what the API answered, or E_TIMEOUT naming the webhooks that did not come. */
#include "demo.h"

#include "base/clock.h"
#include "webhook.h"

#include <stdio.h>
#include <string.h>

static const char person[] = "+13125550178";
static const char reply[] = "Thank you, see you on Sunday!";

static int number_draw (demo_t *self, const char *path, const char *what, char out[24],
                        failure_t *failure)
{
    cJSON *answer = NULL;
    int rc = api_call (&self->api, "POST", path, NULL, NULL, &answer, failure);
    if (!rc)
        snprintf (out, 24, "%s", api_text (answer, "number"));
    cJSON_Delete (answer);
    if (!rc)
        printf ("  %-22s %s\n", what, out);
    return rc;
}

static int webhook_make (demo_t *self, failure_t *failure)
{
    static const char *const events[] = {
        "messages.sms.received",       "messages.sms.sent",          "messages.sms.delivered",
        "messages.sms.failed",         "messages.whatsapp.received", "messages.whatsapp.sent",
        "messages.whatsapp.delivered", "messages.whatsapp.read",     "messages.whatsapp.failed"};
    char url[64];
    cJSON *answer = NULL, *body = cJSON_CreateObject ();
    snprintf (url, sizeof url, "http://127.0.0.1:%u/demo", listener_port (self->listener));
    cJSON_AddStringToObject (body, "url", url);
    cJSON_AddItemToObject (body, "events",
                           cJSON_CreateStringArray (events, sizeof events / sizeof events[0]));
    int rc = api_call (&self->api, "POST", "/v1/webhooks", body, NULL, &answer, failure);
    if (!rc) {
        snprintf (self->webhook, sizeof self->webhook, "%s", api_text (answer, "id"));
        snprintf (self->secret, sizeof self->secret, "%s", api_text (answer, "secret"));
        printf ("  %-22s %s to a listener of this demo\n", "a webhook", self->webhook);
    }
    cJSON_Delete (answer);
    return rc;
}

static cJSON *sms_body (const demo_t *self)
{
    cJSON *body = cJSON_CreateObject ();
    cJSON_AddStringToObject (body, "from", self->sms_from);
    cJSON_AddItemToObject (body, "to", cJSON_CreateStringArray ((const char *const[]){person}, 1));
    cJSON_AddStringToObject (body, "text", "Hello from Aviary by SMS");
    return body;
}

static cJSON *whatsapp_body (const demo_t *self)
{
    cJSON *body = cJSON_CreateObject ();
    cJSON_AddStringToObject (body, "from", self->whatsapp_from);
    cJSON_AddStringToObject (body, "to", person);
    cJSON_AddStringToObject (body, "type", "text");
    cJSON_AddStringToObject (cJSON_AddObjectToObject (body, "text"), "body",
                             "Hello from Aviary by WhatsApp");
    return body;
}

static cJSON *reply_body (const demo_t *self)
{
    cJSON *body = cJSON_CreateObject ();
    cJSON_AddStringToObject (body, "from", person);
    cJSON_AddStringToObject (body, "to", self->sms_from);
    cJSON_AddStringToObject (body, "text", reply);
    return body;
}

static int send_one (demo_t *self, const char *path, const char *what, cJSON *body, char id[64],
                     failure_t *failure)
{
    cJSON *answer = NULL;
    int rc = api_call (&self->api, "POST", path, body, NULL, &answer, failure);
    if (!rc) {
        snprintf (id, 64, "%s", api_text (answer, "id"));
        printf ("  %-22s %s  %s\n", what, id, api_text (answer, "status"));
    }
    cJSON_Delete (answer);
    return rc;
}

/* ---- webhooks ---- */

static void wanted_set (demo_t *self)
{
    const demo_wanted_t wanted[DEMO_WEBHOOKS] = {
        {"messages.sms.sent", "", 0},      {"messages.sms.delivered", "", 0},
        {"messages.whatsapp.sent", "", 0}, {"messages.whatsapp.delivered", "", 0},
        {"messages.whatsapp.read", "", 0}, {"messages.sms.received", "", 0},
    };
    memcpy (self->wanted, wanted, sizeof wanted);
    for (size_t i = 0; i < DEMO_WEBHOOKS - 1; i++)
        memcpy (self->wanted[i].id, i < 2 ? self->sms : self->whatsapp, sizeof self->wanted[i].id);
}

static int hook_came (void *context, const hook_t *hook)
{
    demo_t *self = context;
    webhook_told_t told;
    char why[WEBHOOK_TEXT];
    webhook_read (hook->body, &told);
    bool good = webhook_check (hook, self->secret, clock_now_ms (), why);
    self->bad += !good;
    printf ("  %-28s %s  %s -> %s  %s%s\n", told.event, told.id, told.from, told.to,
            good ? "signature ok" : "NOT TRUSTED: ", why);
    fflush (stdout);
    for (size_t i = 0; good && i < DEMO_WEBHOOKS; i++) {
        demo_wanted_t *w = &self->wanted[i];
        if (!strcmp (w->event, told.event) &&
            (w->id[0] ? !strcmp (w->id, told.id) : !strcmp (told.text, reply))) {
            self->came += w->came == 0;
            w->came++;
        }
    }
    return good ? 200 : 401;
}

static int webhooks_wait (demo_t *self, int64_t timeout_ms, failure_t *failure)
{
    int64_t until = clock_mono_ms () + timeout_ms;
    while (self->came < DEMO_WEBHOOKS && clock_mono_ms () < until)
        if (!listener_work (self->listener, 200, self->stop_fd, hook_came, self))
            return failure_set (failure, E_UNAVAILABLE, "", "stopped before all webhooks had come");
    if (self->came == DEMO_WEBHOOKS)
        return 0;
    char missing[FAILURE_TEXT_SIZE] = "";
    for (size_t i = 0; i < DEMO_WEBHOOKS; i++)
        if (!self->wanted[i].came)
            snprintf (missing + strlen (missing), sizeof missing - strlen (missing), "%s%s",
                      *missing ? ", " : "", self->wanted[i].event);
    return failure_set (failure, E_TIMEOUT, "", "these webhooks did not come: %s", missing);
}

/* ---- the story ---- */

static void curl_tell (const demo_t *self, const char *path, cJSON *body)
{
    char *text = cJSON_PrintUnformatted (body);
    printf (
        "  curl -sS %s%s -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n    -d '%s'\n",
        self->api.base, path, text ? text : "");
    cJSON_free (text);
    cJSON_Delete (body);
}

static cJSON *kirim_body (void)
{
    cJSON *body = cJSON_CreateObject ();
    cJSON_AddStringToObject (body, "messaging_product", "whatsapp");
    cJSON_AddStringToObject (body, "to", person);
    cJSON_AddStringToObject (body, "type", "template");
    cJSON *template = cJSON_AddObjectToObject (body, "template");
    cJSON_AddStringToObject (template, "name", "hello_world");
    cJSON_AddStringToObject (template, "language", "en_US");
    return body;
}

static void end_tell (const demo_t *self)
{
    printf ("\n%u of %u webhooks came, every signature checked%s.\n\n", self->came,
            (unsigned) DEMO_WEBHOOKS, self->bad ? ", and some could not be trusted" : "");
    printf ("By hand:\n  KEY=$(jq -r .app.test_key %s/credentials.json)\n", self->data);
    curl_tell (self, "/v1/sms", sms_body (self));
    curl_tell (self, "/v1/whatsapp/messages", whatsapp_body (self));
    curl_tell (self, "/v1/playground/sms/inbound", reply_body (self));
    printf (
        "And by Kirim, with the organization's key:\n"
        "  KEY=$(jq -r .kirim.key %s/credentials.json) NUMBER=$(jq -r .kirim.phone_number_id %s/credentials.json)\n",
        self->data, self->data);
    curl_tell (self, "/v1/$NUMBER/messages", kirim_body ());
    printf (
        "\nWhere to go:\n  %s/docs and %s/kirim/v1/openapi.json\n  aviary explain %s --data %s\n  aviary listen --data %s      webhooks as they come\n"
        "  aviary tap --data %s         what passes inside\n\n",
        self->api.base, self->api.base, self->sms, self->data, self->data, self->data);
    fflush (stdout);
}

static int story (demo_t *self, failure_t *failure)
{
    printf ("\nA first run, over HTTP at %s with the test app's key:\n", self->api.base);
    int rc = number_draw (self, "/v1/playground/phone-numbers/system", "a number for SMS",
                          self->sms_from, failure);
    if (!rc)
        rc = number_draw (self, "/v1/playground/whatsapp/phone-numbers/system", "one for WhatsApp",
                          self->whatsapp_from, failure);
    if (!rc)
        rc = webhook_make (self, failure);
    if (!rc)
        rc = send_one (self, "/v1/sms", "an SMS goes out", sms_body (self), self->sms, failure);
    if (!rc)
        rc = send_one (self, "/v1/whatsapp/messages", "a WhatsApp text, too", whatsapp_body (self),
                       self->whatsapp, failure);
    char inbound[64];
    if (!rc)
        rc = send_one (self, "/v1/playground/sms/inbound", "a person replies", reply_body (self),
                       inbound, failure);
    return rc;
}

static void webhook_remove (demo_t *self)
{
    char path[128];
    failure_t ignored = {0};
    snprintf (path, sizeof path, "/v1/webhooks/%s", self->webhook);
    if (self->webhook[0])
        api_call (&self->api, "DELETE", path, NULL, NULL, NULL, &ignored);
    memset (self->secret, 0, sizeof self->secret);
}

int demo_tell (demo_t *self, int64_t timeout_ms, failure_t *failure)
{
    int rc = story (self, failure);
    if (!rc) {
        wanted_set (self);
        printf ("\nAnd its webhooks:\n");
        fflush (stdout);
        rc = webhooks_wait (self, timeout_ms, failure);
    }
    webhook_remove (self);
    if (!rc && self->bad)
        rc = failure_set (failure, E_CORRUPT, "", "a webhook was not signed as it should be");
    if (!rc)
        end_tell (self);
    return rc;
}
