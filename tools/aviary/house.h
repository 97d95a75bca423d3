/* house.h - what runs: the supervisor's list and what the broker sees, merged. */
#ifndef AVIARY_HOUSE_H
#define AVIARY_HOUSE_H

#include "client.h"
#include "run_file.h"

typedef struct house_row {
    char service[24];
    unsigned replica;
    pid_t pid; /* 0 = down */
    bool ready, owner;
    bool seen;           /* the broker knows this very process */
    int64_t beat_age_ms; /* if seen */
    char reason
        [160]; /* why it is not ready, or what is to be known of it though it is; "" = nothing is told */
} house_row_t;

typedef struct house {
    bool supervised; /* a supervisor runs on this host */
    bool answered;   /* the broker told */
    house_row_t rows[RUN_LIST_MAX];
    size_t count;
} house_t;

/* Reads DIR/run/supervisor.json and asks broker.status (client NULL or not connected = nobody to ask). Rows are in the supervisor's order, then
 * what else the broker sees. Never fails: what could not be learned is down or not ready. */
void house_look (const char *data, client_t *client, uint32_t timeout_ms, house_t *out);
bool house_ready (const house_t *self); /* all rows are, and there are some */

#endif
