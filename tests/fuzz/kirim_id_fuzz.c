/* kirim_id_fuzz.c - libFuzzer target: any text as one of Kirim's ids. What reads as an id is written again byte for byte; what has only the form is nobody's. */
#include "dialect/kirim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool fact)
{
    if (!fact)
        abort ();
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const char *const prefixes[] = {"msg", "tmpl", "org"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        id16_t id = id_nil (), nobody;
        bool test = true;
        char again[64];
        int code = kirim_id_read (prefixes[i], (const char *) data, size, &id, &test);
        must (test && code >= 0 && code <= 2);
        memset (&nobody, 0xFF, sizeof nobody);
        if (code == 0) {
            kirim_id_write (prefixes[i], false, id, again);
            must (strlen (again) == size && memcmp (again, data, size) == 0 && id_is_v7 (id));
        } else if (code == 1) {
            must (id_equal (id, nobody) && size == strlen (prefixes[i]) + 27);
        }
    }
    return 0;
}
