/* meta.c - the adapter of Meta's WhatsApp Cloud API: its table, its requests, and what its answers mean.
 *
 * Meta has no idempotency key. A send whose answer did not come is unknown and never repeated; our token in biz_opaque_callback_data comes back in each
 * status and settles it. Answers are read by their error code. */
#include "provider/meta.h"

enum { RETRY_AFTER_MAX_MS = 3600000 };

void meta_escape (buf_t *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char) *text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     strchr ("-._~", c);
        if (plain)
            buf_add_byte (out, c);
        else
            buf_printf (out, "%%%02X", c);
    }
}

const char *meta_url (turn_t *t, const provider_account_t *account, const char *id,
                      const char *rest)
{
    if (!account || !account->base_url || !id || !*id)
        return NULL;
    buf_t url = buf_in (t->arena);
    buf_printf (&url, "%s/", account->base_url);
    meta_escape (&url, id);
    if (rest)
        buf_printf (&url, "%s", rest);
    return buf_failed (&url) ? NULL : buf_text (&url);
}

int meta_request (turn_t *t, const provider_account_t *account, const char *method, const char *url,
                  const char *type, bytes_t body, outbound_t *out)
{
    if (!url || !account->token || !*account->token)
        return fail (t, E_BAD_REQUEST, NULL, "The Meta account is not complete");
    const char **headers = arena_array_of (t->arena, const char *, 3);
    if (!headers)
        return fail (t, E_NO_MEMORY, NULL, "No memory for a request to Meta");
    headers[0] = arena_printf (t->arena, "Authorization: Bearer %s", account->token);
    headers[1] = type ? arena_printf (t->arena, "Content-Type: %s", type) : NULL;
    if (!headers[0] || (type && !headers[1]))
        return fail (t, E_NO_MEMORY, NULL, "No memory for a request to Meta");
    out->how = OUT_HTTP;
    out->request =
        (fetch_request_t){.method = method, .url = url, .headers = headers, .body = body};
    return 0;
}

int meta_post (turn_t *t, const provider_account_t *account, const char *id, const char *rest,
               buf_t *json, outbound_t *out)
{
    if (buf_failed (json))
        return fail (t, E_NO_MEMORY, NULL, "No memory for a request to Meta");
    return meta_request (t, account, "POST", meta_url (t, account, id, rest), "application/json",
                         buf_bytes (json), out);
}

int meta_mark_read (turn_t *t, const provider_account_t *account, const char *number_ref,
                    const char *provider_id, bool typing, outbound_t *out)
{
    buf_t json = buf_in (t->arena);
    meta_begin (&json, NULL, '{');
    jval_put_text (&json, "messaging_product", "whatsapp");
    jval_put_text (&json, "status", "read");
    jval_put_text (&json, "message_id", provider_id);
    if (typing)
        buf_add_str (&json, ",\"typing_indicator\":{\"type\":\"text\"}");
    buf_add_byte (&json, '}');
    return meta_post (t, account, number_ref, "/messages", &json, out);
}

/* ---- answers ---- */

/* A status of success: ids of messages, of a file, or only "success". What says none of these may have been done all the same. */
static void answer_good (turn_t *t, bytes_t root, provider_result_t *out)
{
    enum { MOST = sizeof out->ids / sizeof *out->ids };
    jval_list_t messages = jval_list (root, "messages");
    bytes_t item;
    out->word = PROVIDER_ACCEPTED;
    while (out->id_count < MOST && jval_next (&messages, &item)) {
        const char *id = jval_word (t->arena, item, "id");
        if (id)
            out->ids[out->id_count++] = id;
    }
    const char *id = jval_code (t->arena, root, "id");
    if (out->id_count == 0 && id)
        out->ids[out->id_count++] = id;
    if (out->id_count > 0 || jval_bool (root, "success"))
        return;
    out->word = PROVIDER_UNKNOWN;
    out->native_text = "An answer without a message id";
}

static void answer_error (turn_t *t, const outcome_t *outcome, bytes_t error,
                          provider_result_t *out)
{
    int64_t wait = 0;
    out->fault = meta_fault (t->arena, error, &out->native_text);
    out->fbtrace_id = meta_cut (t->arena, jval_word (t->arena, error, "fbtrace_id"), 100);
    bool passes = meta_is_passing (out->fault, &wait) || jval_bool (error, "is_transient");
    if (!passes && jval_code (t->arena, error, "code") == NULL)
        passes = outcome->status >= 500 || outcome->status == 429;
    out->word = passes ? PROVIDER_RETRY : PROVIDER_REFUSED;
    int64_t regain = passes ? meta_regain_ms (outcome->headers) : 0;
    if (passes && wait < regain)
        wait = regain;
    if (passes && out->retry_after_ms < wait)
        out->retry_after_ms = wait;
}

/* No error object: a gateway, a proxy, or half a page. */
static void answer_bare (const outcome_t *outcome, provider_result_t *out)
{
    bool passes = outcome->status >= 500 || outcome->status == 429 || outcome->status == 408;
    out->word = passes ? PROVIDER_RETRY : PROVIDER_REFUSED;
    out->fault = provider_fault (true, outcome->status == 429 ? "130429" : passes ? "503" : "500");
}

void meta_answer (turn_t *t, const outcome_t *outcome, provider_result_t *out)
{
    bytes_t root = {0};
    *out = (provider_result_t){.word = PROVIDER_RETRY, .fault = provider_fault (true, "503")};
    out->retry_after_ms =
        outcome->retry_after_ms < RETRY_AFTER_MAX_MS ? outcome->retry_after_ms : RETRY_AFTER_MAX_MS;
    if (outcome->stage == FETCH_NOT_SENT)
        return;
    if (outcome->stage == FETCH_SENT) {
        out->word = PROVIDER_UNKNOWN;
        return;
    }
    bool good = outcome->status >= 200 && outcome->status < 300;
    if (jval_read (t->arena, outcome->body, &root, NULL))
        root = (bytes_t){0};
    bytes_t error = jval_find (root, "error");
    if (jval_is_map (error, ""))
        answer_error (t, outcome, error, out);
    else if (good && jval_is_map (root, "")) {
        out->fault = NULL;
        answer_good (t, root, out);
    } else if (good)
        out->word = PROVIDER_UNKNOWN;
    else
        answer_bare (outcome, out);
}

const provider_t provider_meta = {
    .name = "meta",
    .send = meta_send,
    .answer = meta_answer,
    .parse = meta_parse,
    .verify = meta_verify,
    .mark_read = meta_mark_read,
    .media_upload = meta_media_upload,
    .media_uploaded = meta_media_uploaded,
    .media_locate = meta_media_locate,
    .media_located = meta_media_located,
    .media_fetch = meta_media_fetch,
    .templates_list = meta_templates_list,
    .templates_read = meta_templates_read,
};
