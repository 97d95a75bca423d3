/* erase_late.c - what comes late of an erased message makes no copy: its recipients and, hashed, its ids at the carrier stay known (svc/erase.h), and callbacks that had yet
 * to be acted on are found by the runtime's walk. */
#include "messaging.h"
#include <string.h>

id16_t provider_ref_id (int32_t carrier, const char *provider_id)
{
    uint8_t sum[SIGN_SHA256_SIZE];
    id16_t id;
    buf_t text = {0};
    buf_add_byte (&text, (uint8_t) carrier);
    buf_add_str (&text, provider_id);
    sign_sha256 (buf_bytes (&text), sum);
    buf_free (&text);
    memcpy (id.b, sum, sizeof id.b);
    return id;
}

/* Not acted on yet: that, or its time, comes first. Loopback's say one thing, which can be dropped. */
int callback_erase (turn_t *t, const void *row)
{
    (void) t;
    const messaging_callback_t *callback = row;
    bool parked =
        callback->state == MESSAGING_CALLBACK_STATE_PARKED && !id_is_nil (callback->account);
    return parked || callback->state == MESSAGING_CALLBACK_STATE_STORED ? E_CONFLICT : 0;
}

bool receipt_is_erased (turn_t *t, int32_t carrier, id16_t token, const char *provider_id)
{
    return (!id_is_nil (token) && erase_find (t, token) == 0) ||
           (provider_id && erase_find (t, provider_ref_id (carrier, provider_id)) == 0);
}

const svc_erase_t messaging_erases[MESSAGING_ERASES] = {
    {&messaging_callback_record, callback_erase},
};
