/* form_fuzz.c - query strings and forms: any bytes give decoded pairs or "malformed", within the text. */
#include "web/web.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *text = malloc (size + 1);
    arena_t *arena = arena_new (1 << 20);
    if (text != NULL && arena != NULL) {
        if (size > 0)
            memcpy (text, data, size);
        text[size] = '\0';
        const char *at = text, *name, *value;
        bool malformed = false;
        size_t most = strlen (text);
        while (web_pair_next (arena, &at, &name, &value, &malformed))
            if (strlen (name) + strlen (value) > most)
                abort (); /* decoding never grows */
    }
    arena_destroy (&arena);
    free (text);
    return 0;
}
