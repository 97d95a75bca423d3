/* kirim_error.c - Kirim's error envelope: {"error": {type, code, message, param?, request_id}}.
 *
 * Types, codes and statuses come from the dialect's table; a bad request that names no field is one of the whole request. */
#include "dialect/kirim.h"

#include <stdio.h>
#include <string.h>

static void add_member (buf_t *out, const char *name, const char *value)
{
    buf_printf (out, ",\"%s\":", name);
    schema_json_string (out, value);
}

/* What is wrong with the body as such is nothing of a field. */
static bool is_of_body (const char *param)
{
    return strcmp (param, "Content-Type") == 0;
}

static const char *code_of (const schema_public_error_t *look, int code, const char *param)
{
    if (code == E_BAD_REQUEST && !*param)
        return "invalid_request";
    return look && look->word ? look->word : "internal_error";
}

int kirim_error_render (const dialect_t *d, const failure_t *failure, const dialect_blame_t *blame,
                        buf_t *out)
{
    static const dialect_blame_t nothing = {0};
    const schema_public_error_t *look = schema_public_error_find (d->schema, failure->code);
    char param[FAILURE_FIELD_SIZE];
    if (!blame)
        blame = &nothing;
    if (blame->op && blame->core)
        dialect_field_name (blame->op, failure->field, param);
    else
        snprintf (param, sizeof param, "%s", is_of_body (failure->field) ? "" : failure->field);
    const char *text = failure->text;
    if (error_class (failure->code) == EC_INTERNAL || !*text)
        text = error_doc (failure->code); /* the inside of a fault of ours is in the log */
    buf_printf (out, "{\"error\":{\"type\":\"%s\"", look ? look->type : "api_error");
    add_member (out, "code", code_of (look, failure->code, param));
    add_member (out, "message", *text ? text : "Something went wrong.");
    if (*param)
        add_member (out, "param", param);
    add_member (out, "request_id", blame->request_id ? blame->request_id : "");
    buf_add_str (out, "}}");
    return blame->status ? blame->status : dialect_error_status (d, failure->code);
}
