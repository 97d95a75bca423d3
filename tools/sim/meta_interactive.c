/* meta_interactive.c - the checks of interactive messages (spec section 2.3). How it fails: as meta_check.c. */
#include "meta.h"

#include <stdio.h>
#include <string.h>

typedef struct inter {
    const sim_t *sim;
    check_t *check;
    const cJSON *whole;
    const cJSON *action;
} inter_t;

/* ---- buttons, rows, parameters ---- */

static bool titles_differ (check_t *check, const cJSON *list, const char *member, const char *name)
{
    const cJSON *one, *other;
    cJSON_ArrayForEach (one, list)
    {
        for (other = one->next; other != NULL; other = other->next) {
            const char *a = json_text (json_get (one, member), name),
                       *b = json_text (json_get (other, member), name);
            if (a != NULL && b != NULL && strcmp (a, b) == 0)
                return check_fail (check, 131009, "Two buttons have the same %s.", name);
        }
    }
    return true;
}

/* `member` is "reply" or "quick_reply". */
static bool buttons_check (check_t *check, const cJSON *action, const char *member, size_t most)
{
    const field_rule_t action_fields[] = {{"buttons", 'a', true, most}, {0}};
    const field_rule_t button_fields[] = {{"type", 's', true, 0}, {member, 'o', true, 0}, {0}};
    static const field_rule_t reply_fields[] = {
        {"id", 's', true, 256}, {"title", 's', true, 20}, {0}};
    const cJSON *button;
    if (!check_object (check, action, "interactive['action']", action_fields))
        return false;
    cJSON_ArrayForEach (button, json_get (action, "buttons"))
    {
        if (!check_object (check, button, "interactive['action']['buttons']", button_fields) ||
            !check_object (check, json_get (button, member), "interactive['action']['buttons']",
                           reply_fields))
            return false;
        if (strcmp (json_text (button, "type"), member) != 0)
            return check_fail (check, 131009, "A button's type must be %s.", member);
    }
    const cJSON *buttons = json_get (action, "buttons");
    return titles_differ (check, buttons, member, "id") &&
           titles_differ (check, buttons, member, "title");
}

static bool button_check (const inter_t *self)
{
    return buttons_check (self->check, self->action, "reply", 3);
}

static bool section_check (check_t *check, const cJSON *section, bool titled, size_t *rows)
{
    const field_rule_t fields[] = {{"title", 's', titled, 24}, {"rows", 'a', true, 10}, {0}};
    static const field_rule_t row_fields[] = {
        {"id", 's', true, 200}, {"title", 's', true, 24}, {"description", 's', false, 72}, {0}};
    const cJSON *row;
    if (!check_object (check, section, "interactive['action']['sections']", fields))
        return false;
    cJSON_ArrayForEach (row, json_get (section, "rows"))
    {
        if (!check_object (check, row, "interactive['action']['sections']['rows']", row_fields))
            return false;
        ++*rows;
    }
    return true;
}

static bool list_check (const inter_t *self)
{
    static const field_rule_t fields[] = {
        {"button", 's', true, 20}, {"sections", 'a', true, 10}, {0}};
    const cJSON *section, *sections = json_get (self->action, "sections");
    const char *header = json_text (json_get (self->whole, "header"), "type");
    size_t rows = 0;
    if (!check_object (self->check, self->action, "interactive['action']", fields))
        return false;
    if (header != NULL && strcmp (header, "text") != 0)
        return check_fail (self->check, 131009, "A list has a text header only.");
    cJSON_ArrayForEach (section, sections)
    {
        if (!section_check (self->check, section, cJSON_GetArraySize (sections) > 1, &rows))
            return false;
    }
    if (rows > 10)
        return check_fail (self->check, 131009, "A list has at most 10 rows in all.");
    return true;
}

static bool named_action_check (const inter_t *self, const char *name, const field_rule_t *fields)
{
    const field_rule_t action_fields[] = {
        {"name", 's', true, 0}, {"parameters", 'o', fields != NULL, 0}, {0}};
    if (!check_object (self->check, self->action, "interactive['action']", action_fields))
        return false;
    if (strcmp (json_text (self->action, "name"), name) != 0)
        return check_fail (self->check, 131009, "Param interactive['action']['name'] must be %s.",
                           name);
    return fields == NULL || check_object (self->check, json_get (self->action, "parameters"),
                                           "interactive['action']['parameters']", fields);
}

static const field_rule_t cta_fields[] = {
    {"display_text", 's', true, 20}, {"url", 'l', true, 0}, {0}};

static bool cta_check (const inter_t *self)
{
    return named_action_check (self, "cta_url", cta_fields);
}

static bool flow_check (const inter_t *self)
{
    static const field_rule_t fields[] = {{"flow_message_version", 's', true, 0},
                                          {"flow_id", 's', false, 0},
                                          {"flow_name", 's', false, 0},
                                          {"flow_cta", 's', true, 30},
                                          {"flow_token", 's', false, 0},
                                          {"mode", 's', false, 0},
                                          {"flow_action", 's', false, 0},
                                          {"flow_action_payload", 'o', false, 0},
                                          {0}};
    if (!named_action_check (self, "flow", fields))
        return false;
    const cJSON *in = json_get (self->action, "parameters"),
                *payload = json_get (in, "flow_action_payload"), *data = json_get (payload, "data");
    const char *mode = json_text (in, "mode"), *action = json_text (in, "flow_action");
    if ((json_get (in, "flow_id") == NULL) == (json_get (in, "flow_name") == NULL))
        return check_fail (self->check, 131009, "Exactly one of flow_id and flow_name is needed.");
    if (mode != NULL && !word_in ("draft published", mode))
        return check_fail (self->check, 131009, "Param mode must be draft or published.");
    if (action != NULL && !word_in ("navigate data_exchange", action))
        return check_fail (self->check, 131009, "Param flow_action is not known.");
    if (payload != NULL && action != NULL && strcmp (action, "data_exchange") == 0)
        return check_fail (self->check, 131009, "data_exchange goes without flow_action_payload.");
    if (data != NULL && (!cJSON_IsObject (data) || data->child == NULL))
        return check_fail (self->check, 131009, "flow_action_payload['data'] must not be empty.");
    return true;
}

static bool location_check (const inter_t *self)
{
    return named_action_check (self, "send_location", NULL);
}

static bool permission_check (const inter_t *self)
{
    return named_action_check (self, "call_permission_request", NULL);
}

/* ---- carousel ---- */

static bool card_action_check (const inter_t *self, const cJSON *card)
{
    inter_t inner = {self->sim, self->check, card, json_get (card, "action")};
    const char *type = json_text (card, "type");
    if (json_get (inner.action, "buttons") != NULL)
        return buttons_check (self->check, inner.action, "quick_reply", 2);
    if (type != NULL && strcmp (type, "cta_url") != 0)
        return check_fail (self->check, 131009, "A card's type must be cta_url.");
    return named_action_check (&inner, "cta_url", cta_fields);
}

static bool header_check (const inter_t *self, const cJSON *header);

static bool card_check (const inter_t *self, const cJSON *card, int index)
{
    static const field_rule_t fields[] = {{"card_index", 'n', true, 0}, {"type", 's', false, 0},
                                          {"header", 'o', true, 0},     {"body", 'o', false, 0},
                                          {"action", 'o', true, 0},     {0}};
    static const field_rule_t body_fields[] = {{"text", 's', true, 160}, {0}};
    const cJSON *body = json_get (card, "body"), *header = json_get (card, "header");
    if (!check_object (self->check, card, "interactive['action']['cards']", fields) ||
        (body != NULL && !check_object (self->check, body, "cards['body']", body_fields)) ||
        !header_check (self, header) || !card_action_check (self, card))
        return false;
    if (json_number (card, "card_index", -1) != index)
        return check_fail (self->check, 131009, "card_index must count from 0.");
    const char *type = json_text (header, "type");
    if (!word_in ("image video", type))
        return check_fail (self->check, 131009, "A card's header must be image or video.");
    return true;
}

static bool carousel_check (const inter_t *self)
{
    static const field_rule_t fields[] = {{"cards", 'a', true, 10}, {0}};
    const cJSON *card, *cards = json_get (self->action, "cards");
    int index = 0;
    if (json_get (self->whole, "header") != NULL || json_get (self->whole, "footer") != NULL)
        return check_fail (self->check, 131009, "A carousel has no header and no footer.");
    if (!check_object (self->check, self->action, "interactive['action']", fields))
        return false;
    if (cJSON_GetArraySize (cards) < 2)
        return check_fail (self->check, 131009, "A carousel has 2 to 10 cards.");
    cJSON_ArrayForEach (card, cards)
    {
        if (!card_check (self, card, index++))
            return false;
    }
    return true;
}

/* Commerce and the like: the frame only. */
static bool other_check (const inter_t *self)
{
    if (cJSON_IsObject (self->action))
        return true;
    return check_fail (self->check, 131008, "The parameter interactive['action'] is required.");
}

/* ---- the frame ---- */

static bool header_check (const inter_t *self, const cJSON *header)
{
    const char *type = json_text (header, "type");
    static const field_rule_t text_fields[] = {
        {"type", 's', true, 0}, {"text", 's', true, 60}, {0}};
    if (!cJSON_IsObject (header) || type == NULL || !word_in ("text image video document", type))
        return check_fail (self->check, 131009,
                           "Param interactive['header']['type'] must be one of text, image, video, "
                           "document.");
    if (strcmp (type, "text") == 0)
        return check_object (self->check, header, "interactive['header']", text_fields);
    const field_rule_t media_fields[] = {{"type", 's', true, 0}, {type, 'o', true, 0}, {0}};
    return check_object (self->check, header, "interactive['header']", media_fields) &&
           meta_media_check (self->sim, self->check, json_get (header, type), type);
}

static const struct {
    const char *type;
    bool (*check) (const inter_t *self);
    size_t body_most;
    bool body_optional;
} kinds[] = {{"button", button_check, 1024, false},
             {"list", list_check, 4096, false},
             {"cta_url", cta_check, 1024, false},
             {"flow", flow_check, 1024, false},
             {"location_request_message", location_check, 1024, false},
             {"carousel", carousel_check, 1024, false},
             {"call_permission_request", permission_check, 1024, true},
             {"address_message", other_check, 1024, false},
             {"catalog_message", other_check, 1024, true},
             {"product", other_check, 1024, true},
             {"product_list", other_check, 1024, false}};

static bool texts_check (const inter_t *self, size_t body_most, bool body_optional)
{
    const field_rule_t body_fields[] = {{"text", 's', true, body_most}, {0}};
    static const field_rule_t footer_fields[] = {{"text", 's', true, 60}, {0}};
    const cJSON *header = json_get (self->whole, "header"), *body = json_get (self->whole, "body"),
                *footer = json_get (self->whole, "footer");
    if (body == NULL && !body_optional)
        return check_fail (self->check, 131008, "The parameter interactive['body'] is required.");
    if (body != NULL && !check_object (self->check, body, "interactive['body']", body_fields))
        return false;
    if (footer != NULL &&
        !check_object (self->check, footer, "interactive['footer']", footer_fields))
        return false;
    return header == NULL || header_check (self, header);
}

bool meta_interactive_check (const sim_t *sim, check_t *check, const cJSON *interactive)
{
    static const field_rule_t fields[] = {{"type", 's', true, 0},   {"header", 'o', false, 0},
                                          {"body", 'o', false, 0},  {"footer", 'o', false, 0},
                                          {"action", 'o', true, 0}, {0}};
    if (!check_object (check, interactive, "interactive", fields))
        return false;
    inter_t self = {sim, check, interactive, json_get (interactive, "action")};
    const char *type = json_text (interactive, "type");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp (kinds[i].type, type) == 0)
            return texts_check (&self, kinds[i].body_most, kinds[i].body_optional) &&
                   kinds[i].check (&self);
    return check_fail (check, 131009, "Param interactive['type'] '%.32s' is not known.", type);
}
