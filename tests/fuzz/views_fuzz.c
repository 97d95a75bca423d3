/* views_fuzz.c - requests of every public operation of every dialect. First line: "DIALECT OPERATION PART" with PART body or texts; the rest: a JSON body, or a line for each field of path,
 * headers and query in their order.
 *
 * What a view takes fits the core op: it packs, the service unpacks it, and packs it to the same bytes. What it does not take is told with a sentence. */
#include "dialect/dialect.h"
#include "fuzz.h"

static const schema_public_t *op_of (const dialect_t *dialect, bytes_t name)
{
    const schema_dialect_t *schema = dialect->schema;
    for (size_t i = 0; i < schema->op_count; i++)
        if (bytes_equal (name, bytes_of_str (schema->ops[i].name)))
            return &schema->ops[i];
    return &schema->ops[pick (name, schema->op_count)];
}

static const dialect_t *dialect_of (bytes_t name)
{
    for (size_t i = 0; i < dialect_count; i++)
        if (bytes_equal (name, bytes_of_str (dialect_all[i]->name)))
            return dialect_all[i];
    return dialect_all[pick (name, dialect_count)];
}

/* What the service does with it. Of one part alone needed fields may be missing, nothing else may be wrong. */
static void check_struct (const schema_public_t *op, const void *in, arena_t *arena)
{
    const schema_type_t *type = op->op->in;
    void *copy = arena_alloc (arena, type->size);
    buf_t packed = {0}, again = {0}, shown = {0};
    failure_t failure = {0};
    schema_pack (type, in, &packed);
    int code = schema_unpack (type, buf_bytes (&packed), arena, copy, &failure);
    must (code == 0 || strstr (failure.text, "required") != NULL);
    if (!code) {
        schema_pack (type, copy, &again);
        /* defaults are filled in where it is unpacked: from there on it is the same */
        buf_t third = {0};
        memset (copy, 0, type->size);
        must (schema_unpack (type, buf_bytes (&again), arena, copy, NULL) == 0);
        schema_pack (type, copy, &third);
        must (bytes_equal (buf_bytes (&again), buf_bytes (&third)));
        buf_free (&third);
    }
    const schema_ctx_t masked = {.mask = true};
    schema_show (type, &masked, buf_bytes (&packed), &shown);
    buf_clear (&again);
    must (schema_any_read (buf_bytes (&shown), &again, &failure) == 0 ||
          strstr (failure.text, "nested too deeply") || strstr (failure.text, "given twice"));
    buf_free (&packed);
    buf_free (&again);
    buf_free (&shown);
}

static int read_body (const schema_public_t *op, const schema_ctx_t *ctx, bytes_t json,
                      arena_t *arena, void *in, failure_t *failure)
{
    int code = schema_json_read (op->body_view, ctx, json, arena, in, failure);
    buf_t text = {0};
    if (!code) { /* what was read can be told in the same words */
        schema_json_write (op->body_view, ctx, in, &text);
        buf_t packed = {0};
        must (schema_any_read (buf_bytes (&text), &packed, NULL) == 0);
        buf_free (&packed);
    }
    buf_free (&text);
    return code;
}

static int read_texts (const schema_public_t *op, const schema_ctx_t *ctx, bytes_t rest,
                       arena_t *arena, void *in, failure_t *failure)
{
    const schema_type_t *const views[] = {op->path_view, op->header_view, op->query_view};
    for (size_t v = 0; v < sizeof views / sizeof *views; v++)
        for (size_t i = 0; views[v] && i < views[v]->field_count; i++) {
            bytes_t line = cut (&rest, '\n');
            const schema_field_t *field = &views[v]->fields[i];
            char *text = arena_strndup (arena, (const char *) line.data, line.size);
            int code = line.size ? schema_text_read (field, ctx, text, arena, in, failure)
                                 : schema_text_absent (field, ctx, arena, in, failure);
            if (code)
                return code;
        }
    return 0;
}

static void check (const dialect_t *dialect, const schema_public_t *op, bool body, bytes_t rest,
                   arena_t *arena)
{
    schema_ctx_t ctx = dialect_ctx (dialect, rest.size & 1);
    failure_t failure = {0};
    void *in = arena_alloc (arena, op->op->in->size);
    int code = body ? read_body (op, &ctx, rest, arena, in, &failure)
                    : read_texts (op, &ctx, rest, arena, in, &failure);
    must (code == failure.code && (code == 0) == (failure.text[0] == 0));
    if (!code) {
        must (schema_fixed_apply (op, arena, in) == 0);
        check_struct (op, in, arena);
        return;
    }
    char name[FAILURE_FIELD_SIZE];
    const dialect_blame_t blame = {.op = op, .docs_url = "https://docs", .request_id = "req_1"};
    buf_t text = {0}, packed = {0};
    dialect_field_name (op, failure.field, name);
    int status = dialect_error_render (dialect, &failure, &blame, &text);
    must (status >= 400 && status < 600);
    must (schema_any_read (buf_bytes (&text), &packed, NULL) == 0);
    buf_free (&text);
    buf_free (&packed);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    bytes_t rest = bytes_of (data, size), line = cut (&rest, '\n');
    const dialect_t *dialect = dialect_of (cut (&line, ' '));
    const schema_public_t *op = op_of (dialect, cut (&line, ' '));
    bool body = bytes_equal (line, bytes_of_str ("body")) || line.size % 2 == 0;
    jmp_buf trap;
    if (!op->op || size > 1 << 16)
        return 0;
    if (!op->body_view)
        body = false;
    arena_t *arena = arena_new (16 << 20);
    must (arena != NULL);
    if (setjmp (trap) == 0) {
        arena_trap (arena, &trap);
        check (dialect, op, body, rest, arena);
    }
    arena_destroy (&arena);
    return 0;
}
