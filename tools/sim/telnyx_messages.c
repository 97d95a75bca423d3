/* telnyx_messages.c - SMS and MMS out (spec section 3.1). How it fails: in Telnyx's envelope, nothing kept. */
#include "callbacks.h"
#include "segments.h"
#include "telnyx.h"

#include "base/text.h"
#include "sign/sign.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MEDIA_MOST = 10, MEDIA_BYTES_MOST = 1024 * 1024, PARTS_MOST = 10, TO_MOST = 8 };

typedef struct sending {
    sim_t *sim;
    sim_request_t *request;
    const cJSON *in;
    const char *from;
    const char *to[TO_MOST];
    size_t to_count;
    const cJSON *profile;
    const char *text; /* NULL = none */
    const cJSON *media_urls;
    bool is_mms;
    segments_t segments;
    telnyx_message_t *message; /* while media is fetched */
    size_t fetched;
    size_t fetched_bytes;
} sending_t;

static bool refuse (sim_answer_t *answer, int status, const char *code, const char *pointer,
                    const char *detail)
{
    telnyx_error (answer, status, code, pointer, "%s", detail);
    return false;
}

/* ---- checks ---- */

static bool fields_known (const sending_t *self, sim_answer_t *answer)
{
    static const char known[] =
        "to from messaging_profile_id text media_urls subject type webhook_url "
        "webhook_failover_url use_profile_webhooks auto_detect encoding send_at tags";
    const cJSON *unknown = json_unknown (self->in, known);
    char pointer[80];
    if (unknown == NULL)
        return true;
    snprintf (pointer, sizeof pointer, "/%.64s", unknown->string);
    return refuse (answer, 422, "10015", pointer, "There is no such parameter.");
}

static bool recipients_read (sending_t *self, bool group, sim_answer_t *answer)
{
    const cJSON *to = json_get (self->in, "to"), *one;
    const cJSON *list = group ? to : NULL;
    if (to == NULL)
        return refuse (answer, 422, "10004", "/to", "The 'to' parameter is required.");
    if (group ? !cJSON_IsArray (to) : !cJSON_IsString (to))
        return refuse (answer, 422, "10015", "/to",
                       group ? "The 'to' parameter must be an array."
                             : "The 'to' parameter is invalid.");
    if (!group)
        self->to[self->to_count++] = to->valuestring;
    cJSON_ArrayForEach (one, list)
    {
        if (self->to_count == TO_MOST || !cJSON_IsString (one))
            return refuse (answer, 422, "10015", "/to", "The 'to' parameter is invalid.");
        self->to[self->to_count++] = one->valuestring;
    }
    for (size_t i = 0; i < self->to_count; i++)
        if (!text_is_e164 (self->to[i]) || strlen (self->to[i]) < 8)
            return refuse (answer, 400, "40310", "/to",
                           "The 'to' address should be in +E.164 format.");
    return self->to_count > 0 || refuse (answer, 422, "10004", "/to", "'to' must not be empty.");
}

static bool sender_is_alphanumeric (const char *from)
{
    size_t length = strlen (from);
    bool has_letter = false;
    for (size_t i = 0; i < length; i++)
        has_letter =
            has_letter || (from[i] >= 'A' && from[i] <= 'Z') || (from[i] >= 'a' && from[i] <= 'z');
    return has_letter && length <= 11;
}

static const cJSON *pool_number (const sim_t *sim, const char *profile)
{
    table_entry_t *at = NULL;
    const cJSON *one;
    while ((one = table_next (sim->telnyx_numbers, &at)) != NULL) {
        const char *its = json_text (one, "messaging_profile_id");
        if (its != NULL && profile != NULL && strcmp (its, profile) == 0)
            return one;
    }
    return NULL;
}

static bool sender_read (sending_t *self, sim_answer_t *answer)
{
    const sim_t *sim = self->sim;
    const char *profile = json_text (self->in, "messaging_profile_id");
    self->from = json_text (self->in, "from");
    if (profile != NULL && table_get (sim->telnyx_profiles, profile) == NULL)
        return refuse (answer, 400, "40312", "/messaging_profile_id",
                       "There is no such messaging profile.");
    if (self->from == NULL && profile == NULL)
        return refuse (answer, 422, "10004", "/from",
                       "The 'from' or 'messaging_profile_id' parameter is required.");
    if (self->from == NULL) {
        self->from = json_text (pool_number (sim, profile), "phone_number");
        if (self->from == NULL)
            return refuse (answer, 400, "40321", NULL, telnyx_title ("40321"));
    }
    if (sender_is_alphanumeric (self->from)) {
        self->profile = table_get (sim->telnyx_profiles, profile);
        return self->profile != NULL ||
               refuse (answer, 400, "40305", "/from",
                       "An alphanumeric sender needs messaging_profile_id.");
    }
    const char *of_number =
        json_text (telnyx_number_find (sim, self->from), "messaging_profile_id");
    if (of_number == NULL || (profile != NULL && strcmp (profile, of_number) != 0))
        return refuse (answer, 400, "40305", "/from",
                       "The 'from' address is not associated with your messaging profile.");
    self->profile = table_get (sim->telnyx_profiles, of_number);
    if (json_get (self->profile, "enabled") != NULL && !json_true (self->profile, "enabled"))
        return refuse (answer, 403, "40312", NULL, telnyx_title ("40312"));
    return self->profile != NULL || refuse (answer, 400, "40305", "/from", "No messaging profile.");
}

static bool media_read (sending_t *self, sim_answer_t *answer)
{
    const cJSON *one, *media = json_get (self->in, "media_urls");
    if (media == NULL)
        return true;
    if (!cJSON_IsArray (media) || cJSON_GetArraySize (media) > MEDIA_MOST)
        return refuse (answer, 422, "10015", "/media_urls", "'media_urls' must be up to 10 URLs.");
    cJSON_ArrayForEach (one, media)
    {
        const char *url = cJSON_GetStringValue (one);
        if (url == NULL || (strncmp (url, "http://", 7) != 0 && strncmp (url, "https://", 8) != 0))
            return refuse (answer, 422, "10015", "/media_urls", "'media_urls' must be URLs.");
    }
    self->media_urls = media->child != NULL ? media : NULL;
    return true;
}

static bool content_read (sending_t *self, bool group, sim_answer_t *answer)
{
    const char *type = json_text (self->in, "type"), *encoding = json_text (self->in, "encoding");
    const cJSON *text = json_get (self->in, "text");
    if (text != NULL && !cJSON_IsString (text))
        return refuse (answer, 422, "10015", "/text", "The 'text' parameter must be a string.");
    if (type != NULL && !word_in ("SMS MMS", type))
        return refuse (answer, 422, "10015", "/type", "The 'type' parameter must be SMS or MMS.");
    if (encoding != NULL && !word_in ("auto gsm7 ucs2", encoding))
        return refuse (answer, 422, "10015", "/encoding",
                       "The 'encoding' must be auto, gsm7 or ucs2.");
    if (!media_read (self, answer))
        return false;
    self->text = cJSON_GetStringValue (text);
    if ((self->text == NULL || *self->text == '\0') && self->media_urls == NULL)
        return refuse (answer, 400, "40316", "/text", "The message has neither text nor media.");
    self->is_mms = group || self->media_urls != NULL || (type != NULL && strcmp (type, "MMS") == 0);
    self->segments = segments_of (self->text != NULL ? self->text : "",
                                  encoding != NULL && strcmp (encoding, "ucs2") == 0);
    if (!self->is_mms && self->segments.parts > PARTS_MOST)
        return refuse (answer, 400, "40302", "/text", "The message is too long.");
    if (!self->is_mms && json_true (self->in, "auto_detect") && self->segments.parts > 6)
        return refuse (answer, 400, "40328", "/text", telnyx_title ("40328"));
    return true;
}

static bool recipients_allowed (const sending_t *self, sim_answer_t *answer)
{
    char key[128];
    for (size_t i = 0; i < self->to_count; i++) {
        telnyx_opt_out_key (json_text (self->profile, "id"), self->to[i], key, sizeof key);
        if (table_has (self->sim->telnyx_opt_outs, key))
            return refuse (answer, 400, "40300", "/to",
                           "Messages cannot be sent from your messaging profile to this recipient, "
                           "who has opted out.");
    }
    return true;
}

/* ---- the object ---- */

static cJSON *media_show (const cJSON *urls)
{
    cJSON *out = cJSON_CreateArray ();
    const cJSON *one;
    cJSON_ArrayForEach (one, urls)
    {
        cJSON *media = cJSON_CreateObject ();
        json_add_text (media, "url", one->valuestring);
        json_add_text (media, "content_type", NULL);
        json_add_text (media, "sha256", NULL);
        json_add (media, "size", cJSON_CreateNull ());
        cJSON_AddItemToArray (out, media);
    }
    return out;
}

static void base_content (const sending_t *self, cJSON *out)
{
    json_add_array (out, "to");
    json_add_array (out, "cc");
    json_add_text (out, "text", self->text);
    json_add_text (out, "subject", json_text (self->in, "subject"));
    json_add (out, "media", media_show (self->media_urls));
    json_add_text (out, "webhook_url", json_text (self->in, "webhook_url"));
    json_add_text (out, "webhook_failover_url", json_text (self->in, "webhook_failover_url"));
    json_add_bool (out, "use_profile_webhooks",
                   !cJSON_IsFalse (json_get (self->in, "use_profile_webhooks")));
    json_add_text (out, "encoding", self->segments.ucs2 ? "UCS-2" : "GSM-7");
    json_add_number (out, "parts", self->is_mms ? 1 : (double) self->segments.parts);
    if (cJSON_IsArray (json_get (self->in, "tags")))
        json_add_copy (out, "tags", json_get (self->in, "tags"));
    else
        json_add_array (out, "tags");
}

static void base_times (const telnyx_message_t *message, cJSON *out)
{
    static const char *const nulls[] = {
        "cost",    "cost_breakdown", "tcr_campaign_id", "tcr_campaign_registered",
        "sent_at", "completed_at"};
    char time[40];
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        json_add (out, nulls[i], cJSON_CreateNull ());
    json_add_bool (out, "tcr_campaign_billable", false);
    telnyx_time (message->received_ms, time);
    json_add_text (out, "received_at", time);
    telnyx_time (message->received_ms + 3600000, time);
    json_add_text (out, "valid_until", time);
    json_add_array (out, "errors");
}

static cJSON *base_make (const sending_t *self, const telnyx_message_t *message)
{
    char id[37];
    cJSON *out = cJSON_CreateObject (), *from;
    sim_uuid (self->sim, id);
    json_add_text (out, "record_type", "message");
    json_add_text (out, "id", id);
    json_add_text (out, "direction", "outbound");
    json_add_text (out, "type", self->is_mms ? "MMS" : "SMS");
    json_add_text (out, "organization_id", "b448f9cc-a842-4784-98e9-03c1a5872950");
    json_add_text (out, "messaging_profile_id", json_text (self->profile, "id"));
    from = json_add_object (out, "from");
    json_add_text (from, "phone_number", self->from);
    json_add_text (from, "carrier", "TELNYX LLC");
    json_add_text (from, "line_type", "VoIP");
    base_content (self, out);
    base_times (message, out);
    return out;
}

/* A rule for one recipient of several fails that one only. */
static telnyx_message_t *message_make (const sending_t *self)
{
    const sim_request_t *request = self->request;
    telnyx_message_t *message = must_alloc (sizeof *message);
    message->received_ms = sim_now_ms (self->sim);
    message->is_mms = self->is_mms;
    message->parts = self->segments.parts;
    message->to_count = self->to_count;
    message->to = must_alloc (self->to_count * sizeof *message->to);
    for (size_t i = 0; i < self->to_count; i++) {
        char digits[24];
        message->to[i].number = must_strdup (self->to[i]);
        digits_of (self->to[i], digits, sizeof digits);
        if (request->rule_to == NULL || rule_to_matches (request->rule_to, digits))
            strcpy (message->to[i].fail_code, request->action.fail_with_code);
    }
    message->base = base_make (self, message);
    return message;
}

static void message_answer (const telnyx_message_t *message, sim_answer_t *answer)
{
    cJSON *shown = telnyx_message_show (message, STAGE_QUEUED);
    cJSON_DeleteItemFromObjectCaseSensitive (shown, "use_profile_webhooks");
    telnyx_data (answer, 200, shown);
}

static void message_accept (const sending_t *self, telnyx_message_t *message, sim_answer_t *answer)
{
    sim_t *sim = self->sim;
    telnyx_message_start (sim, message, &self->request->action);
    message_answer (message, answer);
    table_put (sim->telnyx_messages, json_text (message->base, "id"), message);
}

/* ---- media that is fetched first (setting fetch_media) ---- */

static void fetch_next (sending_t *self, sim_answer_t *answer);

static void media_note (sending_t *self, const sim_wait_t *wait)
{
    uint8_t digest[SIGN_SHA256_SIZE];
    char hex[65];
    cJSON *media =
        cJSON_GetArrayItem (json_get (self->message->base, "media"), (int) self->fetched);
    sign_sha256 (bytes_of (wait->body, wait->body_size), digest);
    text_write_hex (digest, sizeof digest, hex);
    json_set_text (media, "content_type", wait->content_type);
    json_set_text (media, "sha256", hex);
    json_set (media, "size", cJSON_CreateNumber ((double) wait->body_size));
}

static void fetch_finish (sim_t *sim, sim_request_t *request, const sim_wait_t *wait,
                          sim_answer_t *answer)
{
    sending_t *self = answer->data;
    (void) sim;
    (void) request;
    if (wait != NULL)
        self->fetched_bytes += wait->body_size;
    if (wait == NULL || !wait->accepted || self->fetched_bytes > MEDIA_BYTES_MOST) {
        telnyx_message_free (self->message);
        telnyx_error (answer, 400, "40317", "/media_urls",
                      "The media cannot be fetched, or is over the limit of 1 MB.");
        return;
    }
    media_note (self, wait);
    self->fetched++;
    fetch_next (self, answer);
}

static void fetch_next (sending_t *self, sim_answer_t *answer)
{
    const cJSON *url = cJSON_GetArrayItem (self->media_urls, (int) self->fetched);
    if (url == NULL) {
        message_accept (self, self->message, answer);
        return;
    }
    answer->data = self;
    answer->finish = fetch_finish;
    answer->wait = callback_fetch (self->sim, url->valuestring, MEDIA_BYTES_MOST + 1);
}

/* ---- handlers ---- */

static void message_send (sim_t *sim, sim_request_t *request, bool group, sim_answer_t *answer)
{
    sending_t *self = arena_new_of (request->arena, sending_t);
    if (!telnyx_body_is_object (request, answer))
        return;
    self->sim = sim;
    self->request = request;
    self->in = request->json;
    if (!fields_known (self, answer) || !recipients_read (self, group, answer) ||
        !sender_read (self, answer) || !content_read (self, group, answer) ||
        !recipients_allowed (self, answer))
        return;
    telnyx_message_t *message = message_make (self);
    if (self->media_urls == NULL || !sim->settings.fetch_media) {
        message_accept (self, message, answer);
        return;
    }
    self->message = message;
    fetch_next (self, answer);
}

void telnyx_send (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    message_send (sim, request, false, answer);
}

void telnyx_send_group (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    message_send (sim, request, true, answer);
}

void telnyx_send_long_code (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (json_text (request->json, "from") == NULL)
        telnyx_error (answer, 422, "10004", "/from", "The 'from' parameter is required.");
    else
        message_send (sim, request, false, answer);
}

void telnyx_send_pool (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (json_text (request->json, "messaging_profile_id") == NULL)
        telnyx_error (answer, 422, "10004", "/messaging_profile_id",
                      "The 'messaging_profile_id' parameter is required.");
    else
        message_send (sim, request, false, answer);
}

static telnyx_message_t *message_of (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    telnyx_message_t *message = table_get (sim->telnyx_messages, request->params[0]);
    if (message == NULL)
        telnyx_error (answer, 404, "10005", NULL, "There is no such message.");
    return message;
}

void telnyx_message_get (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    const telnyx_message_t *message = message_of (sim, request, answer);
    int64_t now_ms = sim_now_ms (sim);
    if (message == NULL)
        return;
    telnyx_stage_t stage = now_ms >= message->completed_ms ? STAGE_FINAL
                           : now_ms >= message->sent_ms    ? STAGE_SENT
                                                           : STAGE_QUEUED;
    cJSON *shown = telnyx_message_show (message, stage);
    cJSON_DeleteItemFromObjectCaseSensitive (shown, "use_profile_webhooks");
    telnyx_data (answer, 200, shown);
}

/* Nothing is scheduled here, so everything has left already. */
void telnyx_message_cancel (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    if (message_of (sim, request, answer) != NULL)
        telnyx_error (answer, 400, "10015", NULL, "Only scheduled messages can be cancelled.");
}
