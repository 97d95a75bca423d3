/* dialect_fuzz.c - libFuzzer target: what clients hold of ours and give back: ids of both dialects, cursors of listings, names of events, and the bodies that idempotency keys are bound
 * to. First byte: which; the rest: the text.
 *
 * One id or cursor, one spelling; no text opens as a cursor (a MAC of 16 bytes is not met by chance), and what we seal of the same bytes does. Bodies that mean the same have one
 * fingerprint. */
#include "base/text.h"
#include "dialect/chirp.h"
#include "dialect/cursor.h"
#include "dialect/kirim.h"
#include "fuzz.h"

static const uint8_t key[SIGN_KEY_SIZE] = {1}, listing[SIGN_SHA256_SIZE] = {2};

static void check_cursor (bytes_t in)
{
    uint8_t bytes[1024];
    char again[1400];
    bytes_t position, cursor;
    long length = text_read_base64url ((const char *) in.data, in.size, bytes, sizeof bytes);
    if (length >= 0) {
        must (text_write_base64url (bytes, (size_t) length, again) == in.size);
        must (in.size == 0 || memcmp (again, in.data, in.size) == 0);
        must (cursor_open (key, listing, bytes_of (bytes, (size_t) length), &position) ==
              E_BAD_CURSOR);
    }
    must (cursor_open (key, listing, in, &position) == E_BAD_CURSOR);
    arena_t *arena = arena_new (1 << 16);
    if (arena && in.size > 0 && in.size <= CURSOR_POSITION_MAX) {
        must (cursor_seal (key, listing, in, arena, &cursor) == 0);
        must (cursor_open (key, listing, cursor, &position) == 0);
        must (bytes_equal (position, in));
    }
    arena_destroy (&arena);
}

/* What reads as an id is written again byte for byte; what has only the form is nobody's. */
static void check_id (const dialect_t *dialect, const char *prefix, bytes_t in)
{
    for (int mode = 0; mode < 2; mode++) {
        id16_t id = id_nil (), nobody;
        bool test = mode;
        char again[64];
        int code = dialect->id_read (prefix, (const char *) in.data, in.size, &id, &test);
        must (code >= 0 && code <= 2);
        memset (&nobody, 0xFF, sizeof nobody);
        if (code == 0) {
            dialect->id_write (prefix, dialect == &dialect_chirp && test, id, again);
            must (strlen (again) == in.size && memcmp (again, in.data, in.size) == 0);
            must (id_is_v7 (id));
        } else if (code == 1)
            must (id_equal (id, nobody));
        must (dialect == &dialect_chirp || test == (bool) mode);
    }
}

/* What we write reads back, and in no other spelling. */
static void check_written (const dialect_t *dialect, const char *prefix, id16_t id)
{
    for (int mode = 0; mode < 2; mode++) {
        char text[64], other[96];
        id16_t back = id_nil ();
        bool test = mode;
        dialect->id_write (prefix, mode, id, text);
        must (dialect->id_read (prefix, text, strlen (text), &back, &test) == 0);
        must (id_equal (back, id) && test == (bool) mode);
        if (mode && !strstr (text, "_test_")) {
            snprintf (other, sizeof other, "%s_test%s", prefix, text + strlen (prefix));
            must (dialect->id_read (prefix, other, strlen (other), &back, &test) != 0);
        }
    }
}

static void check_ids (bytes_t in)
{
    static const char *const chirp[] = {"msg_sms", "msg_wa", "whk", "app", "org", "key"};
    static const char *const kirim[] = {"msg", "tmpl", "org"};
    for (size_t i = 0; i < sizeof chirp / sizeof *chirp; i++)
        check_id (&dialect_chirp, chirp[i], in);
    for (size_t i = 0; i < sizeof kirim / sizeof *kirim; i++)
        check_id (&dialect_kirim, kirim[i], in);
    if (in.size < sizeof (id16_t))
        return;
    id16_t id;
    memcpy (id.b, in.data, sizeof id.b);
    id.b[6] = (uint8_t) (0x70 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t) (0x80 | (id.b[8] & 0x3f));
    for (size_t i = 0; i < sizeof chirp / sizeof *chirp; i++)
        check_written (&dialect_chirp, chirp[i], id);
    for (size_t i = 0; i < sizeof kirim / sizeof *kirim; i++)
        check_written (&dialect_kirim, kirim[i], id);
}

static void check_names (const char *text)
{
    for (size_t i = 0; i < dialect_count; i++) {
        bool known = false;
        for (const char *const *name = dialect_event_names (dialect_all[i]); *name; name++)
            known = known || strcmp (*name, text) == 0;
        must (dialect_event_known (dialect_all[i], text) == known);
    }
    const dialect_t *dialect = dialect_find (text);
    must (!dialect || strcmp (dialect->name, text) == 0);
}

static void check_fingerprint (bytes_t body)
{
    uint8_t one[32], two[32];
    buf_t packed = {0}, again = {0}, canonical = {0}, twice = {0};
    must (dialect_fingerprint ("POST", "/v1/messages", body, one) == 0);
    if (body.size && schema_any_read (body, &packed, NULL) == 0) {
        must (schema_any_canonical (buf_bytes (&packed), &canonical) == 0);
        must (dialect_fingerprint ("POST", "/v1/messages", buf_bytes (&canonical), two) == 0);
        must (memcmp (one, two, sizeof one) == 0);
        must (schema_any_read (buf_bytes (&canonical), &again, NULL) == 0);
        must (schema_any_canonical (buf_bytes (&again), &twice) == 0);
        must (bytes_equal (buf_bytes (&canonical), buf_bytes (&twice)));
    }
    must (dialect_fingerprint ("PUT", "/v1/messages", body, two) == 0);
    must (memcmp (one, two, sizeof one) != 0);
    buf_free (&packed);
    buf_free (&again);
    buf_free (&canonical);
    buf_free (&twice);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bytes_t in = bytes_of (data + 1, size - 1);
    char *text = text_of (in);
    switch (data[0] % 4) {
    case 0:
        check_cursor (in);
        break;
    case 1:
        check_ids (in);
        break;
    case 2:
        check_names (text);
        break;
    default:
        check_fingerprint (in);
    }
    free (text);
    return 0;
}
