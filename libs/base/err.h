/* err.h - the error codes of the whole house (generated from schemas/errors.toml) and the failure
 * that carries one.
 *
 * Functions return int: 0, or an E_ code. */
#ifndef AVIARY_BASE_ERR_H
#define AVIARY_BASE_ERR_H

/* The enum of E_ codes with E_OK = 0, and error_class_t: who is to blame and whether to come back,
 * which decides HTTP statuses, retries and what idempotency keeps (EC_OK, EC_INPUT, EC_AUTH,
 * EC_FORBIDDEN, EC_NOT_FOUND, EC_CONFLICT, EC_REFUSED, EC_UPSTREAM, EC_LIMITED, EC_UNAVAILABLE,
 * EC_INTERNAL, EC_SIGNAL). */
#include "gen/errors.h"
#include <stdint.h>

/* "bad_request", its class, and one sentence about it. 0 gives "ok", EC_OK and ""; a code that
 * nobody has reads as internal. */
const char *error_name (int code);
error_class_t error_class (int code);
const char *error_doc (int code);
/* The code of a name; 0 if none has it. */
int error_read (const char *name);

enum { FAILURE_FIELD_SIZE = 96, FAILURE_TEXT_SIZE = 256 };

/* What went wrong, as told to the caller. Zero-initialised means no failure. */
typedef struct failure {
    int code;                       /* E_ code */
    char field[FAILURE_FIELD_SIZE]; /* offending field, "to[0]" or "text.body"; "" if none */
    char text[FAILURE_TEXT_SIZE];   /* one sentence for a person, UTF-8, no secrets */
    int64_t retry_after_ms;         /* 0 = not said */
} failure_t;

/* Fill *self and return `code`. NULL self only returns the code; NULL field is "". Field and text
 * are cut at a UTF-8 boundary, bytes that are not UTF-8 become '?'. The arguments may point into
 * *self (to wrap a failure). */
int failure_set (failure_t *self, int code, const char *field, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

#endif
