/* first.h - the first start: the first organization, and the file with its keys. */
#ifndef AVIARY_FIRST_H
#define AVIARY_FIRST_H

#include "client.h"

/* Is DIR/credentials.json there? */
bool first_done (const char *data);
/* Ask accounts.bootstrap and write DIR/credentials.json (0600, whole or not at all). `ask_id` is the ask's envelope id: a repeat with the same one after
 * a lost answer gets the first answer. 0; E_ALREADY_EXISTS (text says what to do) when there is an organization but not the file; E_IO when the file could
 * not be written; or what the bus says. */
int first_start (client_t *client, const char *data, const char *base_url, id16_t ask_id,
                 failure_t *failure);

#endif
