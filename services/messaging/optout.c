/* optout.c - people who want no more messages from a number: an SMS that is one word of a list says so, another takes it back.
 *
 * Kept per number and person. What was accepted for them before goes nowhere either: a send asks at the moment it would go out. */
#include "gen/accounts.h"
#include "messaging.h"
#include <string.h>
#include <strings.h>

bool optout_holds (turn_t *t, id16_t number, const char *peer, messaging_optout_t *out)
{
    messaging_optout_t row = {0};
    store_key_t keys[] = {{.id = number}, {.str = peer}};
    return store_find (t->txn, &messaging_optout_record, "by_pair", keys, 2, t->arena,
                       out ? out : &row) == 0;
}

/* ---- words ---- */

static bool is_blank (char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim (const char **text, size_t *length)
{
    while (*length && is_blank (**text)) {
        *text += 1;
        *length -= 1;
    }
    while (*length && is_blank ((*text)[*length - 1]))
        *length -= 1;
}

static bool is_word_of (const char *list, const char *text)
{
    size_t length = strlen (text);
    trim (&text, &length);
    for (const char *at = list; length && at && *at;) {
        const char *word = at;
        size_t word_length = strcspn (at, ",");
        at = at[word_length] ? at + word_length + 1 : NULL;
        trim (&word, &word_length);
        if (word_length == length && strncasecmp (word, text, length) == 0)
            return true;
    }
    return false;
}

static int32_t keyword_of (const messaging_settings_t *settings, const char *text)
{
    if (is_word_of (settings->opt_out_words, text))
        return MESSAGING_KEYWORD_OPT_OUT;
    if (is_word_of (settings->opt_in_words, text))
        return MESSAGING_KEYWORD_OPT_IN;
    return is_word_of (settings->help_words, text) ? MESSAGING_KEYWORD_HELP : 0;
}

static int optout_add (turn_t *t, const messaging_message_t *message)
{
    messaging_optout_t row = {.id = turn_id (t),
                              .org = message->org,
                              .number_id = message->number,
                              .peer = message->from,
                              .number = ((const char *const *) message->to.items)[0],
                              .at = t->now,
                              .message = message->id};
    turn_count (t, MESSAGING_COUNTER_OPTOUTS_TOTAL, 1);
    return store_insert (t->txn, &messaging_optout_record, &row, NULL);
}

int keyword_take (turn_t *t, const messaging_message_t *message, int32_t *out)
{
    messaging_optout_t held = {0};
    *out = 0;
    if (message->channel != ACCOUNTS_CHANNEL_SMS || !message->text)
        return 0;
    *out = keyword_of (t->settings, message->text);
    if (*out != MESSAGING_KEYWORD_OPT_OUT && *out != MESSAGING_KEYWORD_OPT_IN)
        return 0;
    bool holds = optout_holds (t, message->number, message->from, &held);
    if (*out == MESSAGING_KEYWORD_OPT_OUT)
        return holds ? 0 : optout_add (t, message);
    return holds ? store_del (t->txn, &messaging_optout_record, held.id) : 0;
}

/* ---- for the command line ---- */

enum { CLEAR_MAX = 500 };

static int optout_note (void *context, const void *row)
{
    schema_list_t *list = context;
    ((messaging_optout_t *) list->items)[list->count++] = *(const messaging_optout_t *) row;
    return 0;
}

int messaging_optout_list (turn_t *t, const messaging_optout_list_in_t *in,
                           messaging_optout_list_out_t *out)
{
    store_key_t key = {.str = in->number};
    store_page_t page = {.after = in->after, .limit = (size_t) in->limit};
    if (in->number) {
        page.index = "by_number";
        page.keys = &key;
        page.key_count = 1;
    }
    out->optouts.items = arena_array_of (t->arena, messaging_optout_t, (size_t) in->limit);
    return store_list (t->txn, &messaging_optout_record, &page, t->arena, optout_note,
                       &out->optouts, &out->more);
}

int messaging_optout_clear (turn_t *t, const messaging_optout_clear_in_t *in,
                            messaging_optout_clear_out_t *out)
{
    schema_list_t found = {arena_array_of (t->arena, messaging_optout_t, CLEAR_MAX), 0};
    store_key_t key = {.str = in->peer};
    store_page_t page = {.index = "by_peer", .keys = &key, .key_count = 1, .limit = CLEAR_MAX};
    bool more = false;
    int code =
        store_list (t->txn, &messaging_optout_record, &page, t->arena, optout_note, &found, &more);
    for (size_t i = 0; i < found.count && code == 0; i++) {
        const messaging_optout_t *row = (const messaging_optout_t *) found.items + i;
        if (in->number && strcmp (in->number, row->number) != 0)
            continue;
        code = store_del (t->txn, &messaging_optout_record, row->id);
        out->cleared++;
    }
    return code;
}
