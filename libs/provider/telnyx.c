/* telnyx.c - SMS and MMS through Telnyx's API v2: sends, what is answered to them, and its media.
 *
 * Telnyx has no idempotency key. The recipient's id goes along in the query of a webhook URL of the message's own, so that a send whose answer was lost
 * is settled by its callbacks; nothing is repeated but what did not leave, and what Telnyx (429, 5xx, a full queue) asks to repeat. An answer that
 * cannot be read is `unknown` if it says success, else a refusal with the carrier's general error. */
#include "provider/telnyx.h"

#include "provider/json.h"
#include <stdlib.h>

enum { WORDS_MAX = 240 };

/* ---- faults ---- */

/* At most WORDS_MAX bytes, cut between characters. */
static const char *words_cut (arena_t *arena, const char *text)
{
    size_t length = strnlen (text, WORDS_MAX);
    while (text[length] && length > 0 && ((uint8_t) text[length] & 0xc0) == 0x80)
        length--;
    return arena_strndup (arena, text, length);
}

const provider_fault_t *telnyx_fault (arena_t *arena, bytes_t holder, const char **words)
{
    bytes_t error = jval_find (holder, "errors.0");
    const char *code = jval_code (arena, error, "code");
    const char *title = jval_word (arena, error, "title");
    const char *detail = jval_word (arena, error, "detail");
    if (words && (title || detail))
        *words = words_cut (arena, title && detail ? arena_printf (arena, "%s: %s", title, detail)
                                   : title         ? title
                                                   : detail);
    if (!code)
        return error.size ? provider_fault (false, "500") : NULL;
    const provider_fault_t *fault = provider_fault (false, code);
    if (strcmp (fault->native, code) == 0)
        return fault;
    provider_fault_t *own = arena_memdup (arena, fault, sizeof *fault);
    own->native = words_cut (arena, code);
    own->title = title ? words_cut (arena, title) : fault->title;
    return own;
}

/* ---- sends ---- */

const char *const *telnyx_headers (turn_t *t, const provider_account_t *account, bool has_body)
{
    const char **headers = arena_array_of (t->arena, const char *, 4);
    size_t count = 0;
    headers[count++] = "Accept: application/json";
    if (has_body)
        headers[count++] = "Content-Type: application/json";
    headers[count] = arena_printf (t->arena, "Authorization: Bearer %s", account->token);
    return headers;
}

/* Callbacks of this message come to the account's address with our token in the query. */
static const char *callback_url (turn_t *t, const provider_message_t *message)
{
    const char *url = message->account->callback_url;
    if (!url || !*url)
        return NULL;
    char token[ID_UUID_LENGTH + 1];
    id_write_uuid (message->token, token);
    return arena_printf (t->arena, "%s%ct=%s", url, strchr (url, '?') ? '&' : '?', token);
}

static void put_media_urls (buf_t *out, const provider_message_t *message)
{
    if (message->media_url_count == 0)
        return;
    buf_add_str (out, ",\"media_urls\":");
    for (size_t i = 0; i < message->media_url_count; i++) {
        buf_add_byte (out, i == 0 ? '[' : ',');
        schema_json_string (out, message->media_urls[i]);
    }
    buf_add_byte (out, ']');
}

static void put_message (turn_t *t, const provider_message_t *message, buf_t *out)
{
    bool mms = message->kind == MESSAGING_KIND_MMS || message->media_url_count > 0;
    const char *profile = message->account->profile, *url = callback_url (t, message);
    buf_add_byte (out, '{');
    jval_put_text (out, "from", message->from);
    jval_put_text (out, "to", message->to);
    jval_put_text (out, "type", mms ? "MMS" : "SMS");
    jval_put_text (out, "text", message->text && *message->text ? message->text : NULL);
    jval_put_text (out, "subject", mms ? message->subject : NULL);
    put_media_urls (out, message);
    jval_put_text (out, "messaging_profile_id", profile && *profile ? profile : NULL);
    jval_put_text (out, "webhook_url", url);
    if (url)
        jval_put_bool (out, "use_profile_webhooks", false);
    buf_add_byte (out, '}');
}

static int telnyx_send (turn_t *t, const provider_message_t *message, outbound_t *out)
{
    const provider_account_t *account = message->account;
    if (!account || !account->base_url || !account->token)
        return fail (t, E_UNAVAILABLE, NULL, "The Telnyx account has no address or no key");
    buf_t body = buf_in (t->arena);
    put_message (t, message, &body);
    if (buf_failed (&body))
        return fail (t, E_NO_MEMORY, NULL, "No memory for a send through Telnyx");
    out->how = OUT_HTTP;
    out->request = (fetch_request_t){
        .method = "POST",
        .url = arena_printf (t->arena, "%s/messages", account->base_url),
        .headers = telnyx_headers (t, account, true),
        .body = buf_bytes (&body),
    };
    return 0;
}

/* ---- answers ---- */

/* Codes that Telnyx gives with a 4xx status though the same request can succeed a little later. */
static bool invites_repeat (const char *native)
{
    static const char *const codes[] = {"10007", "10008", "10011", "10036",
                                        "10037", "40011", "40318"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp (codes[i], native) == 0)
            return true;
    return false;
}

static int64_t rate_reset_ms (const outcome_t *outcome)
{
    fetch_answer_t answer = {.headers = outcome->headers};
    bytes_t value;
    if (!outcome->headers || !fetch_header (&answer, "x-ratelimit-reset", &value))
        return 0;
    int64_t seconds = 0;
    for (size_t i = 0; i < value.size && value.data[i] >= '0' && value.data[i] <= '9' && i < 6; i++)
        seconds = seconds * 10 + (value.data[i] - '0');
    return seconds > 3600 ? 3600 * 1000 : seconds * 1000;
}

static const provider_fault_t *fault_of_status (int status)
{
    static const struct {
        int status;
        const char *native;
    } rows[] = {{401, "10009"}, {402, "20100"}, {403, "10010"}, {404, "10005"}, {429, "10011"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return provider_fault (false, rows[i].native);
    return provider_fault (false, status >= 500 ? "503" : "500");
}

static void answer_taken (turn_t *t, bytes_t body, provider_result_t *out)
{
    out->ids[0] = jval_word (t->arena, body, "data.id");
    out->id_count = out->ids[0] != NULL;
    out->word = out->id_count ? PROVIDER_ACCEPTED : PROVIDER_UNKNOWN;
}

static void telnyx_answer (turn_t *t, const outcome_t *outcome, provider_result_t *out)
{
    *out = (provider_result_t){.word = PROVIDER_RETRY, .retry_after_ms = outcome->retry_after_ms};
    if (outcome->stage == FETCH_SENT)
        out->word = PROVIDER_UNKNOWN;
    if (outcome->stage != FETCH_ANSWERED)
        return;
    bytes_t body = {0};
    int status = outcome->status;
    if (jval_read (t->arena, outcome->body, &body, NULL))
        body = (bytes_t){0};
    if (status >= 200 && status < 300) {
        answer_taken (t, body, out);
        return;
    }
    out->fault = telnyx_fault (t->arena, body, &out->native_text);
    if (!out->fault || (status >= 500 && !strcmp (out->fault->native, "500")))
        out->fault = fault_of_status (status);
    bool again =
        status == 408 || status == 429 || status >= 500 || invites_repeat (out->fault->native);
    if (!again)
        out->word = PROVIDER_REFUSED;
    else if (out->retry_after_ms == 0)
        out->retry_after_ms = rate_reset_ms (outcome);
}

/* ---- media ---- */

/* Scheme and authority of a URL, as text. */
static bytes_t origin_of (const char *url)
{
    const char *host = strstr (url, "://");
    return bytes_of (url, host ? (size_t) (host + 3 - url) + strcspn (host + 3, "/?#\\") : 0);
}

static bool ends_with (bytes_t text, const char *end)
{
    size_t size = strlen (end);
    return text.size > size && memcmp (text.data + text.size - size, end, size) == 0;
}

/* The account's key goes to Telnyx only. Media mostly lie behind signed links of a storage service, which refuses a second credential. */
static int telnyx_media_fetch (turn_t *t, const provider_account_t *account, const char *url,
                               outbound_t *out)
{
    if (!account || !account->base_url || !account->token)
        return fail (t, E_UNAVAILABLE, NULL, "The Telnyx account has no address or no key");
    bytes_t origin = origin_of (url);
    bool same = origin.size > 0 && bytes_equal (origin, origin_of (account->base_url));
    bool own = strncmp (url, "https://", 8) == 0 && ends_with (origin, ".telnyx.com") &&
               !memchr (origin.data, '@', origin.size);
    out->how = OUT_HTTP;
    out->request = (fetch_request_t){
        .method = "GET",
        .url = arena_strdup (t->arena, url),
        .headers = same || own ? telnyx_headers (t, account, false) : NULL,
        .guarded = !same,
    };
    return 0;
}

const provider_t provider_telnyx = {
    .name = "telnyx",
    .send = telnyx_send,
    .answer = telnyx_answer,
    .parse = telnyx_parse,
    .verify = telnyx_verify,
    .media_fetch = telnyx_media_fetch,
    .numbers_search = telnyx_numbers_search,
    .numbers_found = telnyx_numbers_found,
    .number_order = telnyx_number_order,
    .number_order_look = telnyx_number_order_look,
    .number_ordered = telnyx_number_ordered,
    .number_look = telnyx_number_look,
    .number_looked = telnyx_number_looked,
    .number_release = telnyx_number_release,
    .number_released = telnyx_number_released,
};
