/* inner.h - private to libs/svc: the process (svc_t), an ask on its way through it, and what the files of the runtime call of each other.
 *
 * Threads and what they own:
 *   main     signals, readiness, disk and reader checks, drain
 *   bus      bus_t, answers, long polls' and settles' timeouts (busthread.c)
 *   writer   turns: lanes, followers, parked asks, timers (writer.c; its start: owner.c)
 *   readers  reads, each in a read transaction of its own (reader.c)
 *   outward  HTTP and waits of jobs (outward.c)
 * An ask_t belongs to one thread at a time: it moves bus -> writer or reader -> (journal's lists) -> bus. */
#ifndef AVIARY_SVC_INNER_H
#define AVIARY_SVC_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/big_endian.h"
#include "base/clock.h"
#include "base/hints.h"
#include "base/msgpack.h"
#include "gen/common.h"
#include "svc/lanes.h"
#include "svc/steps.h"
#include "svc/svc.h"

enum {
    TURN_ITEMS = 256,        /* most items of one turn */
    TURN_ROWS = 2000,        /* most rows that trimming takes in one turn */
    LANES_MOST = 128,        /* jobs claimed in one turn */
    SETTLE_MS = 1000,        /* longest wait for followers; the lease of cached keys */
    FOLLOWER_LIVE_MS = 2000, /* who asked within counts as there */
    FOLLOW_WAIT_MS = 1000,   /* long poll of followers */
    FOLLOW_TRIES = 3,        /* then an event that fails goes to quarantine */
    TWIN_MS = 5000,          /* a twin of a running keyed request waits so long */
    ASK_MEMORY =
        24
        << 20, /* arena of an ask, which takes what it needs: a carrier's batch of 3 MB needs about 14 */
    ANSWER_BYTES = 400 * 1024, /* of events in one answer */
    REPEAT_MS = 60000,
    BUCKETS = 10,
    EXIT_STORE = 74 /* EX_IOERR */
};

#define IDEM_MS (24 * 3600 * INT64_C (1000))

/* ---- an ask ---- */

typedef enum work_kind { WORK_ASK, WORK_FOLLOWED, WORK_OUTWARD, WORK_WAKE } work_kind_t;

/* What lies in the writer's inbox. */
typedef struct work {
    queue_item_t item;
    work_kind_t kind;
    struct work *also; /* the next one of its turn (again.h) */
} work_t;

typedef struct ask {
    work_t work;
    svc_t *svc;
    uint64_t token;
    envelope_t header;
    bytes_t body;
    arena_t *arena;
    arena_mark_t mark;     /* of `arena` when its turn began */
    const schema_op_t *op; /* NULL: one of the runtime's own */
    unsigned slot;         /* of its metrics */
    int64_t arrived_us;
    int64_t deadline; /* monotonic ms */
    bool credited;

    /* the answer */
    bool failed;
    bool wrote; /* the answer rests on this turn's commit */
    bool replayed;
    bytes_t answer; /* in `arena` */
    failure_t failure;
    const char *first_request_id;

    /* waiting */
    uint64_t settle; /* journal position that followers must have passed; 0 = none */
    int64_t until;   /* monotonic ms: long poll, settle or twin ends */
    id16_t parked;   /* the parked ask that it waits for */
    bool twin;
    uint64_t position; /* long poll: after this sequence */
    unsigned looks;    /* of a long poll */
} ask_t;

/* ---- metrics ---- */

typedef struct op_metrics {
    atomic_ullong count, failed, sum_us;
    atomic_ullong bucket[BUCKETS];
} op_metrics_t;

typedef struct metrics {
    op_metrics_t *ops; /* the service's, then the runtime's */
    size_t op_count;
    atomic_ullong *counters;
    atomic_ullong turns, again, commits, items, events, expired, quarantined, arena_peak, log_lines;
    atomic_ullong lanes_waiting, lanes_oldest_ms, lanes_breakers, lanes_outward;
    atomic_ullong lanes_quarantined, lanes_held, parked_waiting;
    atomic_ullong erase_pending, erase_rows;
    struct swept_metrics *swept; /* of each kind */
} metrics_t;

typedef struct swept_metrics {
    atomic_ullong rows, held;
    atomic_llong oldest; /* Unix ms; 0 = nothing is kept */
} swept_metrics_t;

extern const int64_t metrics_bounds_us[BUCKETS - 1];

/* ---- journal, followers of it, settles (journal.c, settle.c) ---- */

typedef struct follower {
    char name[64];
    bool lease;
    uint64_t position;
    int64_t asked; /* monotonic ms of the last journal_read */
    int64_t until; /* monotonic ms: a long poll of it waits */
} follower_t;

enum { FOLLOWERS_MAX = 128 };

typedef struct journal {
    pthread_mutex_t lock;
    table_t *table;
    atomic_ullong head; /* sequence of the newest committed event */
    id16_t epoch;
    int64_t since; /* monotonic ms: owner since */
    follower_t followers[FOLLOWERS_MAX];
    size_t follower_count;
    ask_t *polls; /* long polls, linked by work.item.next */
    ask_t *held;  /* answers waiting for followers */
    bool closed;  /* draining: no more waits */
} journal_t;

typedef struct cursor {
    id16_t epoch;
    uint16_t partition;
    uint64_t sequence;
} cursor_t;

enum { CURSOR_SIZE = 26 };
void cursor_write (const cursor_t *cursor, uint8_t out[CURSOR_SIZE]);
bool cursor_read (bytes_t text, cursor_t *out);

int journal_load (svc_t *svc, txn_t *txn, uint64_t *last, id16_t *last_id);
void journal_publish (svc_t *svc, uint64_t head);
void journal_read (svc_t *svc, ask_t *ask, txn_t *txn);
int64_t journal_tick (svc_t *svc, int64_t now); /* bus thread; monotonic ms of the next */
void journal_close (svc_t *svc);                /* draining: answer what waits */
int journal_trim (turn_t *t, svc_swept_t *out);
/* Does the cursor lead into this journal? One of a life before a restore does, up to where the lives part: it is set back to there if it is behind. */
int epoch_place (svc_t *svc, txn_t *txn, cursor_t *at, bool *fits);
/* As new owner, before the first turn: begin a restored store's new life (restored.c). */
int restored_take (svc_t *svc);
/* First or last row; E_NOT_FOUND when there is none. */
int journal_edge (txn_t *txn, table_t *table, bool last, uint64_t *sequence, bytes_t *value);
int journal_event_read (bytes_t packed, arena_t *arena, common_event_t *out);
void snapshot_read (svc_t *svc, ask_t *ask, txn_t *txn);

/* After the commit: release now or when the followers that `op` names have passed ask->settle. */
void settle_hold (svc_t *svc, ask_t *ask);
void settle_scan (svc_t *svc, int64_t now); /* with journal.lock held */
bool settle_follower_is (const char *listed, const char *follower);

/* ---- turned tables (turned.c) ---- */

typedef struct turned {
    const char *name;
    table_t *table[2];
    int64_t period;
    unsigned active;
    int64_t since;
} turned_t;

extern const char *const svc_tables[];
int turned_load (svc_t *svc, txn_t *txn, turned_t *self, const char *name, int64_t period);
int turned_get (const turned_t *self, txn_t *txn, bytes_t key, bytes_t *value);
int turned_put (const turned_t *self, txn_t *txn, bytes_t key, bytes_t value);
/* *out (may be NULL): the rows that it forgot, the oldest that there can be. */
int turned_turn (turned_t *self, turn_t *t, svc_swept_t *out);

/* ---- records of idempotency keys (keyed.c) ---- */

typedef struct keyed {
    table_t *rows, *turns;
    turned_t before; /* records in the form of before */
    bool has_before;
    hints_t hints;
    uint64_t first, next; /* numbers: of the first record of this turn, of the next */
    buf_t turn;           /* the row of those between */
} keyed_t;

typedef struct keyed_mark {
    uint64_t next;
    size_t hints;
} keyed_mark_t;

int keyed_open (svc_t *svc, txn_t *txn); /* as new owner; into svc->writer */
void keyed_close (keyed_t *self);
/* The newest outcome kept for a hash; valid until the next call on the transaction. E_NOT_FOUND. */
int keyed_get (const keyed_t *self, txn_t *txn, const uint8_t hash[32], bytes_t *value);
/* `row`: the hash and behind it the outcome. If it fails the step that it is in is to fail. */
int keyed_put (keyed_t *self, txn_t *txn, bytes_t row);
keyed_mark_t keyed_mark (const keyed_t *self);
void keyed_rewind (keyed_t *self, keyed_mark_t mark); /* its savepoint is rolled back */
/* The end of a turn: what it made, made at `now`; then whether that was committed. */
int keyed_store (keyed_t *self, txn_t *txn, int64_t now);
void keyed_ended (keyed_t *self, bool committed);
/* One step of forgetting what is older than IDEM_MS; E_CONFLICT_RETRY: there is more. */
int keyed_sweep (turn_t *t, svc_swept_t *out);

/* ---- what a repeat gets (outcome.c) ---- */

typedef enum kept_state { KEPT_RUNNING = 1, KEPT_DONE = 2, KEPT_FAILED = 3 } kept_state_t;

typedef struct kept {
    kept_state_t state;
    uint8_t fingerprint[32];
    id16_t ask;
    int64_t at;
    const char *request_id; /* of the first request */
    bytes_t answer;         /* packed; clear */
    failure_t failure;
} kept_t;

/* owner = associated data of sealing */
int kept_write (svc_t *svc, const schema_op_t *op, id16_t owner, const kept_t *in, buf_t *out);
int kept_read (svc_t *svc, id16_t owner, bytes_t packed, arena_t *arena, kept_t *out);

bool idem_is_keyed (const schema_op_t *op, const envelope_t *header);
bool idem_keeps (const idempotency_t *idem, int code); /* is a failure with this code kept */
/* Store an outcome for repeats of the ask in `t`: under its idempotency key, or its envelope id. */
int outcome_keep (turn_t *t, const schema_op_t *op, const envelope_t *header, kept_state_t state,
                  bytes_t answer, const failure_t *failure);
/* Is there one already? 0 = no: run it. E_ALREADY_EXISTS: *ask has its answer; E_PARKED: it waits for *ask->parked;
 * else a failure to answer with. */
int outcome_find (turn_t *t, ask_t *ask);

/* ---- parked asks (park.c) ---- */

/* Answer of a resumed ask, released after the commit. */
typedef struct resumed {
    struct resumed *next;
    id16_t id;
    bool failed;
    buf_t answer;
    failure_t failure;
    uint64_t settle;
    const schema_op_t *op;
} resumed_t;

int parked_has (turn_t *t, id16_t id);
int parked_open (svc_t *svc, id16_t id, bytes_t row, buf_t *clear); /* what a row holds, packed */
void resumed_free (resumed_t *self);
int parked_sweep (turn_t *t, svc_swept_t *out); /* rows that nobody resumed in three days */

/* ---- the turn (turn.c) ---- */

typedef struct counted {
    unsigned counter;
    uint64_t add;
} counted_t;

struct turn_inner {
    svc_t *svc;
    const schema_op_t *op;
    bytes_t in; /* packed `in` of the op, for park */
    id16_t ask_id;
    const void *result;
    bool resuming;
    bool parked;
    bool readonly;
    uint64_t last_event;
    id_source_t ids;          /* of readers */
    const envelope_t *hashed; /* whose idempotency key `idem_hash` is; NULL = nobody's yet */
    uint8_t idem_hash[32];
};

/* What a savepoint does not undo by itself: taken before, given back after a rollback. */
typedef struct turn_mark {
    uint64_t sequence;
    uint64_t last_event;
    size_t counted;
    resumed_t *resumed;
    keyed_mark_t keyed;
    size_t lanes;
} turn_mark_t;

turn_mark_t turn_mark (const turn_t *t);
void turn_unmark (turn_t *t, turn_mark_t mark);
/* Fill a turn for the writer's transaction under way (or a reader's). */
void turn_init (svc_t *svc, turn_t *t, turn_inner_t *inner, txn_t *txn, arena_t *arena,
                const envelope_t *header, bool reader);
/* run (t, context) under an arena trap: E_NO_MEMORY on overflow. */
int turn_trapped (turn_t *t, int (*run) (turn_t *t, void *context), void *context);
/* The same under a savepoint; all that the run did is undone if it fails (E_PARKED does not). */
int turn_step (turn_t *t, int (*run) (turn_t *t, void *context), void *context);
/* A failure that may be told: fills what fail () left out, turns signals into codes. */
void failure_finish (failure_t *failure, int code);
/* Decode `body`, call `handler`, encode its answer into *answer (memory in t->arena). */
int op_call (turn_t *t, const schema_op_t *op, int (*handler) (turn_t *, const void *, void *),
             bytes_t body, bytes_t *answer);
lanes_t *turn_lanes (const turn_t *t);

/* ---- the writer (writer.c, owner.c), followers (follow.c), timers (timers.c) ---- */

typedef struct follow follow_t;
typedef struct timer_state timer_state_t;
typedef struct sweep sweep_t;
typedef struct erase erase_t;

/* What the turn under way began with (again.c). */
typedef struct again {
    unsigned tries;
    work_t *chain; /* its items, by `also` */
    ask_t *waiting;
    uint64_t sequence;
    turned_t repeat, before; /* `before` of the keyed */
    bool has_before;
    int64_t growth_at;
    bool steps_changed;
    uint64_t quarantined;
} again_t;

typedef struct writer {
    svc_t *svc;
    queue_t *inbox;
    txn_t *txn; /* of the turn under way */
    int64_t now;
    steps_t steps;
    int broken;     /* the store failed in the middle of this turn: it ends without a commit */
    arena_t *arena; /* for all but asks */
    id_source_t ids;
    uint64_t sequence;           /* newest event, committed or not */
    buf_t event_body, event_row; /* of one event, on its way */
    counted_t *counted;
    size_t counted_count, counted_capacity;
    resumed_t *resumed;
    turned_t repeat;
    keyed_t keyed;
    table_t *parked, *cursors, *quarantine;
    lanes_t *lanes;
    follow_t *follows;
    size_t follow_count;
    timer_state_t *timers;
    size_t timer_count;
    sweep_t *sweep;
    erase_t *erase;
    int64_t growth_at; /* Unix ms of the newest sample; 0 = not looked yet */
    int64_t commit_us; /* what one takes, on the average */
    size_t crowd;      /* asks of the last turn, and what came meanwhile; 0 = few */
    again_t again;
    ask_t *waiting;  /* for parked asks */
    ask_t *answered; /* of this turn, in order of arrival */
    ask_t **answered_end;
} writer_t;

int writer_open (svc_t *svc); /* ownership taken: load, first turn */
void writer_close (svc_t *svc);
/* One turn over a chain of work items (may be NULL). */
int writer_turn (svc_t *svc, work_t *chain);
/* Its end: lanes, commit, release. E_CONFLICT_RETRY: all of it is to be run again (again.h). */
int writer_finish (svc_t *svc);
/* The last thing in every turn: what handlers staged gets its rows here, and what is ready is claimed (nothing while the process is going). */
int writer_claim (writer_t *w);
/* After the commit: jobs go out, answers leave. */
void writer_committed (writer_t *w, bool wrote);
void writer_forget (writer_t *w); /* what the turn staged in memory */
void writer_resumed_drop (writer_t *w);
int64_t writer_next (svc_t *svc); /* ms to wait at most */
void *writer_main (void *svc);
void writer_outward_done (void *svc, outward_done_t *done); /* from any thread */
void writer_wake (svc_t *svc);
void outward_work_free (work_t *work, lanes_t *lanes); /* NULL: there are none any more */
void writer_answer (writer_t *w, ask_t *ask);          /* at the turn's end */
void parked_wait (writer_t *w, ask_t *ask, int64_t until);
void parked_tick (writer_t *w, int64_t now, bool all); /* time is over: fail and release */

int follow_open (svc_t *svc);
void follow_close (svc_t *svc);
void follow_tick (svc_t *svc, int64_t now); /* ask who is to be asked; monotonic ms */
int64_t follow_next (const svc_t *svc);
void follow_work (writer_t *w, work_t *work); /* in a turn */
int follow_store (writer_t *w); /* the last thing in a turn: places that are to be stored */
bool follow_unstored (const svc_t *svc);          /* is there one that a turn should store? */
void follow_settled (svc_t *svc, bool committed); /* after the turn */
bool follow_ready (svc_t *svc, char *reason, size_t size);
void follow_metrics (svc_t *svc, buf_t *out);
/* The row that follows event `number` of a service; NULL if there is none. */
const svc_follow_t *follow_row (const svc_t *svc, const char *service, int64_t number);
/* In a turn: the effects of one event. */
int follow_apply (turn_t *t, const svc_follow_t *row, const common_event_t *e, bool snapshot);

int timers_open (svc_t *svc);
void timers_close (svc_t *svc);
bool timers_due (svc_t *svc, int64_t now);
void timers_run (writer_t *w);
int64_t timers_next (const svc_t *svc, int64_t now); /* ms */

/* ---- the sweeper (sweep.c), what the disk has left (growth.c) ---- */

int sweep_open (svc_t *svc); /* in the first turn */
void sweep_close (svc_t *svc);
int sweep_run (turn_t *t); /* a timer */
size_t sweep_kinds (const svc_t *svc);
const svc_retention_t *sweep_kind (const svc_t *svc, size_t n);

/* ---- erasing (erase.c) ---- */

enum { EVENT_BLANK = 65535 }; /* number of what is left of an erased event: nobody follows it */

int erase_open (svc_t *svc); /* in the first turn */
void erase_close (svc_t *svc);
int erase_run (turn_t *t); /* a timer */
/* An event was made or followed: if its schema says that it erases, the walk begins. */
int erase_heard (turn_t *t, const schema_event_t *event, const void *body, bool snapshot);
/* When an id was to be erased, and when nothing of it was left (0: not yet). E_NOT_FOUND: never. */
int erase_receipt (svc_t *svc, txn_t *txn, id16_t id, int64_t *asked, int64_t *done);

int growth_note (turn_t *t); /* once an hour: what the store takes and the disk has left */
void storage_run (svc_t *svc, ask_t *ask, txn_t *txn); /* the op `storage` */

/* ---- readers (reader.c), builtin ops (builtin.c) ---- */

typedef struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    queue_item_t *first, **last;
    size_t count;
    bool closed;
} pool_t;

void pool_init (pool_t *self);
void pool_free (pool_t *self);
void pool_put (pool_t *self, ask_t *ask);
ask_t *pool_take (pool_t *self); /* NULL: closed and empty */
void pool_close (pool_t *self);
void *reader_main (void *svc);
void reader_run (svc_t *svc, ask_t *ask);

typedef struct builtin {
    const char *name;
    unsigned flags;
    const schema_type_t *in, *out;
    /* Answers through ask_answer or ask_fail, now or later. */
    void (*run) (svc_t *svc, ask_t *ask, txn_t *txn);
    const schema_op_t *writes; /* it runs in a turn instead, as this op */
} builtin_t;

/* kept_ops.c: what a person decides about jobs and events that were put aside. */
void kept_list_run (svc_t *svc, ask_t *ask, txn_t *txn);
extern const schema_op_t kept_act_op, kept_resume_op;

/* kept.c: events in quarantine. */
typedef struct kept_event {
    int code; /* why */
    int64_t since;
    common_event_t event;
    const char *service;
} kept_event_t;
int kept_event_read (bytes_t key, bytes_t row, arena_t *arena, kept_event_t *out);
int kept_event_write (const char *service, const common_event_t *event, int code, int64_t now,
                      txn_t *txn, table_t *table);
/* In the owner's turn: apply it now, or forget it. E_NOT_FOUND: no event of this id is there. */
int kept_event_act (turn_t *t, id16_t id, bool drop, const char **name);

extern const builtin_t builtins[];
extern const size_t builtin_count;
const builtin_t *builtin_find (const char *name);

/* ---- guard (guard.c): what ran when the process died ---- */

typedef struct guard guard_t;
int guard_open (const char *path, guard_t **out);
void guard_close (guard_t **self);
/* Note that `id` runs now; false: it was there at three crashes and must not run. NULL self: true. */
bool guard_enter (guard_t *self, id16_t id);
void guard_leave (guard_t *self);
unsigned guard_quarantined (const guard_t *self);
void guard_forget (guard_t *self, id16_t id); /* it may run again */

/* ---- process ---- */

typedef struct settings {
    common_settings_t common;
    void *own;              /* NAME_settings_t */
    char **texts;           /* as given, NULL = default */
    struct settings *older; /* kept: others may still read them */
} settings_t;

typedef struct svc_state {
    bool ready;
    char reason[160];
} svc_state_t;

struct svc {
    const svc_service_t *service;
    const schema_service_t *schema;
    _Atomic (settings_t *) settings;
    char data[512];
    unsigned replica;
    keyring_t *keyring;
    void *context;
    atomic_int log_level;
    int argc;
    char **argv;

    store_t *store;
    const struct backend *backend; /* of the store, and its own options; tests only, else NULL */
    const void *backend_options;
    writer_t writer;
    journal_t journal;
    pool_t pool;
    guard_t *guard;
    metrics_t metrics;
    struct outward_thread *outward;
    pthread_mutex_t outward_lock; /* against answers that come while it stops */

    pthread_t bus_thread, writer_thread;
    pthread_t *reader_threads;
    unsigned reader_count;
    bus_t *bus;
    const char **ops; /* told to the broker */
    queue_t *out;     /* ask_t to answer */
    queue_t *asks;    /* svc_ask_t to send */
    atomic_bool connected, bus_quit, bus_bye;
    bool said_bye, bus_runs, writer_runs, said_ready, terminating;
    int bus_fd;
    pthread_mutex_t bus_lock; /* of the three */
    pthread_cond_t bus_handed;
    bool bus_lent, bus_rests;
    ask_t *spare_asks; /* the bus thread's, by their items' `next` */
    unsigned spare_ask_count;
    bool compacting; /* ends, for its store to be made anew */

    atomic_bool current; /* the store is as this version has it, though not owned */
    atomic_bool owner, opened, resting, draining, quit, disk_low, disk_scarce;
    atomic_uint under_way; /* asks here */
    atomic_uint credit;    /* of asks that wait here: to be given back */
    atomic_int fatal;      /* exit code that a thread asks for; 0 = none */
    int wake_fd;           /* of the main thread */
    int64_t started;       /* monotonic ms */
    atomic_ullong disk_free, store_used;

    pthread_mutex_t state_lock;
    svc_state_t state;

    /* Where answers go: the bus thread's queue, or a test. */
    void (*release) (svc_t *svc, ask_t *ask);
    /* Where jobs go: the outward thread, or a test. */
    void (*launch) (svc_t *svc, outward_t *outward);
};

/* asks.c */
ask_t *ask_new (svc_t *svc, uint64_t token, const envelope_t *header, bytes_t body, arena_t *arena);
void ask_free (ask_t *ask);
void ask_dispatch (svc_t *svc, ask_t *ask);
void ask_fail (ask_t *ask, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4))); /* and release */
void ask_set_failure (ask_t *ask, int code, const failure_t *failure);
/* Pack `out` and release; E_NO_MEMORY is told too. */
void ask_answer (ask_t *ask, const schema_type_t *type, const void *out);
void ask_release (ask_t *ask);

/* busthread.c */
int busthread_start (svc_t *svc, failure_t *failure);
void busthread_stop (svc_t *svc); /* nothing while it is lent: to be called again */
void busthread_release (svc_t *svc, ask_t *ask);

/* settings.c */
enum { SETTINGS_RUN = 0, SETTINGS_CHECK, SETTINGS_PRINT, SETTINGS_HELP, SETTINGS_VERSION };
/* Reads file, environment, flags into a new settings_t. 0, or E_BAD_REQUEST with the failure. */
int settings_read (const svc_t *svc, settings_t **out, failure_t *failure);
int settings_mode (const svc_t *svc);
void settings_print (const svc_t *svc, const settings_t *settings, buf_t *out);
void settings_help (const svc_t *svc, buf_t *out);
void settings_free (const svc_t *svc, settings_t *settings);
/* HUP: takes what is reloadable over into a new set; logs what changed. */
void settings_reload (svc_t *svc);
const common_settings_t *svc_common (const svc_t *svc);

/* log.c */
int log_level_read (const char *text);
void log_ask (svc_t *svc, const ask_t *ask);

/* metrics.c, health.c */
int metrics_new (svc_t *svc);
void metrics_free (svc_t *svc);
void metrics_ask (svc_t *svc, const ask_t *ask);
void metrics_write (svc_t *svc, buf_t *out);
void metrics_lanes (svc_t *svc);
void health_update (svc_t *svc); /* main thread */
void health_disk (svc_t *svc);
void health_details (svc_t *svc, arena_t *arena, schema_map_t *out);
void state_dump (svc_t *svc);

/* notify.c */
void notify_systemd (const char *text);

/* An OUT_ASK on its way. */
typedef struct outward_ask {
    svc_ask_t ask;
    svc_t *svc;
    id16_t job;
    char text[]; /* target, NUL, body */
} outward_ask_t;

/* svc.c: parts of svc_main that tests use too */
int svc_open (svc_t *svc, const svc_service_t *service, int argc, char **argv);
void svc_close (svc_t *svc);
int svc_store_open (svc_t *svc, failure_t *failure);
enum { SVC_FOLDER_SIZE = 512 + 128 };
const char *svc_store_folder (const svc_t *svc, char space[SVC_FOLDER_SIZE]);
void svc_fatal (svc_t *svc, int code, const char *why);

#endif
