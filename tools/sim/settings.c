/* settings.c - the settings as one table: flags (--meta-app-secret) and JSON members (meta_app_secret) are the same rows.
 *
 * How it fails: an unknown name or unsound value changes nothing. */
#include "sim.h"

#include "base/text.h"
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum setting_kind { SETTING_TEXT, SETTING_NUMBER, SETTING_FLAG } setting_kind_t;

typedef struct setting {
    const char *name;
    setting_kind_t kind;
    size_t offset;
    const char *initial; /* NULL = none */
    int64_t least, most;
    const char *doc;
} setting_t;

#define AT(field) offsetof (settings_t, field)
/* clang-format off */
static const setting_t settings_table[] = {
    {"public_url", SETTING_TEXT, AT (public_url), NULL, 0, 0, "base URL in media URLs (the request's Host)"},
    {"meta_token", SETTING_TEXT, AT (meta_token), NULL, 0, 0, "the one access token (any)"},
    {"meta_app_id", SETTING_TEXT, AT (meta_app_id), "1000000000000001", 0, 0, "id of the Meta app"},
    {"meta_app_secret", SETTING_TEXT, AT (meta_app_secret), "sim-app-secret", 0, 0, "signs Meta's callbacks"},
    {"meta_verify_token", SETTING_TEXT, AT (meta_verify_token), "sim-verify-token", 0, 0, "sent in the handshake"},
    {"meta_callback", SETTING_TEXT, AT (meta_callback), NULL, 0, 0, "URL of the app's callbacks"},
    {"telnyx_key", SETTING_TEXT, AT (telnyx_key), NULL, 0, 0, "the one API key (any)"},
    {"telnyx_seed", SETTING_TEXT, AT (telnyx_seed), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0, 0,
     "hex seed of the Ed25519 key that signs Telnyx's callbacks"},
    {"telnyx_callback", SETTING_TEXT, AT (telnyx_callback), NULL, 0, 0, "URL of callbacks where message and profile have none"},
    {"callback_delay_ms", SETTING_NUMBER, AT (callback_delay_ms), "50", 0, 86400000, "until the first status; the next come after 2 and 4 times this"},
    {"read_receipts", SETTING_FLAG, AT (read_receipts), "true", 0, 0, "WhatsApp messages end as read"},
    {"window", SETTING_TEXT, AT (window), "callback", 0, 0, "24-hour window: callback (200, then failed 131047), answer (400), off"},
    {"template_review_ms", SETTING_NUMBER, AT (template_review_ms), "200", 0, 86400000, "from PENDING to APPROVED"},
    {"order_ms", SETTING_NUMBER, AT (order_ms), "200", 0, 86400000, "from a number order to its success"},
    {"media_url_ms", SETTING_NUMBER, AT (media_url_ms), "300000", 1, 86400000, "life of a WhatsApp media URL"},
    {"callback_timeout_ms", SETTING_NUMBER, AT (callback_timeout_ms), "10000", 10, 600000, "how long a callback's answer is waited for"},
    {"callback_retry_ms", SETTING_NUMBER, AT (callback_retry_ms), "1000", 1, 86400000, "gap to the second attempt, doubled each time"},
    {"callback_attempts", SETTING_NUMBER, AT (callback_attempts), "6", 1, 100, "of one callback"},
    {"throughput_per_second", SETTING_NUMBER, AT (throughput_per_second), "0", 0, 100000, "sends of one WhatsApp number, else 130429; 0 = no limit"},
    {"pair_burst", SETTING_NUMBER, AT (pair_burst), "0", 0, 100000, "sends to one person at once, else 131056; 0 = no limit"},
    {"pair_interval_ms", SETTING_NUMBER, AT (pair_interval_ms), "6000", 1, 86400000, "until one more send to that person is allowed"},
    {"suffix_faults", SETTING_FLAG, AT (suffix_faults), "false", 0, 0, "recipients with certain last digits fail, see docs/simulators.md"},
    {"fetch_media", SETTING_FLAG, AT (fetch_media), "false", 0, 0, "Telnyx fetches media_urls, and fails if they are not there"},
};
/* clang-format on */
enum { SETTINGS_COUNT = sizeof settings_table / sizeof settings_table[0] };

static void *setting_slot (const settings_t *self, const setting_t *row)
{
    return (char *) (uintptr_t) self + row->offset;
}

static const setting_t *setting_find (const char *name)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (strcmp (settings_table[i].name, name) == 0)
            return &settings_table[i];
    return NULL;
}

/* Checks beyond kind and range. */
static bool text_is_sound (const setting_t *row, const char *text)
{
    uint8_t seed[32];
    if (strcmp (row->name, "window") == 0)
        return word_in ("callback answer off", text);
    if (strcmp (row->name, "telnyx_seed") == 0)
        return text_read_hex (text, strlen (text), seed, sizeof seed) == 32;
    if (row->offset == AT (meta_callback) || row->offset == AT (telnyx_callback) ||
        row->offset == AT (public_url))
        return *text == '\0' || strncmp (text, "http://", 7) == 0 ||
               strncmp (text, "https://", 8) == 0;
    return text_is_header_value (text);
}

static bool setting_write (settings_t *self, const setting_t *row, const char *text, bool check)
{
    char *end;
    if (row->kind == SETTING_TEXT) {
        if (!text_is_sound (row, text))
            return false;
        if (!check)
            text_replace (setting_slot (self, row), *text != '\0' ? text : row->initial);
        return true;
    }
    if (row->kind == SETTING_FLAG) {
        bool on = strcmp (text, "true") == 0 || strcmp (text, "on") == 0;
        if (!check)
            *(bool *) setting_slot (self, row) = on;
        return on || strcmp (text, "false") == 0 || strcmp (text, "off") == 0;
    }
    long long number = strtoll (text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < row->least || number > row->most)
        return false;
    if (!check)
        *(int64_t *) setting_slot (self, row) = number;
    return true;
}

void settings_init (settings_t *self)
{
    memset (self, 0, sizeof *self);
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (settings_table[i].initial != NULL)
            setting_write (self, &settings_table[i], settings_table[i].initial, false);
}

void settings_free (settings_t *self)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (settings_table[i].kind == SETTING_TEXT)
            free (*(char **) setting_slot (self, &settings_table[i]));
}

int settings_set (settings_t *self, const char *name, const char *value)
{
    const setting_t *row = setting_find (name);
    if (row == NULL)
        return -1;
    return setting_write (self, row, value, false) ? 0 : -2;
}

/* null resets; numbers and flags must be of their kind. */
static bool member_write (settings_t *self, const setting_t *row, const cJSON *value, bool check)
{
    char text[32];
    if (cJSON_IsNull (value))
        return setting_write (self, row, row->initial != NULL ? row->initial : "", check);
    if (row->kind == SETTING_TEXT)
        return cJSON_IsString (value) && setting_write (self, row, value->valuestring, check);
    if (row->kind == SETTING_FLAG)
        return cJSON_IsBool (value) &&
               setting_write (self, row, cJSON_IsTrue (value) ? "true" : "false", check);
    if (!cJSON_IsNumber (value))
        return false;
    snprintf (text, sizeof text, "%.10g", value->valuedouble);
    return setting_write (self, row, text, check);
}

const char *settings_merge (settings_t *self, const cJSON *in)
{
    const cJSON *member;
    for (int check = 1; check >= 0; check--)
        cJSON_ArrayForEach (member, in)
        {
            const setting_t *row = setting_find (member->string);
            if (row == NULL || !member_write (self, row, member, check == 1))
                return member->string;
        }
    return NULL;
}

cJSON *settings_show (const settings_t *self)
{
    cJSON *out = cJSON_CreateObject ();
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const setting_t *row = &settings_table[i];
        void *slot = setting_slot (self, row);
        if (row->kind == SETTING_TEXT)
            json_add_text (out, row->name, *(char **) slot);
        else if (row->kind == SETTING_FLAG)
            json_add_bool (out, row->name, *(bool *) slot);
        else
            json_add_number (out, row->name, (double) *(int64_t *) slot);
    }
    return out;
}

const char *settings_doc (size_t index, const char **name)
{
    if (index >= SETTINGS_COUNT)
        return NULL;
    *name = settings_table[index].name;
    return settings_table[index].doc;
}

window_mode_t settings_window (const settings_t *self)
{
    if (strcmp (self->window, "off") == 0)
        return WINDOW_OFF;
    return strcmp (self->window, "answer") == 0 ? WINDOW_ANSWER : WINDOW_CALLBACK;
}

bool sim_keys_derive (sim_t *self)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    const char *hex = self->settings.telnyx_seed;
    if (text_read_hex (hex, strlen (hex), seed, sizeof seed) != sizeof seed)
        return false;
    return crypto_sign_seed_keypair (self->telnyx_public, self->telnyx_secret, seed) == 0;
}
