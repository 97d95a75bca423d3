/* meta_inbound.c - a person writes: POST /_sim/inbound for WhatsApp becomes a callback of field messages (spec section 12).
 *
 * How it fails: an unknown member or an unsound content is 400 with its name; a callback that is not accepted is 502. */
#include "callbacks.h"
#include "telnyx.h"

#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char inbound_types[] = "text image video audio document sticker location contacts "
                                    "reaction button interactive order system edit revoke "
                                    "unsupported request_welcome";
static const char inbound_media_types[] = "image video audio document sticker";

typedef struct inbound {
    sim_t *sim;
    sim_request_t *request;
    const cJSON *in;
    const char *type;
    meta_number_t *number;
    char wa_id[24];
    char id[128];
} inbound_t;

/* ---- content ---- */

static void media_content_fill (const inbound_t *self, cJSON *content, const media_t *media)
{
    uint8_t digest[32];
    char base64[48], url[512];
    bool is_voice =
        strcmp (self->type, "audio") == 0 && strncmp (media->mime_type, "audio/ogg", 9) == 0;
    text_read_hex (media->sha256, 64, digest, sizeof digest);
    text_write_base64 (digest, sizeof digest, base64);
    meta_media_url (self->sim, media, self->request->base_url, url, sizeof url);
    json_set_text (content, "id", media->id);
    if (json_get (content, "mime_type") == NULL)
        json_set_text (content, "mime_type",
                       is_voice ? "audio/ogg; codecs=opus" : media->mime_type);
    json_set_text (content, "sha256", base64);
    json_set_text (content, "url", url);
    if (strcmp (self->type, "document") == 0 && json_get (content, "filename") == NULL)
        json_set_text (content, "filename", media->filename != NULL ? media->filename : "file");
    if (strcmp (self->type, "audio") == 0 && json_get (content, "voice") == NULL)
        json_set (content, "voice", cJSON_CreateBool (is_voice));
    if (strcmp (self->type, "sticker") == 0 && json_get (content, "animated") == NULL)
        json_set (content, "animated", cJSON_CreateFalse ());
}

/* Bytes given with the call are kept as media of the number; an id of media that is here will do too. */
static bool media_content (const inbound_t *self, cJSON *content, sim_answer_t *answer)
{
    char error[200] = "";
    const cJSON *given = json_get (self->in, "media");
    const media_t *media = NULL;
    if (given != NULL)
        media =
            inbound_media (self->sim, self->request, given, self->number->id, error, sizeof error);
    else if (form_find (&self->request->form, "media") != NULL)
        media = inbound_form_media (self->sim, self->request, self->number->id);
    else
        media = table_get (self->sim->media, json_text (content, "id"));
    if (media == NULL) {
        control_error (answer, 400, "%s",
                       error[0] != '\0' ? error
                                        : "media: is needed for this type, as base64 or a file");
        return false;
    }
    media_content_fill (self, content, media);
    return true;
}

/* What stands under the type's name; NULL after answering. */
static cJSON *content_make (const inbound_t *self, sim_answer_t *answer)
{
    const cJSON *given = json_get (self->in, self->type);
    bool is_media = word_in (inbound_media_types, self->type);
    bool wants_array = strcmp (self->type, "contacts") == 0;
    if (given == NULL && !is_media) {
        control_error (answer, 400, "%s: the content is needed under the name of the type",
                       self->type);
        return NULL;
    }
    if (given != NULL && (wants_array ? !cJSON_IsArray (given) : !cJSON_IsObject (given))) {
        control_error (answer, 400, "%s: must be %s", self->type,
                       wants_array ? "an array" : "an object");
        return NULL;
    }
    cJSON *content = given != NULL ? cJSON_Duplicate (given, true) : cJSON_CreateObject ();
    if (is_media && !media_content (self, content, answer)) {
        cJSON_Delete (content);
        return NULL;
    }
    return content;
}

/* ---- the message ---- */

static cJSON *message_make (inbound_t *self, cJSON *content)
{
    static const char *const copied[] = {"context", "referral", "identity", "errors", "group_id"};
    char stamp[24], user_id[40];
    cJSON *out = cJSON_CreateObject ();
    snprintf (stamp, sizeof stamp, "%" PRId64, sim_now_ms (self->sim) / 1000);
    meta_user_id (self->wa_id, user_id);
    json_add_text (out, "from", self->wa_id);
    json_add_text (out, "from_user_id", user_id);
    json_add_text (out, "id", self->id);
    json_add_text (out, "timestamp",
                   json_text (self->in, "timestamp") != NULL ? json_text (self->in, "timestamp")
                                                             : stamp);
    json_add_text (out, "type", self->type);
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
        json_add_copy (out, copied[i], json_get (self->in, copied[i]));
    if (content != NULL)
        json_add (out, self->type, content);
    return out;
}

static char *frame_make (inbound_t *self, cJSON *message)
{
    const char *name = json_text (self->in, "profile_name");
    cJSON *value = meta_value (self->number);
    if (strcmp (self->type, "system") != 0)
        cJSON_AddItemToArray (json_add_array (value, "contacts"),
                              meta_contact (self->wa_id, name != NULL ? name : "Sim Person"));
    cJSON_AddItemToArray (json_add_array (value, "messages"), message);
    return meta_frame (self->sim, self->number->account, "messages", value, false);
}

static void message_remember (const inbound_t *self)
{
    char key[80];
    sim_t *sim = self->sim;
    meta_seen_t *seen = must_alloc (sizeof *seen);
    snprintf (seen->number, sizeof seen->number, "%s", self->number->id);
    snprintf (seen->wa_id, sizeof seen->wa_id, "%s", self->wa_id);
    seen->inbound = true;
    table_put (sim->meta_messages, self->id, seen);
    int64_t *now_ms = must_alloc (sizeof *now_ms);
    *now_ms = sim_now_ms (sim);
    snprintf (key, sizeof key, "%s|%s", self->number->id, self->wa_id);
    table_put (sim->meta_windows, key, now_ms);
}

static bool members_sound (inbound_t *self, sim_answer_t *answer)
{
    static const char known[] = "provider from to type media id timestamp profile_name context "
                                "referral identity errors group_id";
    const cJSON *member;
    self->type = json_text (self->in, "type") != NULL ? json_text (self->in, "type") : "text";
    if (!word_in (inbound_types, self->type)) {
        control_error (answer, 400, "type: must be one of %s", inbound_types);
        return false;
    }
    cJSON_ArrayForEach (member, self->in)
    {
        if (!word_in (known, member->string) && strcmp (member->string, self->type) != 0) {
            control_error (answer, 400, "%.64s: there is no such field for type %s", member->string,
                           self->type);
            return false;
        }
    }
    return true;
}

static bool people_found (inbound_t *self, sim_answer_t *answer)
{
    const char *from = json_text (self->in, "from"), *to = json_text (self->in, "to");
    digits_of (from != NULL ? from : "", self->wa_id, sizeof self->wa_id);
    if (self->wa_id[0] == '\0' || self->wa_id[strspn (self->wa_id, "0123456789")] != '\0') {
        control_error (answer, 400, "from: must be the number of the person who writes");
        return false;
    }
    self->number = to != NULL ? meta_number_by_digits (self->sim, to) : NULL;
    if (self->number == NULL) {
        control_error (answer, 400,
                       "to: must be the number or phone_number_id of a WhatsApp number "
                       "of the simulator (GET /_sim/numbers)");
        return false;
    }
    return true;
}

void meta_inbound (sim_t *sim, sim_request_t *request, sim_answer_t *answer)
{
    inbound_t self = {.sim = sim, .request = request, .in = request->json};
    if (!members_sound (&self, answer) || !people_found (&self, answer))
        return;
    bool bare = word_in ("unsupported request_welcome", self.type);
    cJSON *content = NULL;
    if (!bare || json_get (self.in, self.type) != NULL) {
        content = content_make (&self, answer);
        if (content == NULL)
            return;
    }
    const meta_account_t *account = table_get (sim->meta_accounts, self.number->account);
    const char *url = meta_callback_url (sim, account, self.number),
               *id = json_text (self.in, "id");
    if (url == NULL) {
        cJSON_Delete (content);
        control_error (answer, 409,
                       "no callback URL is set: PUT /_sim/settings {\"meta_callback\"}");
        return;
    }
    if (id != NULL)
        snprintf (self.id, sizeof self.id, "%s", id);
    else
        meta_wamid (sim, self.wa_id, true, self.id);
    char *body = frame_make (&self, message_make (&self, content));
    message_remember (&self);
    callback_t *callback = callback_new (PROVIDER_META, "inbound", url, body);
    callback_message (callback, self.id);
    answer->wait = callback_wait (callback);
    answer->finish = inbound_finish;
    answer->data = arena_strdup (request->arena, self.id);
    callbacks_post (sim, &callback, 1, NULL);
}
