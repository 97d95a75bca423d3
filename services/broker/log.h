/* log.h - the broker's log: one JSON object a line on stderr. The other services log through libs/svc, which the broker, being below it,
 * does without. */
#ifndef AVIARY_BROKER_LOG_H
#define AVIARY_BROKER_LOG_H

typedef struct log_field {
    const char *name;
    const char *text; /* NULL: `number` counts */
    long long number;
} log_field_t;

/* level: "info", "warn", "error". `fields` ends with a NULL name; may be NULL. */
void log_line (const char *level, const char *msg, const log_field_t *fields);

#endif
