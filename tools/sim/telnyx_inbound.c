/* telnyx_inbound.c - a person writes an SMS or MMS: POST /_sim/inbound becomes message.received (spec section 3.3).
 *
 * How it fails: an unknown member or an unsound content is 400 with its name; a callback that is not accepted is 502. */
#include "callbacks.h"
#include "segments.h"
#include "telnyx.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- keywords ---- */

static const struct {
    const char *word, *kind;
} keywords[] = {{"STOP", "STOP"},   {"STOPALL", "STOP"}, {"STOP ALL", "STOP"},
                {"END", "STOP"},    {"QUIT", "STOP"},    {"UNSUBSCRIBE", "STOP"},
                {"CANCEL", "STOP"}, {"START", "START"},  {"UNSTOP", "START"},
                {"HELP", "HELP"}};

const char *telnyx_keyword (const char *text)
{
    char upper[16];
    size_t size = 0, length = strlen (text);
    while (length > 0 && isspace ((unsigned char) text[length - 1]))
        length--;
    while (length > 0 && isspace ((unsigned char) *text)) {
        text++;
        length--;
    }
    if (length >= sizeof upper)
        return NULL;
    for (; size < length; size++)
        upper[size] = (char) toupper ((unsigned char) text[size]);
    upper[size] = '\0';
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
        if (strcmp (keywords[i].word, upper) == 0)
            return keywords[i].kind;
    return NULL;
}

void telnyx_opt_out_key (const char *profile, const char *number, char *out, size_t size)
{
    snprintf (out, size, "%s|%s", profile, number);
}

static void keyword_apply (sim_t *sim, const char *kind, const char *profile, const char *from)
{
    char key[128];
    telnyx_opt_out_key (profile, from, key, sizeof key);
    if (strcmp (kind, "STOP") == 0)
        table_mark (sim->telnyx_opt_outs, key);
    else if (strcmp (kind, "START") == 0)
        table_drop (sim->telnyx_opt_outs, key);
}

/* ---- media ---- */

static cJSON *media_item (const sim_request_t *request, const media_t *media)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "url", media_telnyx_url (request->arena, request->base_url, media));
    json_add_text (out, "content_type", media->mime_type);
    json_add_text (out, "sha256", media->sha256);
    json_add_number (out, "size", (double) media->blob->size);
    return out;
}

/* An element with a url is taken as it is; others bring their bytes. False after answering. */
static bool media_add (sim_t *sim, sim_request_t *request, cJSON *list, const cJSON *one,
                       sim_answer_t *answer)
{
    char error[200] = "";
    if (json_text (one, "url") != NULL) {
        cJSON_AddItemToArray (list, cJSON_Duplicate (one, true));
        return true;
    }
    const media_t *media = inbound_media (sim, request, one, NULL, error, sizeof error);
    if (media == NULL)
        control_error (answer, 400, "%s", error);
    else
        cJSON_AddItemToArray (list, media_item (request, media));
    return media != NULL;
}

/* NULL after answering. */
static cJSON *media_make (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const cJSON *given = json_get (request->json, "media"), *one;
    cJSON *out = cJSON_CreateArray ();
    const media_t *form = inbound_form_media (sim, request, NULL);
    bool sound = true;
    if (form != NULL)
        cJSON_AddItemToArray (out, media_item (request, form));
    if (cJSON_IsArray (given)) {
        cJSON_ArrayForEach (one, given)
        {
            sound = sound && media_add (sim, request, out, one, answer);
        }
    } else if (given != NULL) {
        sound = media_add (sim, request, out, given, answer);
    }
    if (sound)
        return out;
    cJSON_Delete (out);
    return NULL;
}

/* ---- the event ---- */

static cJSON *party (const char *number, const char *carrier)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "phone_number", number);
    json_add_text (out, "carrier", carrier);
    json_add_text (out, "line_type", "Wireless");
    json_add_text (out, "status", "webhook_delivered");
    return out;
}

static void payload_people (const cJSON *in, const cJSON *number, cJSON *out)
{
    const cJSON *one;
    json_add (out, "from", party (json_text (in, "from"), "SIMULATED WIRELESS"));
    cJSON_AddItemToArray (json_add_array (out, "to"),
                          party (json_text (number, "phone_number"), "Telnyx"));
    cJSON *cc = json_add_array (out, "cc");
    cJSON_ArrayForEach (one, json_get (in, "cc"))
    {
        if (cJSON_IsString (one))
            cJSON_AddItemToArray (cc, party (one->valuestring, "SIMULATED WIRELESS"));
    }
}

static void payload_end (const sim_t *sim, cJSON *out, size_t parts)
{
    char time[40];
    cJSON *cost = json_add_object (out, "cost");
    json_add_text (cost, "amount", "0.0040");
    json_add_text (cost, "currency", "USD");
    json_add_number (out, "parts", (double) parts);
    json_add_array (out, "tags");
    json_add_array (out, "errors");
    telnyx_time (sim_now_ms (sim), time);
    json_add_text (out, "received_at", time);
    json_add_text (out, "sent_at", NULL);
    json_add_text (out, "completed_at", NULL);
    json_add_text (out, "valid_until", NULL);
}

static cJSON *payload_make (const sim_t *sim, const cJSON *in, const cJSON *number,
                            const cJSON *profile, const char *id, cJSON *media)
{
    const char *text = json_text (in, "text"), *type = json_text (in, "type");
    bool is_mms = cJSON_GetArraySize (media) > 0 || (type != NULL && strcmp (type, "MMS") == 0);
    segments_t segments = segments_of (text != NULL ? text : "", false);
    cJSON *out = cJSON_CreateObject ();
    json_add_text (out, "record_type", "message");
    json_add_text (out, "id", id);
    json_add_text (out, "direction", "inbound");
    json_add_text (out, "type", is_mms ? "MMS" : "SMS");
    json_add_text (out, "messaging_profile_id", json_text (profile, "id"));
    json_add_text (out, "organization_id", "47a530f8-4362-4526-829b-bcee17fd9f7a");
    payload_people (in, number, out);
    json_add_text (out, "text", text != NULL ? text : "");
    json_add_text (out, "subject", json_text (in, "subject"));
    json_add (out, "media", media);
    json_add_text (out, "encoding", segments.ucs2 ? "UCS-2" : "GSM-7");
    const char *kind = text != NULL ? telnyx_keyword (text) : NULL;
    if (kind != NULL)
        json_add_text (out, "autoresponse_type", kind);
    payload_end (sim, out, is_mms ? 1 : segments.parts);
    return out;
}

/* ---- the call ---- */

/* The number written to; NULL after answering. */
static const cJSON *number_check (sim_t *sim, const cJSON *in, sim_answer_t *answer)
{
    const cJSON *unknown = json_unknown (in, "provider from to type text media subject cc id");
    const char *from = json_text (in, "from"), *type = json_text (in, "type");
    if (unknown != NULL) {
        control_error (answer, 400, "%.64s: there is no such field for telnyx", unknown->string);
        return NULL;
    }
    if (from == NULL || *from == '\0') {
        control_error (answer, 400, "from: must be the number of the person who writes");
        return NULL;
    }
    if (type != NULL && !word_in ("SMS MMS", type)) {
        control_error (answer, 400, "type: must be SMS or MMS");
        return NULL;
    }
    const cJSON *number = telnyx_number_find (sim, json_text (in, "to"));
    if (number == NULL)
        control_error (answer, 400,
                       "to: must be a Telnyx number of the simulator (GET /_sim/numbers)");
    return number;
}

void telnyx_inbound (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    char uuid[37];
    const cJSON *in = request->json, *number = number_check (sim, in, answer);
    if (number == NULL)
        return;
    const cJSON *profile =
        table_get (sim->telnyx_profiles, json_text (number, "messaging_profile_id"));
    const char *url = json_text (profile, "webhook_url"), *id = json_text (in, "id"),
               *text = json_text (in, "text");
    url = url != NULL && *url != '\0' ? url : sim->settings.telnyx_callback;
    if (url == NULL) {
        control_error (answer, 409,
                       "no callback URL is set: PUT /_sim/settings {\"telnyx_callback\"}");
        return;
    }
    cJSON *media = media_make (sim, request, answer);
    if (media == NULL)
        return;
    const char *kind = text != NULL ? telnyx_keyword (text) : NULL;
    if (kind != NULL && profile != NULL)
        keyword_apply (sim, kind, json_text (profile, "id"), json_text (in, "from"));
    sim_uuid (sim, uuid);
    id = id != NULL ? id : uuid;
    cJSON *payload = payload_make (sim, in, number, profile, id, media);
    callback_t *callback = callback_new (PROVIDER_TELNYX, "message.received", url,
                                         telnyx_event (sim, "message.received", payload));
    callback_message (callback, id);
    callback_failover (callback, json_text (profile, "webhook_failover_url"));
    answer->wait = callback_wait (callback);
    answer->finish = inbound_finish;
    answer->data = arena_strdup (request->arena, id);
    callbacks_post (sim, &callback, 1, NULL);
}
