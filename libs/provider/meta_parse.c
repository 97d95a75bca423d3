/* meta_parse.c - a callback of Meta's as events: entries, their changes, and in these messages, statuses and template news.
 *
 * Batches are normal. Fields, types and members that are unknown are passed over, an item that is none is left out and the rest goes on; only what is no
 * callback of a WhatsApp account at all fails. */
#include "provider/meta.h"

#include "base/text.h"

typedef struct meta_batch {
    turn_t *t;
    int (*each) (turn_t *t, const provider_event_t *event, void *context);
    void *context;
    bool alone; /* there is one thing in it all */
} meta_batch_t;

/* ---- text that is no text ---- */

/* \u0000 and halves of surrogate pairs (a name cut in an emoji) would make the whole batch unreadable: they become U+FFFD. */
static unsigned escape_at (const uint8_t *at, const uint8_t *end)
{
    uint8_t two[2];
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u' ||
        text_read_hex ((const char *) at + 2, 4, two, sizeof two) != 2)
        return 0x10000;
    return (unsigned) two[0] << 8 | two[1];
}

static void mend (uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        unsigned unit = escape_at (at, end);
        if (unit >= 0xd800 && unit < 0xdc00 && escape_at (at + 6, end) >= 0xdc00 &&
            escape_at (at + 6, end) < 0xe000) {
            at += 12;
        } else if (unit == 0 || (unit >= 0xd800 && unit < 0xe000)) {
            memcpy (at, "\\ufffd", 6);
            at += 6;
        } else
            at += *at == '\\' && end - at > 1 ? 2 : 1;
    }
}

static int read_mended (turn_t *t, bytes_t raw, bytes_t *out)
{
    if (jval_read (t->arena, raw, out, NULL) == 0)
        return 0;
    uint8_t *copy = raw.size ? arena_memdup (t->arena, raw.data, raw.size) : NULL;
    if (copy)
        mend (copy, copy + raw.size);
    return jval_read (t->arena, bytes_of (copy, copy ? raw.size : 0), out, &t->failure);
}

/* ---- statuses ---- */

static provider_news_t status_news (bytes_t item)
{
    static const struct {
        const char *word;
        provider_news_t news;
    } rows[] = {
        {"sent", NEWS_SENT},   {"delivered", NEWS_DELIVERED}, {"read", NEWS_READ},
        {"played", NEWS_READ}, {"failed", NEWS_FAILED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (jval_is (item, "status", rows[i].word))
            return rows[i].news;
    return 0;
}

static void status_error (turn_t *t, bytes_t item, provider_event_t *event)
{
    bytes_t error = jval_find (item, "errors.0");
    event->fault = meta_fault (t->arena, error, &event->native_text);
    event->fbtrace_id = meta_cut (t->arena, jval_word (t->arena, error, "fbtrace_id"), 100);
}

static int take_status (meta_batch_t *b, bytes_t value, bytes_t item)
{
    arena_t *arena = b->t->arena;
    provider_event_t event = {
        .news = status_news (item), .whatsapp = true, .raw = item, .alone = b->alone};
    event.provider_id = jval_word (arena, item, "id");
    if (!event.news || !event.provider_id || jval_is (item, "type", "call"))
        return 0;
    event.at = meta_time (b->t, item, "timestamp");
    event.number_ref = jval_code (arena, value, "metadata.phone_number_id");
    event.from = meta_e164 (arena, jval_word (arena, value, "metadata.display_phone_number"));
    event.to = meta_e164 (arena, jval_word (arena, item, "recipient_id"));
    const char *token = jval_word (arena, item, "biz_opaque_callback_data");
    if (token)
        id_read_uuid (token, strlen (token), &event.token);
    if (event.news == NEWS_FAILED)
        status_error (b->t, item, &event);
    return b->each (b->t, &event, b->context);
}

/* ---- messages ---- */

static int take_message (meta_batch_t *b, bytes_t value, bytes_t item)
{
    provider_event_t event = {0};
    if (!meta_inbound (b->t, value, item, &event))
        return 0;
    event.alone = b->alone;
    return b->each (b->t, &event, b->context);
}

static int take_list (meta_batch_t *b, bytes_t value, const char *name,
                      int (*take) (meta_batch_t *b, bytes_t value, bytes_t item))
{
    jval_list_t list = jval_list (value, name);
    bytes_t item;
    int code = 0;
    while (code == 0 && jval_next (&list, &item))
        if (jval_is_map (item, ""))
            code = take (b, value, item);
    return code;
}

/* ---- templates ---- */

static bool is_template_field (bytes_t change)
{
    static const char *const fields[] = {
        "message_template_status_update", "message_template_components_update",
        "message_template_quality_update", "template_category_update"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (jval_is (change, "field", fields[i]))
            return true;
    return false;
}

/* What changed is read anew from Meta, so that only which template counts. Its id is a number here. */
static int take_template (meta_batch_t *b, bytes_t entry, bytes_t value)
{
    provider_event_t event = {.news = NEWS_TEMPLATE, .whatsapp = true};
    event.at = meta_time (b->t, entry, "time");
    event.template_id = jval_code (b->t->arena, value, "message_template_id");
    return event.template_id ? b->each (b->t, &event, b->context) : 0;
}

/* ---- the frame ---- */

static size_t list_count (bytes_t value, const char *name)
{
    jval_list_t list = jval_list (value, name);
    bytes_t item;
    size_t count = 0;
    while (jval_next (&list, &item))
        count++;
    return count;
}

/* How many things the changes of an entry say, whatever they are. */
static size_t entry_count (bytes_t entry)
{
    jval_list_t changes = jval_list (entry, "changes");
    bytes_t change;
    size_t count = 0;
    while (jval_next (&changes, &change)) {
        bytes_t value = jval_find (change, "value");
        size_t items = list_count (value, "messages") + list_count (value, "statuses");
        count += items ? items : 1;
    }
    return count;
}

static bool is_alone (bytes_t root)
{
    jval_list_t entries = jval_list (root, "entry");
    bytes_t entry;
    size_t count = 0;
    while (count < 2 && jval_next (&entries, &entry))
        count += entry_count (entry);
    return count == 1;
}

static int take_change (meta_batch_t *b, bytes_t entry, bytes_t change)
{
    bytes_t value = jval_find (change, "value");
    if (!jval_is_map (value, ""))
        return 0;
    if (is_template_field (change))
        return take_template (b, entry, value);
    if (!jval_is (change, "field", "messages"))
        return 0;
    int code = take_list (b, value, "messages", take_message);
    return code ? code : take_list (b, value, "statuses", take_status);
}

int meta_parse (turn_t *t, bytes_t raw,
                int (*each) (turn_t *t, const provider_event_t *event, void *context),
                void *context)
{
    meta_batch_t batch = {.t = t, .each = each, .context = context};
    bytes_t root, entry;
    int code = read_mended (t, raw, &root);
    if (code)
        return code;
    if (!jval_is (root, "object", "whatsapp_business_account"))
        return fail (t, E_BAD_REQUEST, "object", "Not a callback of a WhatsApp account");
    batch.alone = is_alone (root);
    jval_list_t entries = jval_list (root, "entry");
    while (code == 0 && jval_next (&entries, &entry))
        code = take_list (&batch, entry, "changes", take_change);
    return code;
}
