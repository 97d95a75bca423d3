/* tap_replay.h - sending again what a tap recorded. */
#ifndef AVIARY_TAP_REPLAY_H
#define AVIARY_TAP_REPLAY_H

#include "base/buf.h"
#include "base/err.h"

/* One line of a recording as an HTTP request: *path and JSON in *body (appended). E_NOT_FOUND if it is nothing that is replayed (an answer, another
 * operation); E_BAD_REQUEST if it is no line of a recording, or recorded masked. */
int tap_request (bytes_t line, const char **path, buf_t *body, failure_t *failure);

/* Send the asks in `file` to the test app `app` ("test" or an id) with a key of its own. Prints each. 0, or the first failure that is not the API's
 * answer to one message. */
int tap_replay (const char *data, const char *file, const char *app, const char *url, bool json,
                failure_t *failure);

#endif
