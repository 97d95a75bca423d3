/* openapi.c - the served OpenAPI document and the docs page, made once at the start from the dialect's tables. */
#include "edge.h"

#include <string.h>

static void openapi_build (edge_t *edge, speaker_t *speaker)
{
    static const char mark[] = "{base_url}";
    const char *at = speaker->dialect->schema->openapi, *next;
    while ((next = strstr (at, mark))) {
        buf_add (&speaker->openapi, at, (size_t) (next - at));
        buf_add_str (&speaker->openapi,
                     edge->public_url); /* settings_read looked that it needs no quoting */
        at = next + sizeof mark - 1;
    }
    buf_add_str (&speaker->openapi, at);
}

static void add_text (buf_t *out, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '<':
            buf_add_str (out, "&lt;");
            break;
        case '>':
            buf_add_str (out, "&gt;");
            break;
        case '&':
            buf_add_str (out, "&amp;");
            break;
        case '"':
            buf_add_str (out, "&quot;");
            break;
        default:
            buf_add_byte (out, (uint8_t) *text);
        }
    }
}

static void add_cell (buf_t *out, const char *open, const char *text, const char *close)
{
    buf_add_str (out, open);
    add_text (out, text);
    buf_add_str (out, close);
}

/* `of` begins the anchors of dialects that are not the first. */
static void add_ops (buf_t *out, const schema_dialect_t *schema, const char *of)
{
    buf_printf (out, "<h2 id=\"%s%soperations\">Operations</h2>", of, *of ? "-" : "");
    buf_add_str (out, "<table><tr><th>Operation<th>Method and path<th>Key<th>What it does</tr>\n");
    for (size_t i = 0; i < schema->op_count; i++) {
        const schema_public_t *op = &schema->ops[i];
        buf_printf (out, "<tr id=\"%s%s%s\">", of, *of ? "-" : "", op->name);
        add_cell (out, "<td>", op->name, "");
        add_cell (out, "<td><code>", op->method, " ");
        add_cell (out, "", op->path, "</code>");
        add_cell (out, "<td>",
                  op->auth == AUTH_ADMIN          ? "admin"
                  : op->auth == AUTH_ORGANIZATION ? "organization"
                  : op->auth == AUTH_APP          ? (op->test_only ? "test app" : "app")
                                                  : "none",
                  "");
        add_cell (out, "<td>", op->op ? op->op->doc : "Answered by the edge itself.", "</tr>\n");
    }
    buf_add_str (out, "</table>\n");
}

/* One row per word: several codes of the house may share it, the first one explains it. */
static bool is_first (const schema_dialect_t *schema, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (schema->errors[i].word &&
            strcmp (schema->errors[i].word, schema->errors[index].word) == 0)
            return false;
    return true;
}

static void add_errors (buf_t *out, const schema_dialect_t *schema)
{
    buf_add_str (
        out,
        "<h2 id=\"errors\">Error codes</h2><table><tr><th>Code<th>Type<th>Status<th>Meaning</tr>\n");
    for (size_t i = 0; i < schema->error_count; i++) {
        const schema_public_error_t *error = &schema->errors[i];
        if (!error->word || !is_first (schema, i))
            continue;
        buf_printf (out, "<tr id=\"%s\"><td><code>%s</code><td>%s<td>%d", error->word, error->word,
                    error->type, error->status);
        add_cell (out, "<td>", error_doc (error->code), "</tr>\n");
    }
    buf_add_str (out, "</table>\n");
}

/* A further dialect: what there is, and where its contract stands. */
static void add_dialect (buf_t *out, const speaker_t *speaker)
{
    const schema_dialect_t *schema = speaker->dialect->schema;
    const char *mount = speaker->mounts[speaker->mount_count - 1];
    add_cell (out, "<h1>", schema->title, "</h1>\n<p>At ");
    for (size_t i = 0; i < speaker->mount_count; i++)
        add_cell (out, i ? " and <code>" : "<code>", speaker->mounts[i], "</code>");
    buf_printf (out, ". The whole contract: <a href=\"%s/openapi.json\">openapi.json</a>.</p>\n",
                mount);
    add_ops (out, schema, schema->name);
}

static void docs_build (edge_t *edge)
{
    const schema_dialect_t *schema = edge->speakers[0].dialect->schema;
    buf_t *out = &edge->docs;
    add_cell (out, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>",
              schema->title, "</title>\n");
    buf_add_str (
        out,
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.3em .8em;border-bottom:1px solid #ddd}"
        "tr:target{background:#ffc}</style>\n");
    add_cell (out, "<h1>", schema->title, "</h1>\n");
    add_cell (out, "<p>Base URL: <code>", edge->public_url,
              "</code>. The whole contract: <a href=\"/openapi.json\">openapi.json</a>.</p>\n");
    add_ops (out, schema, "");
    add_errors (out, schema);
    for (size_t i = 1; i < edge->speaker_count; i++)
        add_dialect (out, &edge->speakers[i]);
    buf_add_str (out, "</html>\n");
}

int site_build (edge_t *edge)
{
    bool failed = false;
    for (size_t i = 0; i < edge->speaker_count; i++) {
        openapi_build (edge, &edge->speakers[i]);
        failed = failed || buf_failed (&edge->speakers[i].openapi);
    }
    docs_build (edge);
    return failed || buf_failed (&edge->docs) ? E_NO_MEMORY : 0;
}
