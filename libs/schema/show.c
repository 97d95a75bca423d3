/* show.c - packed bytes of a core type as JSON for eyes (tap, explain). Bytes that do not fit the type show as {"?": base64}, unless
 * the context masks: they may hold anything, so then only their size shows. */
#include "schema/inner.h"

#include <string.h>

#include "base/text.h"
#include <stdlib.h>

enum { SHOW_ARENA = 16 << 20 };

static void show_misfit (const schema_ctx_t *ctx, bytes_t packed, buf_t *out)
{
    size_t length = (packed.size + 2) / 3 * 4;
    if (ctx && ctx->mask && !ctx->reveal) {
        buf_printf (out, "{\"?\":\"*** %zu bytes\"}", packed.size);
        return;
    }
    buf_add_str (out, "{\"?\":\"");
    uint8_t *text = buf_reserve (out, length + 1);
    if (text) {
        text_write_base64 (packed.data, packed.size, (char *) text);
        out->size += length;
    }
    buf_add_str (out, "\"}");
}

void schema_show (const schema_type_t *type, const schema_ctx_t *ctx, bytes_t packed, buf_t *out)
{
    arena_t *arena = arena_new (SHOW_ARENA);
    void *in = arena ? arena_alloc (arena, type->size) : NULL;
    if (in && schema_unpack (type, packed, arena, in, NULL) == 0)
        schema_json_write (type, ctx, in, out);
    else
        show_misfit (ctx, packed, out);
    arena_destroy (&arena);
}

void schema_json_string (buf_t *out, const char *text)
{
    json_quote (out, text, strlen (text));
}
