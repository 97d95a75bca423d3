/* api.h - the house's HTTP API with one key. */
#ifndef AVIARY_API_H
#define AVIARY_API_H

#include "client.h"

#include <cjson/cJSON.h>

typedef struct api {
    const char *base; /* "http://127.0.0.1:8080" */
    const char *key;
} api_t;

/* The API of the house in `data` with its test key, or with `key` and at `base` where given; strings in the arena. */
int api_open (const char *data, const char *base, const char *key, arena_t *arena, api_t *out,
              failure_t *failure);

/* One request; `body` (NULL = none) is deleted. `repeat` is an Idempotency-Key or NULL. 0 and *answer (cJSON_Delete it; NULL pointer = not wanted), or
 * an E_ code of the answer's class with "POST /v1/sms: 400 invalid_phone_number: ..." as text. */
int api_call (const api_t *self, const char *method, const char *path, cJSON *body,
              const char *repeat, cJSON **answer, failure_t *failure);

/* Text of a field, "" if it is no text. */
const char *api_text (const cJSON *object, const char *name);

#endif
