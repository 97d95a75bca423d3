/* meta_frames.c - the frames of Meta's callbacks and the ids in them. How it fails: it does not. */
#include "meta.h"
#include "callbacks.h"

#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *meta_callback_url (const sim_t *sim, const meta_account_t *account,
                               const meta_number_t *number)
{
    if (account != NULL && !account->subscribed)
        return NULL;
    if (number != NULL && number->override_url != NULL)
        return number->override_url;
    if (account != NULL && account->override_url != NULL)
        return account->override_url;
    return sim->settings.meta_callback;
}

cJSON *meta_value (const meta_number_t *number)
{
    cJSON *value = cJSON_CreateObject (), *metadata;
    json_add_text (value, "messaging_product", "whatsapp");
    metadata = json_add_object (value, "metadata");
    json_add_text (metadata, "display_phone_number", number->digits);
    json_add_text (metadata, "phone_number_id", number->id);
    return value;
}

char *meta_frame (const sim_t *sim, const char *account, const char *field, cJSON *value,
                  bool with_time)
{
    cJSON *body = cJSON_CreateObject (), *entry = cJSON_CreateObject (),
          *change = cJSON_CreateObject ();
    int64_t now_s = sim_now_ms (sim) / 1000;
    json_add_text (body, "object", "whatsapp_business_account");
    cJSON_AddItemToArray (json_add_array (body, "entry"), entry);
    json_add_text (entry, "id", account);
    if (with_time)
        json_add_number (entry, "time", (double) now_s);
    cJSON_AddItemToArray (json_add_array (entry, "changes"), change);
    json_add (change, "value", value);
    json_add_text (change, "field", field);
    char *text = json_print_ascii (body);
    cJSON_Delete (body);
    return text;
}

void meta_user_id (const char *wa_id, char out[40])
{
    static const struct {
        const char *prefix, *country;
    } countries[] = {{"1", "US"},  {"31", "NL"}, {"34", "ES"}, {"44", "GB"}, {"49", "DE"},
                     {"52", "MX"}, {"55", "BR"}, {"62", "ID"}, {"65", "SG"}, {"91", "IN"}};
    const char *country = "ZZ";
    for (size_t i = 0; i < sizeof countries / sizeof countries[0]; i++)
        if (strncmp (wa_id, countries[i].prefix, strlen (countries[i].prefix)) == 0)
            country = countries[i].country;
    snprintf (out, 40, "%s.90%.24s", country, wa_id);
}

cJSON *meta_contact (const char *wa_id, const char *name)
{
    char user_id[40];
    cJSON *out = cJSON_CreateObject ();
    meta_user_id (wa_id, user_id);
    json_add_text (json_add_object (out, "profile"), "name", name);
    json_add_text (out, "wa_id", wa_id);
    json_add_text (out, "user_id", user_id);
    return out;
}

/* Laid out as real ones are: the number, a direction and 18 hex digits, in base64. */
void meta_wamid (sim_t *sim, const char *wa_id, bool inbound, char out[128])
{
    uint8_t raw[64], random[9];
    char hex[19];
    size_t size = 0, length = strlen (wa_id) < 24 ? strlen (wa_id) : 24;
    const uint8_t head[] = {0x1c, 0x18, (uint8_t) length};
    const uint8_t middle[] = {0x15, 0x02, 0x00, inbound ? 0x12 : 0x11, 0x18, 0x12};
    memcpy (raw, head, sizeof head);
    size += sizeof head;
    memcpy (raw + size, wa_id, length);
    size += length;
    memcpy (raw + size, middle, sizeof middle);
    size += sizeof middle;
    sim_random (sim, random, sizeof random);
    text_write_hex (random, sizeof random, hex);
    for (size_t i = 0; i < 18; i++)
        raw[size++] = (uint8_t) (hex[i] >= 'a' ? hex[i] - 32 : hex[i]);
    raw[size++] = 0;
    memcpy (out, "wamid.", 6);
    text_write_base64 (raw, size, out + 6);
}

void meta_notify (sim_t *sim, const meta_account_t *account, const char *field, cJSON *value)
{
    char *body = meta_frame (sim, account->id, field, value, true);
    callback_t *callback =
        callback_new (PROVIDER_META, field, meta_callback_url (sim, account, NULL), body);
    callbacks_post (sim, &callback, 1, NULL);
}
