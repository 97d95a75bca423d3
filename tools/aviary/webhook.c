/* webhook.c - checking and reading deliveries. Nothing that a body or a header holds can do more than fail the check. */
#include "webhook.h"

#include "sign/sign.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool timestamp_fits (const char *text, int64_t now_ms, int64_t *out)
{
    char *end;
    long long seconds = strtoll (text, &end, 10), now = now_ms / 1000;
    *out = seconds;
    return end != text && !*end && seconds > 0 && seconds < (1LL << 40) &&
           seconds <= now + WEBHOOK_TOLERANCE_S && seconds >= now - WEBHOOK_TOLERANCE_S;
}

/* Is `want` among the signatures, which are parted by spaces? */
static bool listed (char *signatures, const char *want)
{
    bool found = false;
    char *rest = signatures;
    for (char *one; (one = strsep (&rest, " "));)
        found |= strlen (one) == strlen (want) && sign_equal (one, want, strlen (want));
    return found;
}

bool webhook_check (const hook_t *hook, const char *secret, int64_t now_ms, char why[WEBHOOK_TEXT])
{
    char id[256], timestamp[32], signatures[1024];
    int64_t at_s;
    why[0] = '\0';
    if (!hook_header (hook, "webhook-id", id, sizeof id) ||
        !hook_header (hook, "webhook-timestamp", timestamp, sizeof timestamp) ||
        !hook_header (hook, "webhook-signature", signatures, sizeof signatures)) {
        snprintf (
            why, WEBHOOK_TEXT,
            "one of the headers webhook-id, webhook-timestamp and webhook-signature is missing");
        return false;
    }
    if (!timestamp_fits (timestamp, now_ms, &at_s)) {
        snprintf (why, WEBHOOK_TEXT, "its timestamp is more than five minutes from now");
        return false;
    }
    buf_t want = {0};
    bool same = !sign_webhook (secret, id, at_s, hook->body, &want) &&
                listed (signatures, buf_text (&want));
    buf_free (&want);
    if (!same)
        snprintf (why, WEBHOOK_TEXT, "the signature is not that of this webhook's secret");
    return same;
}

static void text_take (const cJSON *object, const char *name, char *out, size_t size)
{
    const char *text = cJSON_GetStringValue (cJSON_GetObjectItemCaseSensitive (object, name));
    size_t length = text ? strlen (text) : 0;
    size_t kept = 0;
    for (size_t i = 0; i < length && kept + 1 < size;
         i++) /* it goes to a terminal: no control characters */
        out[kept++] = (unsigned char) text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
    out[kept] = '\0';
}

void webhook_read (bytes_t body, webhook_told_t *out)
{
    memset (out, 0, sizeof *out);
    cJSON *root = body.size ? cJSON_ParseWithLength ((const char *) body.data, body.size) : NULL;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive (root, "data");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive (data, "message");
    const cJSON *text = cJSON_GetObjectItemCaseSensitive (message, "text");
    text_take (root, "event", out->event, sizeof out->event);
    text_take (message, "id", out->id, sizeof out->id);
    text_take (message, "from", out->from, sizeof out->from);
    text_take (message, "to", out->to, sizeof out->to);
    if (cJSON_IsObject (text))
        text_take (text, "body", out->text, sizeof out->text);
    else
        text_take (message, "text", out->text, sizeof out->text);
    cJSON_Delete (root);
}
