/* id_fuzz.c - libFuzzer target: any text through the readers of the three id spellings.
 *
 * What a reader accepts, its writer must write again byte for byte: one id, one spelling. Sixteen
 * bytes at the start are also taken as an id, whose spellings must read back if it is a UUIDv7 and
 * be refused if not. */
#include "base/id.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool fact)
{
    if (!fact)
        abort ();
}

static void check_text (const char *text, size_t length)
{
    char again[ID_UUID_LENGTH + 1];
    id16_t id;
    if (id_read_uuid (text, length, &id)) {
        id_write_uuid (id, again);
        must (length == ID_UUID_LENGTH && memcmp (text, again, length) == 0 && id_is_v7 (id));
    }
    if (id_read_ksuid (text, length, &id)) {
        id_write_ksuid (id, again);
        must (length == ID_KSUID_LENGTH && memcmp (text, again, length) == 0 && id_is_v7 (id));
    }
    if (id_read_crockford (text, length, &id)) {
        id_write_crockford (id, again);
        must (length == ID_CROCKFORD_LENGTH && memcmp (text, again, length) == 0 && id_is_v7 (id));
    }
}

static void check_id (id16_t id)
{
    char text[ID_UUID_LENGTH + 1];
    id16_t back = id;
    id_write_uuid (id, text);
    must (id_read_uuid (text, ID_UUID_LENGTH, &back) == id_is_v7 (id) && id_equal (id, back));
    id_write_ksuid (id, text);
    must (id_read_ksuid (text, ID_KSUID_LENGTH, &back) == id_is_v7 (id) && id_equal (id, back));
    id_write_crockford (id, text);
    must (id_read_crockford (text, ID_CROCKFORD_LENGTH, &back) == id_is_v7 (id));
    must (id_equal (id, back));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const size_t lengths[] = {ID_UUID_LENGTH, ID_KSUID_LENGTH, ID_CROCKFORD_LENGTH};
    check_text ((const char *) data, size);
    for (size_t i = 0; i < 3; i++)
        if (size > lengths[i])
            check_text ((const char *) data, lengths[i]);
    if (size < sizeof (id16_t))
        return 0;
    id16_t id;
    memcpy (id.b, data, sizeof id.b);
    check_id (id);
    id.b[6] = (uint8_t) (0x70 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t) (0x80 | (id.b[8] & 0x3f));
    check_id (id);
    return 0;
}
