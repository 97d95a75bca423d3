/* chirp_error.c - Chirp's error envelope: {"error": {type, code?, message, doc_url?, param?, provider?}}; absent fields are left out.
 *
 * Types, words and statuses come from the dialect's table. A field that the core names is told by the name that the client used. */
#include "dialect/chirp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the object ---- */

static void add_member (buf_t *out, const char *name, const char *value)
{
    buf_printf (out, ",\"%s\":", name);
    schema_json_string (out, value);
}

static bool is_number (const char *text)
{
    size_t length = strlen (text);
    return length > 0 && length < 16 && strspn (text, "0123456789") == length &&
           (text[0] != '0' || length == 1);
}

/* Native codes are numbers at Meta and strings at Telnyx. */
static void add_provider (buf_t *out, const messaging_provider_error_t *provider)
{
    bool meta = provider->source && strcmp (provider->source, "meta") == 0;
    const char *code = provider->code ? provider->code : "";
    buf_printf (out, ",\"provider\":{\"source\":\"%s\",\"code\":", meta ? "meta" : "telnyx");
    if (meta && is_number (code))
        buf_add_str (out, code);
    else if (meta && provider->number)
        buf_printf (out, "%" PRId64, provider->number);
    else
        schema_json_string (out, code);
    add_member (out, "message", provider->message ? provider->message : "");
    if (provider->fbtrace_id)
        add_member (out, "fbtrace_id", provider->fbtrace_id);
    buf_add_byte (out, '}');
}

/* What a carrier refuses is not the caller's lack of rights, whatever the class of the code. */
static const char *type_of (const schema_public_error_t *look, const chirp_error_t *error)
{
    error_class_t class = error_class (error->code);
    if (error->provider && (class == EC_FORBIDDEN || class == EC_AUTH))
        return "provider_error";
    return look ? look->type : "api_error";
}

void chirp_error_object (const dialect_t *d, const chirp_error_t *error, buf_t *out)
{
    const schema_public_error_t *look = schema_public_error_find (d->schema, error->code);
    const char *text = error->text;
    if (error_class (error->code) == EC_INTERNAL || !text || !*text)
        text = error_doc (error->code); /* the inside of a fault of ours is in the log */
    buf_printf (out, "{\"type\":\"%s\"", type_of (look, error));
    if (look && look->word)
        add_member (out, "code", look->word);
    add_member (out, "message", *text ? text : "Something went wrong.");
    if (look && look->word && error->docs_url) {
        buf_add_str (out, ",\"doc_url\":");
        char url[512];
        snprintf (url, sizeof url, "%s#%s", error->docs_url, look->word);
        schema_json_string (out, url);
    }
    if (error->param && *error->param)
        add_member (out, "param", error->param);
    if (error->provider)
        add_provider (out, error->provider);
    buf_add_byte (out, '}');
}

int chirp_error_render (const dialect_t *d, const failure_t *failure, const dialect_blame_t *blame,
                        buf_t *out)
{
    static const dialect_blame_t nothing = {0};
    char param[FAILURE_FIELD_SIZE];
    if (!blame)
        blame = &nothing;
    if (blame->op && blame->core)
        dialect_field_name (blame->op, failure->field, param);
    else
        snprintf (param, sizeof param, "%s", failure->field);
    chirp_error_t error = {.code = failure->code,
                           .text = failure->text,
                           .param = param,
                           .docs_url = blame->docs_url,
                           .provider = blame->provider};
    buf_add_str (out, "{\"error\":");
    chirp_error_object (d, &error, out);
    buf_add_byte (out, '}');
    return blame->status ? blame->status : dialect_error_status (d, failure->code);
}
