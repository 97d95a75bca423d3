/* storage.h - what the stores of a house take on the disk, and when that is full. */
#ifndef AVIARY_STORAGE_H
#define AVIARY_STORAGE_H

#include "gen/common.h"
#include "house.h"

typedef struct storage_row {
    const char *service;
    common_storage_out_t told;
} storage_row_t;

typedef struct storage {
    arena_t *arena;
    storage_row_t *rows; /* services that have a store and answered */
    size_t count;
} storage_t;

/* Ask every service that the broker sees. Never fails: who does not answer is left out. Freed by storage_free. */
void storage_look (client_t *client, const house_t *house, uint32_t timeout_ms, storage_t *out);
void storage_free (storage_t *self);
/* What a service told, NULL if nothing. */
const common_storage_out_t *storage_of (const storage_t *self, const char *service);

typedef enum storage_outlook {
    STORAGE_UNKNOWN, /* nobody measured for a minute yet */
    STORAGE_STEADY,  /* nothing grows, or so slowly that the disk lasts for a century */
    STORAGE_FILLS
} storage_outlook_t;

typedef struct storage_forecast {
    storage_outlook_t outlook;
    int64_t free_bytes;
    int64_t bytes_a_day; /* by which the disk fills */
    int64_t measured_ms;
    int64_t full_at; /* Unix ms; 0 = never at this rate */
} storage_forecast_t;

/* By the faster of two rates: what all stores grew, and what the disk lost, to them, to files and to others. */
storage_forecast_t storage_forecast (const storage_t *self, int64_t now);
/* Bytes a day of a change within `measured_ms`. */
int64_t storage_a_day (int64_t bytes, int64_t measured_ms);
/* "12 B", "3.4 MiB". */
void storage_size_text (int64_t bytes, char out[24]);

/* Lines for people; for --json the members of a service's "store". */
void storage_print (const storage_t *self, int64_t now);
void storage_json (const common_storage_out_t *told, const storage_forecast_t *forecast,
                   buf_t *out);

#endif
