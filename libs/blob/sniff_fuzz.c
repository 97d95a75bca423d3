/* sniff_fuzz.c - any bytes have a type, reads stay within them, and the checks take whatever was seen. */
#include "blob/blob.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static long memory_read (void *context, uint64_t offset, void *out, size_t size)
{
    const bytes_t *all = context;
    if (offset > all->size || size > all->size - offset)
        abort (); /* never asks for what is not there */
    if (size > 0)
        memcpy (out, all->data + offset, size);
    return (long) size;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    bytes_t all = bytes_of (data, size);
    blob_seen_t seen;
    if (blob_sniff (memory_read, &all, size, &seen) != 0 || seen.type >= BLOB_TYPE_COUNT)
        abort ();
    for (int kind = 0; kind <= BLOB_KIND_COUNT; kind++) {
        failure_t failure = {0};
        int code = blob_type_check ((blob_kind_t) kind, NULL, &seen, &failure);
        if (code != failure.code)
            abort ();
        if (code == 0 && kind != BLOB_KIND_INBOUND && blob_type_is_active (seen.type))
            abort ();
    }
    return 0;
}
