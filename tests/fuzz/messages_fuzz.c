/* messages_fuzz.c - libFuzzer target: what messaging, templates and webhooks read of texts, templates and receivers' answers. First byte: which; the rest: the bytes.
 *
 * A text has as many parts as its units need; what a template's variables fill is what the template takes; what the checks of content let through is complete. */
#include "messaging.h"
/* a name that both services have, each for itself */
#define account_open templates_account_open
#include "templates.h"
#undef account_open

#include "webhooks.h"

#include "base/text.h"
#include "gen/chirp.h"
#include "provider/json.h"
#include "fuzz.h"

/* ---- parts of an SMS ---- */

static void check_segments (bytes_t in)
{
    int32_t encoding = 0, longer = 0;
    if (!text_is_utf8 ((const char *) in.data, in.size))
        return;
    char *text = text_of (in), *more = malloc (in.size + 2);
    size_t parts = text_segments (text, &encoding), points = text_code_points (text, in.size);
    bool gsm = encoding == MESSAGING_ENCODING_GSM7;
    must (more != NULL && (gsm || encoding == MESSAGING_ENCODING_UCS2));
    must (parts >= 1 && parts <= 1 + points * 2 / (gsm ? 152 : 66) + 1);
    must (parts * (gsm ? 160 : 70) >= points);
    snprintf (more, in.size + 2, "%s!", text);
    must (text_segments (more, &longer) >= parts && longer == encoding);
    free (more);
    free (text);
}

/* ---- templates: as Meta lists it, then variables, then components that a client gave; a line each ---- */

static int map_read (arena_t *arena, bytes_t json, schema_map_t *out)
{
    messaging_template_content_t read = {0};
    buf_t whole = buf_in (arena);
    buf_add_str (&whole, "{\"variables\":");
    buf_add (&whole, json.data, json.size);
    buf_add_byte (&whole, '}');
    int code = schema_json_read (&messaging_template_content_type, NULL, buf_bytes (&whole), arena,
                                 &read, NULL);
    *out = read.variables;
    return code;
}

/* Meta lists no part twice. */
static bool is_told_once (const schema_list_t *list, size_t at)
{
    const templates_slot_t *slots = list->items;
    for (size_t i = 0; i < at; i++)
        if (slots[i].part == slots[at].part && slots[i].index == slots[at].index)
            return false;
    return true;
}

static bool check_slots (const schema_list_t *list)
{
    const templates_slot_t *slots = list->items;
    bool once = true;
    for (size_t i = 0; i < list->count; i++) {
        once = once && is_told_once (list, i);
        must (slots[i].part && slots[i].kind && slots[i].count >= 0);
        must (slots[i].names.count == 0 || (int64_t) slots[i].names.count == slots[i].count);
        must (!slots[i].prefix || text_is_utf8 (slots[i].prefix, strlen (slots[i].prefix)));
    }
    return once;
}

static void check_template (turn_t *t, bytes_t in)
{
    bytes_t listed, components, given;
    templates_template_t read;
    bytes_t first = cut (&in, '\n'), second = cut (&in, '\n');
    if (jval_read (t->arena, first, &listed, NULL) ||
        !template_read (t->arena, listed, &read, &components))
        return;
    bool once = check_slots (&read.slots);
    const char *body = template_body (t->arena, components);
    schema_list_t names = template_variables (t->arena, body);
    must (names.count <= 100);
    buf_t packed = buf_in (t->arena);
    schema_pack (&templates_template_type, &read, &packed);
    must (schema_unpack (&templates_template_type, buf_bytes (&packed), t->arena, &read, NULL) ==
          0);

    messaging_template_t row = {.name = read.name, .language = read.language, .slots = read.slots};
    messaging_template_content_t content = {.name = read.name, .language = read.language};
    if (map_read (t->arena, second, &content.variables) == 0 &&
        template_fill (t, &row, &content) == 0 && content.components.size)
        must (template_given_check (t, &row, content.components) == 0 || !once);
    if (in.size && jval_read (t->arena, in, &given, NULL) == 0)
        (void) template_given_check (t, &row, given);
}

/* ---- content that needs no store ---- */

/* Files, quoted messages, reactions and templates are looked up: not here. */
static bool stands_alone (const messaging_whatsapp_send_in_t *in)
{
    const messaging_interactive_header_t *header = in->interactive ? in->interactive->header : NULL;
    bool plain = in->kind == MESSAGING_KIND_TEXT || in->kind == MESSAGING_KIND_LOCATION ||
                 in->kind == MESSAGING_KIND_CONTACTS || in->kind == MESSAGING_KIND_INTERACTIVE;
    return plain && id_is_nil (in->reply_to) && (!header || id_is_nil (header->media));
}

static void check_content (turn_t *t, bytes_t json)
{
    messaging_whatsapp_send_in_t in = {0};
    messaging_message_t message = {0};
    const messaging_route_t from = {0};
    if (schema_json_read (&chirp_SendWhatsAppMessageRequest_view, NULL, json, t->arena, &in,
                          NULL) ||
        !stands_alone (&in))
        return;
    int code = content_check (t, &from, &in, &message);
    must (code == t->failure.code && (code == 0) == (t->failure.text[0] == 0));
    if (code)
        return;
    const messaging_body_t *body = message.body;
    must (in.kind != MESSAGING_KIND_TEXT || (message.text && *message.text));
    must (in.kind != MESSAGING_KIND_LOCATION || body->location);
    must (in.kind != MESSAGING_KIND_CONTACTS || body->contacts.count > 0);
    must (in.kind != MESSAGING_KIND_INTERACTIVE || body->interactive);
    messaging_body_t again = {0};
    buf_t packed = buf_in (t->arena);
    schema_pack (&messaging_body_type, body, &packed);
    must (schema_unpack (&messaging_body_type, buf_bytes (&packed), t->arena, &again, NULL) == 0);
}

/* ---- waits before another try, as the settings say ---- */

static void check_schedule (turn_t *t, bytes_t in)
{
    messaging_settings_t settings = {.send_schedule =
                                         arena_strndup (t->arena, (const char *) in.data, in.size)};
    settings.send_jitter = (int64_t) (in.size % 51);
    t->settings = &settings;
    for (int64_t tries = 0; tries < 12; tries++) {
        int64_t wait = -1;
        bool within = send_wait (t, tries, 500, &wait);
        must (wait >= 500 && wait <= (int64_t) UINT32_MAX * 2 && (!within || tries > 0));
    }
    t->settings = NULL;
}

/* ---- a receiver's answer, and when it is asked again ---- */

static void check_answer (turn_t *t, bytes_t in)
{
    uint32_t steps[5];
    const char *text = answer_text (t->arena, in);
    size_t count = retry_steps_read (text, steps, 5);
    must (strlen (text) == in.size && text_is_utf8 (text, in.size) && count <= 5);
    for (const char *at = text; *at; at++)
        must ((unsigned char) *at >= ' ' || *at == '\n' || *at == '\t');
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const envelope_t nobody;
    if (size == 0 || size > 1 << 16)
        return 0;
    turn_t t = {.now = 1760000000000, .arena = arena_new (64 << 20), .ask = &nobody};
    bytes_t in = bytes_of (data + 1, size - 1);
    jmp_buf trap;
    must (t.arena != NULL);
    if (setjmp (trap) == 0) {
        arena_trap (t.arena, &trap);
        if (data[0] % 5 == 0)
            check_answer (&t, in);
        else if (data[0] % 5 == 1)
            check_segments (in);
        else if (data[0] % 5 == 2)
            check_template (&t, in);
        else if (data[0] % 5 == 3)
            check_content (&t, in);
        else
            check_schedule (&t, in);
    }
    arena_destroy (&t.arena);
    return 0;
}
