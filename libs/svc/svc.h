/* svc.h - the runtime of a service: a main file is tables and one call.
 *
 *     int main (int argc, char **argv) { return svc_main (&messaging, argc, argv); }
 *
 * From here come settings (file DIR/aviary.conf, then environment AVIARY_<SERVICE>_<NAME> or _FILE, then flags --name), signals, JSON log lines, the bus thread, the
 * writer and its turn, readers, journal and followers, settles, idempotency, envelope-id repeats, parked asks, lanes and outbound HTTP, timers, health, metrics,
 * --help --version --check-config --print-config, sd_notify and exit codes. */
#ifndef AVIARY_SVC_SVC_H
#define AVIARY_SVC_SVC_H

#include "svc/erase.h"
#include "svc/job.h"
#include "svc/sweep.h"
#include "svc/turn.h"
#include "bus/bus.h"
#include "base/queue.h"

/* One row per event that this service follows. `apply` gets the decoded body; what it writes commits together with the cursor.
 * With snapshots the same row gets synthetic events (event->snapshot). Rows with an older version than the reader has are its own to skip. */
typedef struct svc_follow {
    const schema_event_t *event;
    int (*apply) (turn_t *t, const journal_event_t *event, const void *body);
} svc_follow_t;

/* One row per record that a new follower needs: turns a stored row into the event that tells it whole. */
typedef struct svc_snapshot {
    const schema_record_t *record;
    const schema_event_t *event;
    /* Fill *about and *body (zeroed struct of event->type) from the row; return 0, or E_NOT_FOUND to leave the row out. */
    int (*fill) (turn_t *t, const void *row, event_about_t *about, void *body);
} svc_snapshot_t;

typedef struct svc_timer {
    const char *name;
    uint32_t every_ms;
    int (*run) (
        turn_t *
            t); /* in a turn of the owner; work over 2,000 rows stops and goes on at the next run (return E_CONFLICT_RETRY to run again at once) */
} svc_timer_t;

typedef struct svc_explain {
    void (*line) (void *context, int64_t at, const char *what, const char *detail);
    void *context;
} svc_explain_t;

typedef struct svc_service {
    const schema_service_t *schema; /* generated, with handlers */
    const svc_follow_t *follows;    /* grouped by event->service in any order */
    size_t follow_count;
    /* Services it follows that an installation may lack, NULL-terminated, or NULL: one that is not there does not hold up readiness for longer than 5 s. */
    const char *const *follows_if_there;
    const svc_snapshot_t *snapshots;
    size_t snapshot_count;
    const svc_timer_t *timers;
    size_t timer_count;
    const svc_retention_t *retentions; /* what it does not keep for ever */
    size_t retention_count;
    const svc_erase_t *erases; /* records that may tell of what was erased elsewhere */
    size_t erase_count;
    const job_kind_t *const *jobs;
    size_t job_count;
    const migration_t *migrations;
    size_t migration_count;
    bool stateless; /* no store, no writer (edge) */
    /* Before the bus: make *context (adapters, servers). Settings are read. Non-zero: exit 78 with the failure's text. */
    int (*start) (svc_t *svc, void **context, failure_t *failure);
    /* The bus is up (stateless services: start serving HTTP). */
    int (*ready) (svc_t *svc, void *context, failure_t *failure);
    void (*drain) (
        svc_t *svc,
        void *context); /* TERM came: stop accepting; called once, may block up to the drain time */
    void (*stop) (void **context);
    int (*own) (turn_t *t); /* first turn after taking ownership: bootstrap what must exist */
    /* Limits and allowed networks of its outbound HTTP; NULL = guard closed, https only. Called once, settings are read. */
    void (*outbound) (svc_t *svc, fetch_config_t *out);
    /* What this service kept about an id: lines in any order. Runs as a read. */
    int (*explain) (turn_t *t, id16_t id, const svc_explain_t *out);
    /* Extra lines for /metrics: text exposition appended to *out. From any thread. */
    void (*metrics) (svc_t *svc, void *context, buf_t *out);
    /* Is it ready beside what the runtime checks? Reason into text. */
    bool (*healthy) (svc_t *svc, void *context, char *reason, size_t size);
} svc_service_t;

int svc_main (const svc_service_t *service, int argc, char **argv);

/* ---- for start/ready hooks and stateless services ---- */

/* What `healthy` says has changed: it is asked at once. From any thread. */
void svc_wake (svc_t *svc);

const void *svc_settings (const svc_t *svc); /* NAME_settings_t; replaced as a whole on HUP */
const char *svc_data (const svc_t *svc);     /* DIR */
uint64_t svc_disk_low (const svc_t *svc);    /* bytes that new work must leave free */
/* The last quarter of these is being used: what others repeat is refused with E_DISK_LOW, and the rest is for results and for what frees room. */
bool svc_disk_is_scarce (const svc_t *svc);
const char *svc_name (const svc_t *svc);
unsigned svc_replica (const svc_t *svc);
const keyring_t *svc_keyring (const svc_t *svc);
void *svc_context (const svc_t *svc);

/* An ask from any thread: copied header strings and body must live until `done` is called (on the bus thread, exactly once). */
typedef struct svc_ask {
    queue_item_t item;
    envelope_t header;
    bytes_t body;
    bus_answer_fn *done;
    void *context;
} svc_ask_t;
void svc_ask (svc_t *svc, svc_ask_t *ask);
/* Asks between the two leave together. From any thread, for moments. */
void svc_asks_hold (svc_t *svc);
void svc_asks_go (svc_t *svc);

/* A thread of the service may do the bus thread's work for a while, so that nobody has to be woken between the two. svc_bus_borrow: the bus thread rests, and its
 * descriptors are given; then that one thread calls svc_bus_run again and again, after svc_bus_arm said that it may sleep on the descriptors (false: there is
 * something to do). Before the service stops svc_bus_return lets the bus thread go on. */
enum { SVC_BUS_FDS = 3 };
void svc_bus_borrow (svc_t *svc, int fds[SVC_BUS_FDS]);
bool svc_bus_arm (svc_t *svc);
/* `silent`: it slept on the descriptors, and the first one had nothing. How many ms it may sleep. */
int svc_bus_run (svc_t *svc, bool silent);
void svc_bus_return (svc_t *svc);

/* A JSON log line: extra fields as "key", "value" pairs, NULL-terminated. Values that are secret or personal do not belong here. */
typedef enum svc_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } svc_level_t;
void svc_log (svc_t *svc, svc_level_t level, const char *message, ...) __attribute__ ((sentinel));
bool svc_logs (const svc_t *svc, svc_level_t level);         /* worth making the values for? */
void svc_count (svc_t *svc, unsigned counter, uint64_t add); /* from any thread */

#endif
