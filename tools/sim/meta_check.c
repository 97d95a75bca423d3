/* meta_check.c - what Meta refuses of a send's body, as tables of members (spec section 2). How it fails: false, with the code and the offending
 * member in *check. */
#include "meta.h"

#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool check_fail (check_t *check, int code, const char *format, ...)
{
    va_list args;
    check->code = code;
    va_start (args, format);
    vsnprintf (check->details, sizeof check->details, format, args);
    va_end (args);
    return false;
}

/* ---- members ---- */

static size_t text_length (const char *text)
{
    return text_code_points (text, strlen (text));
}

static bool kind_fits (char kind, const cJSON *value)
{
    char *end;
    switch (kind) {
    case 's':
    case 'l':
        return cJSON_IsString (value);
    case 'b':
        return cJSON_IsBool (value);
    case 'o':
        return cJSON_IsObject (value);
    case 'a':
        return cJSON_IsArray (value);
    case 'n':
        if (cJSON_IsString (value) && value->valuestring[0] != '\0')
            return strtod (value->valuestring, &end) < HUGE_VAL && *end == '\0';
        return cJSON_IsNumber (value);
    default:
        return true;
    }
}

static bool value_check (check_t *check, const cJSON *value, const char *path,
                         const field_rule_t *rule)
{
    if (!kind_fits (rule->kind, value))
        return check_fail (check, 100, "Param %s['%s'] is of the wrong type.", path, rule->name);
    if (rule->kind == 'a' && rule->required && cJSON_GetArraySize (value) == 0)
        return check_fail (check, 131009, "Param %s['%s'] must not be empty.", path, rule->name);
    if (rule->kind == 'a' && rule->most > 0 && (size_t) cJSON_GetArraySize (value) > rule->most)
        return check_fail (check, 131009, "Param %s['%s'] must have at most %zu elements.", path,
                           rule->name, rule->most);
    if (rule->kind == 's' && rule->required && value->valuestring[0] == '\0')
        return check_fail (check, 131009, "Param %s['%s'] must not be empty.", path, rule->name);
    if (rule->kind == 's' && rule->most > 0 && text_length (value->valuestring) > rule->most)
        return check_fail (check, 131009, "Param %s['%s'] must be at most %zu characters long.",
                           path, rule->name, rule->most);
    if (rule->kind == 'l' && strncmp (value->valuestring, "http://", 7) != 0 &&
        strncmp (value->valuestring, "https://", 8) != 0)
        return check_fail (check, 131009, "Param %s['%s'] is not a valid URL.", path, rule->name);
    return true;
}

static const field_rule_t *rule_find (const field_rule_t *fields, const char *name)
{
    for (; fields->name != NULL; fields++)
        if (strcmp (fields->name, name) == 0)
            return fields;
    return NULL;
}

bool check_object (check_t *check, const cJSON *object, const char *path,
                   const field_rule_t *fields)
{
    const cJSON *member;
    if (!cJSON_IsObject (object))
        return check_fail (check, 100, "Param %s must be a JSON object.", path);
    cJSON_ArrayForEach (member, object)
    {
        if (rule_find (fields, member->string) == NULL)
            return check_fail (check, 100, "Unexpected key \"%.64s\" on param \"%s\".",
                               member->string, path);
    }
    for (; fields->name != NULL; fields++) {
        const cJSON *value = json_get (object, fields->name);
        if (value == NULL && fields->required)
            return check_fail (check, 131008, "The parameter %s['%s'] is required.", path,
                               fields->name);
        if (value != NULL && !value_check (check, value, path, fields))
            return false;
    }
    return true;
}

/* ---- media objects ---- */

static const field_rule_t captioned_fields[] = {
    {"id", 's', false, 0}, {"link", 'l', false, 0}, {"caption", 's', false, 1024}, {0}};
static const field_rule_t audio_fields[] = {
    {"id", 's', false, 0}, {"link", 'l', false, 0}, {"voice", 'b', false, 0}, {0}};
static const field_rule_t document_fields[] = {{"id", 's', false, 0},
                                               {"link", 'l', false, 0},
                                               {"caption", 's', false, 1024},
                                               {"filename", 's', false, 240},
                                               {0}};
static const field_rule_t sticker_fields[] = {{"id", 's', false, 0}, {"link", 'l', false, 0}, {0}};

static const struct {
    const char *type;
    const field_rule_t *fields;
    const char *mime; /* what an uploaded one must begin with */
} media_types[] = {{"image", captioned_fields, "image/"},
                   {"video", captioned_fields, "video/"},
                   {"audio", audio_fields, "audio/"},
                   {"document", document_fields, ""},
                   {"sticker", sticker_fields, "image/webp"}};

static bool media_id_check (const sim_t *sim, check_t *check, const char *id, const char *type,
                            const char *mime)
{
    const media_t *media = table_get (sim->media, id);
    if (media == NULL)
        return check_fail (check, 100,
                           "Param %s['id'] is not a valid whatsapp business account media "
                           "attachment ID",
                           type);
    if (strncmp (media->mime_type, mime, strlen (mime)) != 0)
        return check_fail (check, 131053, "Media %s is of type %.64s, which is no %s.", id,
                           media->mime_type, type);
    return true;
}

bool meta_media_check (const sim_t *sim, check_t *check, const cJSON *media, const char *type)
{
    for (size_t i = 0; i < sizeof media_types / sizeof media_types[0]; i++) {
        if (strcmp (media_types[i].type, type) != 0)
            continue;
        if (!check_object (check, media, type, media_types[i].fields))
            return false;
        const char *id = json_text (media, "id"), *link = json_text (media, "link");
        if ((id == NULL) == (link == NULL))
            return check_fail (check, id == NULL ? 131008 : 100,
                               "Param %s must have exactly one of 'id' and 'link'.", type);
        return id == NULL || media_id_check (sim, check, id, type, media_types[i].mime);
    }
    return check_fail (check, 100, "Param type '%s' is no media.", type);
}

/* ---- the other types ---- */

static bool text_check (const sim_t *sim, check_t *check, const cJSON *value)
{
    static const field_rule_t fields[] = {
        {"body", 's', true, 4096}, {"preview_url", 'b', false, 0}, {0}};
    (void) sim;
    return check_object (check, value, "text", fields);
}

static double number_of (const cJSON *object, const char *name)
{
    const char *text = json_text (object, name);
    return text != NULL ? strtod (text, NULL) : json_number (object, name, 0);
}

static bool location_check (const sim_t *sim, check_t *check, const cJSON *value)
{
    static const field_rule_t fields[] = {{"latitude", 'n', true, 0},
                                          {"longitude", 'n', true, 0},
                                          {"name", 's', false, 1000},
                                          {"address", 's', false, 1000},
                                          {0}};
    (void) sim;
    if (!check_object (check, value, "location", fields))
        return false;
    if (fabs (number_of (value, "latitude")) > 90 || fabs (number_of (value, "longitude")) > 180)
        return check_fail (check, 131009, "Param location is not on Earth.");
    return true;
}

static bool name_check (check_t *check, const cJSON *name)
{
    static const field_rule_t fields[] = {{"formatted_name", 's', true, 0},
                                          {"first_name", 's', false, 0},
                                          {"last_name", 's', false, 0},
                                          {"middle_name", 's', false, 0},
                                          {"prefix", 's', false, 0},
                                          {"suffix", 's', false, 0},
                                          {0}};
    if (!check_object (check, name, "contacts['name']", fields))
        return false;
    if (cJSON_GetArraySize (name) < 2)
        return check_fail (check, 131009,
                           "Param contacts['name'] needs one more part than formatted_name.");
    return true;
}

static const field_rule_t phone_fields[] = {
    {"phone", 's', false, 0}, {"type", 's', false, 0}, {"wa_id", 's', false, 0}, {0}};
static const field_rule_t email_fields[] = {{"email", 's', false, 0}, {"type", 's', false, 0}, {0}};
static const field_rule_t address_fields[] = {
    {"street", 's', false, 0},  {"city", 's', false, 0},
    {"state", 's', false, 0},   {"zip", 's', false, 0},
    {"country", 's', false, 0}, {"country_code", 's', false, 0},
    {"type", 's', false, 0},    {0}};
static const field_rule_t org_fields[] = {
    {"company", 's', false, 0}, {"department", 's', false, 0}, {"title", 's', false, 0}, {0}};
static const field_rule_t url_fields[] = {{"url", 's', false, 0}, {"type", 's', false, 0}, {0}};

static bool each_check (check_t *check, const cJSON *list, const char *path,
                        const field_rule_t *fields)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, list)
    {
        if (!check_object (check, one, path, fields))
            return false;
    }
    return true;
}

static bool contact_check (check_t *check, const cJSON *contact)
{
    static const field_rule_t fields[] = {{"name", 'o', true, 0},      {"phones", 'a', false, 0},
                                          {"emails", 'a', false, 0},   {"org", 'o', false, 0},
                                          {"urls", 'a', false, 0},     {"addresses", 'a', false, 0},
                                          {"birthday", 's', false, 0}, {0}};
    const cJSON *org = json_get (contact, "org");
    return check_object (check, contact, "contacts", fields) &&
           name_check (check, json_get (contact, "name")) &&
           each_check (check, json_get (contact, "phones"), "contacts['phones']", phone_fields) &&
           each_check (check, json_get (contact, "emails"), "contacts['emails']", email_fields) &&
           each_check (check, json_get (contact, "addresses"), "contacts['addresses']",
                       address_fields) &&
           each_check (check, json_get (contact, "urls"), "contacts['urls']", url_fields) &&
           (org == NULL || check_object (check, org, "contacts['org']", org_fields));
}

static bool contacts_check (const sim_t *sim, check_t *check, const cJSON *value)
{
    const cJSON *contact;
    (void) sim;
    if (!cJSON_IsArray (value))
        return check_fail (check, 100, "Param contacts must be a JSON array.");
    if (cJSON_GetArraySize (value) == 0 || cJSON_GetArraySize (value) > 257)
        return check_fail (check, 131009, "Param contacts must have 1 to 257 elements.");
    cJSON_ArrayForEach (contact, value)
    {
        if (!contact_check (check, contact))
            return false;
    }
    return true;
}

static bool reaction_check (const sim_t *sim, check_t *check, const cJSON *value)
{
    static const field_rule_t fields[] = {
        {"message_id", 's', true, 0}, {"emoji", '*', true, 0}, {0}};
    if (!check_object (check, value, "reaction", fields))
        return false;
    const char *emoji = json_text (value, "emoji");
    if (emoji == NULL || text_length (emoji) > 12 ||
        (*emoji != '\0' && (unsigned char) *emoji < 0x80 &&
         strchr ("#*0123456789", *emoji) == NULL))
        return check_fail (check, 131009, "Param reaction['emoji'] must be one emoji, or empty.");
    if (table_get (sim->meta_messages, json_text (value, "message_id")) == NULL)
        return check_fail (check, 131009, "Param reaction['message_id'] is not a known message.");
    return true;
}

static bool template_check (const sim_t *sim, check_t *check, const cJSON *value)
{
    static const field_rule_t fields[] = {{"name", 's', true, 512},
                                          {"language", 'o', true, 0},
                                          {"components", 'a', false, 0},
                                          {"namespace", 's', false, 0},
                                          {0}};
    static const field_rule_t language[] = {{"code", 's', true, 0}, {"policy", 's', false, 0}, {0}};
    (void) sim;
    return check_object (check, value, "template", fields) &&
           check_object (check, json_get (value, "language"), "template['language']", language);
}

static bool interactive_check (const sim_t *sim, check_t *check, const cJSON *value)
{
    return meta_interactive_check (sim, check, value);
}

/* ---- the frame ---- */

static const struct {
    const char *type;
    bool (*check) (const sim_t *sim, check_t *check, const cJSON *value);
} type_checks[] = {{"text", text_check},         {"location", location_check},
                   {"contacts", contacts_check}, {"reaction", reaction_check},
                   {"template", template_check}, {"interactive", interactive_check}};

static bool type_check (const sim_t *sim, check_t *check, const cJSON *body, const char *type)
{
    const cJSON *value = json_get (body, type);
    if (value == NULL)
        return check_fail (check, 131008, "The parameter %.32s is required.", type);
    for (size_t i = 0; i < sizeof type_checks / sizeof type_checks[0]; i++)
        if (strcmp (type_checks[i].type, type) == 0)
            return type_checks[i].check (sim, check, value);
    return meta_media_check (sim, check, value, type);
}

bool meta_message_check (const sim_t *sim, check_t *check, const cJSON *body)
{
    static const char types[] =
        "text image video audio document sticker location contacts reaction template interactive";
    static const char frame[] =
        "messaging_product recipient_type to recipient type context biz_opaque_callback_data "
        "recipient_identity_key_hash product_policy message_activity_sharing access_token";
    const char *type = json_text (body, "type");
    const cJSON *member, *data = json_get (body, "biz_opaque_callback_data"),
                         *context = json_get (body, "context");
    static const field_rule_t context_fields[] = {{"message_id", 's', true, 0}, {0}};
    type = type != NULL ? type : "text";
    if (!word_in (types, type))
        return check_fail (check, 100, "Param type must be one of {%s} - got \"%.32s\".", types,
                           type);
    cJSON_ArrayForEach (member, body)
    {
        if (!word_in (frame, member->string) && strcmp (member->string, type) != 0)
            return check_fail (check, 100, "Unexpected key \"%.64s\" on a message of type %s.",
                               member->string, type);
    }
    if (data != NULL && (!cJSON_IsString (data) || text_length (data->valuestring) > 512))
        return check_fail (check, 131009,
                           "Param biz_opaque_callback_data must be a text of at most 512 "
                           "characters.");
    if (context != NULL && !check_object (check, context, "context", context_fields))
        return false;
    return type_check (sim, check, body, type);
}
