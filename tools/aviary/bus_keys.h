/* bus_keys.h - CURVE keys for a bus on TCP, a folder for each program. */
#ifndef AVIARY_BUS_KEYS_H
#define AVIARY_BUS_KEYS_H

#include "base/err.h"

/* Makes FOLDER/NAME/ for broker, every service and cli: NAME.pub, NAME.pub_secret and broker.pub in each, and the public halves of all in FOLDER/broker.
 * So each program gets its own folder (--bus-keys, the broker's --keys) and sees no other's secret. What is there already is kept.
 * Returns 0 and calls `told` with each name, or E_IO or E_BAD_REQUEST. */
int bus_keys_make (const char *folder, void (*told) (void *context, const char *name),
                   void *context, failure_t *failure);

#endif
