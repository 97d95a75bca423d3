/* speaker.h - which dialect a request is spoken in: by where it is mounted, by host, by the shape of its path.
 *
 * Mounts are prefixes that stand for the contract's own root ("/kirim/v1" for "/v1"). Where several dialects share one, a host of its own decides, then the first segment: a literal of
 * a dialect's operations, or digits where its paths may begin with a number; else the first dialect. Keys decide nothing here. */
#ifndef AVIARY_EDGE_SPEAKER_H
#define AVIARY_EDGE_SPEAKER_H

#include "dialect/dialect.h"
#include "route.h"

enum { SPEAKERS_MAX = 4, MOUNTS_MAX = 4, MOUNT_SIZE = 64, FIRSTS_MAX = 24 };

/* A literal first segment of its paths. */
typedef struct speaker_first {
    const char *text;
    size_t length;
} speaker_first_t;

typedef struct speaker {
    const dialect_t *dialect;
    routes_t *routes;
    char mounts[MOUNTS_MAX][MOUNT_SIZE];
    size_t mount_lengths[MOUNTS_MAX];
    size_t mount_count;
    char host[256]; /* owns the shared mounts under this name; "" = none */
    size_t host_length;
    speaker_first_t firsts[FIRSTS_MAX];
    size_t first_count;
    buf_t openapi;
    uint32_t write_per_minute; /* of an organization's buckets; 0 = as the dialect says */
    uint32_t read_per_minute;
    const char *tier;
    uint8_t forgets[IDEM_FORGETS / 8];
} speaker_t;

typedef struct speaker_choice {
    const speaker_t *speaker;
    const char *path; /* the contract's, as sent: "/v1/..."; NULL: there is no memory for it */
    bool
        sure; /* nobody else has this mount or host; false: where there is no route, the key says whose answer it is */
} speaker_choice_t;

/* `mounts` is a list split at commas. 0, E_BAD_REQUEST, E_NO_MEMORY. */
int speaker_set (speaker_t *self, const dialect_t *dialect, const char *mounts, const char *host,
                 failure_t *failure);
void speaker_clear (speaker_t *self);
/* `raw` is the path as sent, `host` the header or NULL. Without a fitting mount: the first speaker, the path as it is. */
speaker_choice_t speaker_choose (const speaker_t *speakers, size_t count, const char *raw,
                                 const char *host, arena_t *arena);
/* The speaker whose keys look like this one, NULL if none does. */
const speaker_t *speaker_of_key (const speaker_t *speakers, size_t count, const char *key);

#endif
