/* carrier.c - an organization's accounts at carriers.
 *
 * Secrets come in by carrier_set and are sealed under the account's id before anything is stored; the journal tells them sealed, and only the services
 * that follow open them, in the turn that needs them. An account that numbers go through cannot be deleted. */
#include "accounts.h"

#include "base/text.h"
#include <string.h>

static const char purpose[] = "carrier account"; /* messaging and templates open with the same */

enum { LISTED_MOST = 200, NUMBERS_MOST = 1000, ED25519_KEY_SIZE = 32 };

static bool is_given (const char *text)
{
    return text && *text;
}

/* ---- telling ---- */

int carrier_told_event (const accounts_carrier_account_t *row, event_about_t *about,
                        accounts_carrier_changed_t *body)
{
    *about =
        (event_about_t){.record = row->id, .version = (uint64_t) row->version, .org = row->org};
    *body = (accounts_carrier_changed_t){.id = row->id,
                                         .org = row->org,
                                         .carrier = row->carrier,
                                         .name = row->name,
                                         .base_url = row->base_url,
                                         .waba = row->waba,
                                         .profile = row->profile,
                                         .public_key = row->public_key,
                                         .sealed = row->sealed};
    return 0;
}

static int carrier_event (turn_t *t, const accounts_carrier_account_t *row, bool deleted)
{
    event_about_t about;
    accounts_carrier_changed_t body;
    carrier_told_event (row, &about, &body);
    body.deleted = deleted;
    if (deleted)
        body.sealed = (bytes_t){0};
    return event_add (t, &accounts_carrier_changed_event, &about, &body);
}

static int carrier_info (turn_t *t, const accounts_carrier_account_t *row,
                         accounts_carrier_info_t *out)
{
    store_key_t key = {.id = row->id};
    uint64_t numbers = 0;
    int code = store_count (t->txn, &accounts_number_record, "by_account", &key, 1, &numbers);
    *out = (accounts_carrier_info_t){.id = row->id,
                                     .org = row->org,
                                     .carrier = row->carrier,
                                     .name = row->name,
                                     .base_url = row->base_url,
                                     .waba = row->waba,
                                     .profile = row->profile,
                                     .public_key = row->public_key,
                                     .created_at = row->created_at,
                                     .updated_at = row->updated_at,
                                     .numbers = (int64_t) numbers};
    return code;
}

/* ---- secrets ---- */

static int secrets_open (turn_t *t, const accounts_carrier_account_t *row,
                         accounts_carrier_secrets_t *out)
{
    if (row->sealed.size == 0)
        return 0;
    buf_t clear = buf_in (t->arena);
    int code = keyring_open_sealed (t->keyring, row->id, purpose, row->sealed, &clear);
    return code ? code
                : schema_unpack (&accounts_carrier_secrets_type, buf_bytes (&clear), t->arena, out,
                                 NULL);
}

int carrier_token (turn_t *t, const accounts_carrier_account_t *row, const char **out)
{
    accounts_carrier_secrets_t secrets = {0};
    int code = secrets_open (t, row, &secrets);
    *out = secrets.token;
    return code;
}

static int secrets_seal (turn_t *t, const accounts_carrier_secrets_t *secrets,
                         accounts_carrier_account_t *row)
{
    buf_t clear = buf_in (t->arena);
    buf_t sealed = buf_in (t->arena);
    schema_pack (&accounts_carrier_secrets_type, secrets, &clear);
    keyring_seal (t->keyring, row->id, purpose, buf_bytes (&clear), &sealed);
    if (clear.data)
        sign_wipe (clear.data, clear.size);
    row->sealed = buf_bytes (&sealed);
    return buf_failed (&clear) || buf_failed (&sealed) ? E_NO_MEMORY : 0;
}

/* ---- making and changing ---- */

/* Things that stand in URLs and headers of requests to the carrier: visible ASCII only. */
static int plain_check (turn_t *t, const char *field, const char *text)
{
    for (const char *at = text; at && *at; at++)
        if (*at <= ' ' || *at > '~')
            return fail (t, E_BAD_REQUEST, field, "%s may hold only visible ASCII characters",
                         field);
    return 0;
}

static int plain_check_all (turn_t *t, const accounts_carrier_set_in_t *in)
{
    const struct {
        const char *field;
        const char *text;
    } rows[] = {
        {"base_url", in->base_url},        {"waba", in->waba},   {"profile", in->profile},
        {"public_key", in->public_key},    {"token", in->token}, {"app_secret", in->app_secret},
        {"verify_token", in->verify_token}};
    int code = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && code == 0; i++)
        code = plain_check (t, rows[i].field, rows[i].text);
    return code;
}

static int wanted (turn_t *t, const char *field, const char *text)
{
    return is_given (text) ? 0 : fail (t, E_BAD_REQUEST, field, "%s is needed", field);
}

static int meta_check (turn_t *t, const accounts_carrier_account_t *row,
                       const accounts_carrier_secrets_t *secrets)
{
    int code = wanted (t, "token", secrets->token);
    if (code == 0)
        code = wanted (t, "app_secret", secrets->app_secret);
    if (code == 0)
        code = wanted (t, "verify_token", secrets->verify_token);
    return code ? code : wanted (t, "waba", row->waba);
}

static int telnyx_check (turn_t *t, const accounts_carrier_account_t *row,
                         const accounts_carrier_secrets_t *secrets)
{
    uint8_t key[ED25519_KEY_SIZE];
    int code = wanted (t, "token", secrets->token);
    if (code == 0)
        code = wanted (t, "public_key", row->public_key);
    if (code == 0 && text_read_base64 (row->public_key, strlen (row->public_key), key,
                                       sizeof key) != ED25519_KEY_SIZE)
        code = fail (t, E_BAD_REQUEST, "public_key",
                     "public_key is not the base64 of an Ed25519 key of 32 bytes");
    return code;
}

static const char *base_url_of (turn_t *t, int32_t carrier, const char *given)
{
    if (!is_given (given))
        return carrier == ACCOUNTS_CARRIER_META ? "https://graph.facebook.com/v23.0"
                                                : "https://api.telnyx.com/v2";
    size_t length = strlen (given);
    while (length > 0 && given[length - 1] == '/')
        length--;
    return arena_strndup (t->arena, given, length);
}

static void take (const char **to, const char *given)
{
    if (given)
        *to = given;
}

/* What is given, over what was there; then checked as a whole and sealed. */
static int carrier_fill (turn_t *t, const accounts_carrier_set_in_t *in,
                         accounts_carrier_account_t *row)
{
    accounts_carrier_secrets_t secrets = {0};
    int code = plain_check_all (t, in);
    if (code == 0)
        code = secrets_open (t, row, &secrets);
    if (code)
        return code;
    take (&row->name, in->name);
    take (&row->waba, in->waba);
    take (&row->profile, in->profile);
    take (&row->public_key, in->public_key);
    take (&secrets.token, in->token);
    take (&secrets.app_secret, in->app_secret);
    take (&secrets.verify_token, in->verify_token);
    if (in->base_url || !row->base_url)
        row->base_url = base_url_of (t, row->carrier, in->base_url);
    code = row->carrier == ACCOUNTS_CARRIER_META ? meta_check (t, row, &secrets)
                                                 : telnyx_check (t, row, &secrets);
    return code ? code : secrets_seal (t, &secrets, row);
}

static int carrier_new (turn_t *t, const accounts_carrier_set_in_t *in,
                        accounts_carrier_account_t *row)
{
    id16_t org;
    if (in->carrier != ACCOUNTS_CARRIER_META && in->carrier != ACCOUNTS_CARRIER_TELNYX)
        return fail (t, E_BAD_REQUEST, "carrier", "carrier is meta or telnyx");
    int code = org_named (t, in->org, &org);
    if (code)
        return code;
    *row = (accounts_carrier_account_t){.id = turn_id (t),
                                        .org = org,
                                        .carrier = in->carrier,
                                        .created_at = t->now,
                                        .updated_at = t->now,
                                        .version = 1};
    code = carrier_fill (t, in, row);
    return code ? code : store_insert (t->txn, &accounts_carrier_account_record, row, NULL);
}

typedef struct number_list {
    accounts_number_t *rows;
    size_t count;
} number_list_t;

static int number_take (void *context, const void *row)
{
    number_list_t *list = context;
    list->rows[list->count++] = *(const accounts_number_t *) row;
    return 0;
}

/* What is told of a number names its business account. */
static int numbers_tell (turn_t *t, id16_t account)
{
    store_key_t key = {.id = account};
    store_page_t page = {
        .index = "by_account", .keys = &key, .key_count = 1, .limit = NUMBERS_MOST};
    number_list_t list = {arena_array_of (t->arena, accounts_number_t, NUMBERS_MOST), 0};
    int code =
        store_list (t->txn, &accounts_number_record, &page, t->arena, number_take, &list, NULL);
    for (size_t i = 0; i < list.count && code == 0; i++)
        code = number_change (t, &list.rows[i]);
    return code;
}

static int carrier_change (turn_t *t, const accounts_carrier_set_in_t *in,
                           accounts_carrier_account_t *row)
{
    int code = store_get_any (t->txn, &accounts_carrier_account_record, in->id, t->arena, row);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such carrier account") : code;
    if (in->carrier && in->carrier != row->carrier)
        return fail (t, E_CONFLICT, "carrier", "The carrier of an account cannot be changed");
    row->version += 1;
    row->updated_at = t->now;
    const char *waba = row->waba ? row->waba : "";
    code = carrier_fill (t, in, row);
    if (code == 0)
        code = store_put (t->txn, &accounts_carrier_account_record, row, NULL);
    bool moved = code == 0 && strcmp (waba, row->waba ? row->waba : "") != 0;
    return moved ? numbers_tell (t, row->id) : code;
}

int accounts_carrier_set (turn_t *t, const accounts_carrier_set_in_t *in,
                          accounts_carrier_info_t *out)
{
    accounts_carrier_account_t row = {0};
    int code = id_is_nil (in->id) ? carrier_new (t, in, &row) : carrier_change (t, in, &row);
    if (code == 0)
        code = carrier_event (t, &row, false);
    return code ? code : carrier_info (t, &row, out);
}

/* ---- listing and deleting ---- */

typedef struct carrier_page {
    turn_t *t;
    accounts_carrier_info_t *items;
    size_t count;
} carrier_page_t;

static int carrier_page_add (void *context, const void *row)
{
    carrier_page_t *page = context;
    return carrier_info (page->t, row, &page->items[page->count++]);
}

int accounts_carrier_list (turn_t *t, const accounts_carrier_list_in_t *in,
                           accounts_carrier_list_out_t *out)
{
    (void) in;
    carrier_page_t list = {t, arena_array_of (t->arena, accounts_carrier_info_t, LISTED_MOST), 0};
    store_page_t page = {.limit = LISTED_MOST};
    bool more = false;
    int code = store_list (t->txn, &accounts_carrier_account_record, &page, t->arena,
                           carrier_page_add, &list, &more);
    out->accounts = (schema_list_t){list.items, list.count};
    return code;
}

int accounts_carrier_delete (turn_t *t, const accounts_carrier_delete_in_t *in,
                             accounts_carrier_delete_out_t *out)
{
    (void) out;
    accounts_carrier_account_t row = {0};
    accounts_carrier_info_t info;
    int code = store_get_any (t->txn, &accounts_carrier_account_record, in->id, t->arena, &row);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "id", "No such carrier account") : code;
    code = carrier_info (t, &row, &info);
    if (code == 0 && info.numbers)
        return fail (t, E_CONFLICT, "id", "%d numbers go through this account", (int) info.numbers);
    if (code == 0)
        code = store_del (t->txn, &accounts_carrier_account_record, row.id);
    row.version += 1;
    return code ? code : carrier_event (t, &row, true);
}

int carrier_for_number (turn_t *t, id16_t org, int32_t channel, id16_t id,
                        accounts_carrier_account_t *out)
{
    if (id_is_nil (id))
        return fail (t, E_BAD_REQUEST, "account",
                     "A live number needs a carrier account; `aviary carrier add` makes one");
    int code = store_get (t->txn, &accounts_carrier_account_record, org, id, t->arena, out);
    if (code)
        return code == E_NOT_FOUND ? fail (t, code, "account", "No such carrier account") : code;
    int32_t carrier =
        channel == ACCOUNTS_CHANNEL_SMS ? ACCOUNTS_CARRIER_TELNYX : ACCOUNTS_CARRIER_META;
    if (out->carrier != carrier)
        return fail (t, E_BAD_REQUEST, "account",
                     "A number of channel %s goes through an account at %s",
                     schema_enum_word (&accounts_channel_enum, channel),
                     schema_enum_word (&accounts_carrier_enum, carrier));
    return 0;
}
