/* carrier.c - the callback URL of a carrier account. Pure. */
#include "carrier.h"

#include "gen/accounts.h"

#include <stdio.h>
#include <string.h>

bool carrier_callback_url (const char *base, int32_t carrier, id16_t id, char *out, size_t size)
{
    char uuid[ID_UUID_LENGTH + 1];
    size_t length = strlen (base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    id_write_uuid (id, uuid);
    int n = snprintf (out, size, "%.*s/callbacks/%s/%s", (int) length, base,
                      schema_enum_word (&accounts_carrier_enum, carrier), uuid);
    return n > 0 && (size_t) n < size;
}
