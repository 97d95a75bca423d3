/* meta_media.c - files to Meta and from it.
 *
 * Up: one multipart POST whose middle is the file itself, streamed. Down: an id gives a URL that lives five minutes and wants the token; the token goes to
 * https only, or to where the account's own base URL is (a simulator). */
#include "provider/meta.h"

#include "base/text.h"
#include <strings.h>

enum { BOUNDARY_SIZE = 40, TRANSFER_MS = 300000 };

/* What stands in a quoted parameter of a multipart header, as browsers write it. */
static void put_quoted (buf_t *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char) *text;
        if (c < 0x20 || c == '"' || c == 0x7f)
            buf_printf (out, "%%%02X", c);
        else
            buf_add_byte (out, c);
    }
}

static void put_part (buf_t *out, const char *boundary, const char *name, const char *value)
{
    buf_printf (out, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", boundary,
                name, value);
}

int meta_media_upload (turn_t *t, const provider_account_t *account, const char *number_ref,
                       const char *path, uint64_t size, const char *mime_type, const char *filename,
                       outbound_t *out)
{
    char boundary[BOUNDARY_SIZE + 1];
    if (!mime_type || !text_is_header_value (mime_type))
        return fail (t, E_BAD_REQUEST, "mime_type", "The file has no proper type");
    sign_random_base62 (boundary, BOUNDARY_SIZE);
    buf_t head = buf_in (t->arena), tail = buf_in (t->arena);
    put_part (&head, boundary, "messaging_product", "whatsapp");
    put_part (&head, boundary, "type", mime_type);
    buf_printf (&head, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"",
                boundary);
    put_quoted (&head, filename && *filename ? filename : "file");
    buf_printf (&head, "\"\r\nContent-Type: %s\r\n\r\n", mime_type);
    buf_printf (&tail, "\r\n--%s--\r\n", boundary);
    if (buf_failed (&head) || buf_failed (&tail))
        return fail (t, E_NO_MEMORY, NULL, "No memory for a request to Meta");
    const char *type = arena_printf (t->arena, "multipart/form-data; boundary=%s", boundary);
    int code = meta_request (t, account, "POST", meta_url (t, account, number_ref, "/media"), type,
                             buf_bytes (&head), out);
    if (code)
        return code;
    out->request.body_file = path;
    out->request.body_file_size = size;
    out->request.body_tail = buf_bytes (&tail);
    out->request.timeout_ms = TRANSFER_MS;
    return 0;
}

/* An upload can be repeated without harm, so none is ever unknown. */
const char *meta_media_uploaded (turn_t *t, const outcome_t *outcome, provider_result_t *result)
{
    meta_answer (t, outcome, result);
    if (result->word == PROVIDER_UNKNOWN)
        result->word = PROVIDER_RETRY;
    if (outcome->stage == FETCH_NOT_SENT && outcome->code == E_NOT_FOUND) {
        result->word = PROVIDER_REFUSED;
        result->fault = provider_fault (true, "131053");
    }
    if (result->word == PROVIDER_ACCEPTED && result->id_count == 0)
        *result =
            (provider_result_t){.word = PROVIDER_RETRY, .fault = provider_fault (true, "500")};
    return result->word == PROVIDER_ACCEPTED ? result->ids[0] : NULL;
}

int meta_media_locate (turn_t *t, const provider_account_t *account, const char *provider_id,
                       outbound_t *out)
{
    return meta_request (t, account, "GET", meta_url (t, account, provider_id, NULL), NULL,
                         (bytes_t){0}, out);
}

const char *meta_media_located (turn_t *t, const outcome_t *outcome)
{
    bytes_t root;
    bool good = outcome->stage == FETCH_ANSWERED && outcome->status == 200 &&
                jval_read (t->arena, outcome->body, &root, NULL) == 0;
    return good ? jval_word (t->arena, root, "url") : NULL;
}

/* Length of "scheme://host:port". */
static size_t origin_length (const char *url)
{
    const char *host = strstr (url, "://");
    return host ? (size_t) (host - url) + 3 + strcspn (host + 3, "/?#\\") : 0;
}

static bool is_same_origin (const char *a, const char *b)
{
    size_t length = origin_length (a);
    return length > 0 && length == origin_length (b) && strncasecmp (a, b, length) == 0;
}

int meta_media_fetch (turn_t *t, const provider_account_t *account, const char *url,
                      outbound_t *out)
{
    bool own = url && account->base_url && is_same_origin (url, account->base_url);
    if (!url || (!own && strncasecmp (url, "https://", 8) != 0))
        return fail (t, E_BAD_REQUEST, "url", "Not an address that Meta's token may be sent to");
    int code = meta_request (t, account, "GET", url, NULL, (bytes_t){0}, out);
    out->request.guarded = !own;
    out->request.timeout_ms = TRANSFER_MS;
    return code;
}
