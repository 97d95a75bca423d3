/* template.c - messaging's own copy of WhatsApp templates, followed from templates, and the check of one that is to be sent.
 *
 * Templates that are gone stay as rows with their status and version. Of an account whose templates were never all read nothing is known, so nothing is refused: what
 * does not fit then fails at Meta. */
#include "gen/accounts.h"
#include "gen/templates.h"
#include "messaging.h"
#include "sign/sign.h"
#include <string.h>

/* ---- following ---- */

/* In an arena with a trap: a hash of a part would be another's. */
static id16_t key_of (arena_t *arena, const char *name, const char *language)
{
    uint8_t sum[SIGN_SHA256_SIZE];
    id16_t key;
    buf_t text = buf_in (arena);
    buf_add_str (&text, name);
    buf_add_byte (&text, 0);
    buf_add_str (&text, language);
    sign_sha256 (buf_bytes (&text), sum);
    memcpy (key.b, sum, sizeof key.b);
    return key;
}

static int row_find (turn_t *t, id16_t account, id16_t key, messaging_template_t *out)
{
    store_key_t keys[] = {{.id = account}, {.id = key}};
    return store_find (t->txn, &messaging_template_record, "by_key", keys, 2, t->arena, out);
}

/* The same template under another id: the store of templates was made anew. */
static int namesake_drop (turn_t *t, const messaging_template_t *row)
{
    messaging_template_t other = {0};
    int code = row_find (t, row->account, row->key, &other);
    if (code || id_equal (other.id, row->id))
        return code == E_NOT_FOUND ? 0 : code;
    return store_del (t->txn, &messaging_template_record, other.id);
}

int template_changed (turn_t *t, const journal_event_t *event, const void *body)
{
    const templates_template_changed_t *in = body;
    messaging_template_t old = {0};
    if (!in->name || !in->language)
        return 0;
    int code = store_get_any (t->txn, &messaging_template_record, in->id, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    messaging_template_t row = {.id = in->id,
                                .org = in->org,
                                .account = in->account,
                                .key = key_of (t->arena, in->name, in->language),
                                .name = in->name,
                                .language = in->language,
                                .status = in->status,
                                .slots = in->slots,
                                .version = (int64_t) event->version};
    code = namesake_drop (t, &row);
    return code ? code : store_put (t->txn, &messaging_template_record, &row, NULL);
}

int template_account_synced (turn_t *t, const journal_event_t *event, const void *body)
{
    const templates_account_synced_t *in = body;
    messaging_template_account_t old = {0};
    int code =
        store_get_any (t->txn, &messaging_template_account_record, in->account, t->arena, &old);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code == 0 && old.version >= (int64_t) event->version)
        return 0;
    messaging_template_account_t row = {
        .id = in->account, .synced_at = in->at, .version = (int64_t) event->version};
    return store_put (t->txn, &messaging_template_account_record, &row, NULL);
}

/* ---- test numbers ---- */

static int sample_find (turn_t *t, const messaging_template_content_t *content,
                        messaging_template_t *out)
{
    size_t count = 0;
    const provider_sample_t *samples = provider_samples (&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp (samples[i].name, content->name) != 0 ||
            strcmp (samples[i].language, content->language) != 0)
            continue;
        templates_slot_t *slot = arena_new_of (t->arena, templates_slot_t);
        *slot = (templates_slot_t){.part = TEMPLATES_PART_BODY,
                                   .kind = TEMPLATES_SLOT_KIND_TEXT,
                                   .count = samples[i].variables};
        *out = (messaging_template_t){.name = samples[i].name,
                                      .language = samples[i].language,
                                      .slots = {slot, samples[i].variables ? 1 : 0},
                                      .status = TEMPLATES_STATUS_APPROVED};
        return 0;
    }
    return E_NOT_FOUND;
}

/* ---- checking ---- */

static bool is_known (turn_t *t, id16_t account)
{
    messaging_template_account_t row = {0};
    return store_get_any (t->txn, &messaging_template_account_record, account, t->arena, &row) ==
               0 &&
           row.synced_at;
}

static int not_found (turn_t *t, const messaging_template_content_t *content)
{
    return fail (t, E_TEMPLATE_NOT_FOUND, "template.name",
                 "There is no template %.100s in the language %s", content->name,
                 content->language);
}

static int parameters_check (turn_t *t, const messaging_template_t *row,
                             messaging_template_content_t *content)
{
    return content->components.size ? template_given_check (t, row, content->components)
                                    : template_fill (t, row, content);
}

int template_check (turn_t *t, const messaging_route_t *from, messaging_template_content_t *content,
                    bool let_fail)
{
    messaging_template_t row = {0};
    bool sample = from->carrier == ACCOUNTS_CARRIER_LOOPBACK;
    int code = sample ? sample_find (t, content, &row)
                      : row_find (t, from->account,
                                  key_of (t->arena, content->name, content->language), &row);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code || row.status == TEMPLATES_STATUS_DELETED)
        return sample || is_known (t, from->account) ? not_found (t, content) : 0;
    if (let_fail)
        return 0; /* the carrier says what is wrong with one that is there */
    if (row.status != TEMPLATES_STATUS_APPROVED)
        return fail (t, E_TEMPLATE_NOT_FOUND, "template.name",
                     "The template %.100s (%s) is %s; only approved ones can be sent",
                     content->name, content->language,
                     schema_enum_word (&templates_status_enum, row.status));
    return parameters_check (t, &row, content);
}

int template_sample_check (turn_t *t, const messaging_template_content_t *content)
{
    messaging_template_t row = {0};
    messaging_template_content_t copy = *content;
    int code = sample_find (t, content, &row);
    return code ? code : parameters_check (t, &row, &copy);
}
