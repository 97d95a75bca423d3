/* carrier.h - what commands share about carrier accounts. */
#ifndef AVIARY_CARRIER_H
#define AVIARY_CARRIER_H

#include "base/id.h"

#include <stddef.h>
#include <stdint.h>

/* Where a carrier calls back: BASE/callbacks/meta/UUID. `base` is the house as carriers reach it; false if it does not fit. */
bool carrier_callback_url (const char *base, int32_t carrier, id16_t id, char *out, size_t size);

#endif
