/* curve.h - keys of the bus on TCP: a folder of CURVE certificates (czmq's text format), one per peer, and the broker's.
 *
 * NAME.pub is the public half and may be anywhere; NAME.pub_secret is the private half (mode 0600) and belongs to NAME alone. */
#ifndef AVIARY_BUS_CURVE_H
#define AVIARY_BUS_CURVE_H

#include "bus/bus.h"

/* Makes FOLDER/NAME.pub and FOLDER/NAME.pub_secret unless they are there. 0, E_BAD_REQUEST (no name) or E_IO. */
int curve_keys_make (const char *folder, const char *name, failure_t *failure);
/* NAME's own pair and the broker's public key, for bus_config. Wipe with curve_keys_wipe. 0, E_NOT_FOUND or E_BAD_REQUEST. */
int curve_keys_load (const char *folder, const char *name, curve_keys_t *out, failure_t *failure);
void curve_keys_wipe (curve_keys_t *self);

/* Whose public key is it? Read from the NAME.pub files of a folder. */
typedef struct curve_names curve_names_t;
curve_names_t *curve_names_new (const char *folder); /* NULL: no memory */
void curve_names_destroy (curve_names_t **self);
/* The name, "" if there is none. Reads the folder again (at most once a second) when the key is not known. */
const char *curve_names_find (curve_names_t *self, const char *public_key);

#endif
