/* pipeline.c - the bare pipeline: what the parts of a durable send cost without any of its features. compare.py compares with it.
 *
 * Three processes, as Aviary has them: civetweb's threads hand each POST to one bus thread (DEALER), a broker (ROUTER on ipc) passes it on, a bus thread
 * hands it to one LMDB writer, which takes all that waits into one transaction, writes as many rows a message as messaging does, of their sizes, commits and
 * flushes, and only then answers. No keys, no limits, no validation, no idempotency, no savepoints, nothing looked up. LMDB as in libs/store (no MDB_WRITEMAP,
 * which knows no savepoints); what a bus thread has to send in one round goes as one message of the bus, as in libs/bus.
 *
 *   pipeline FOLDER PORT [THREADS]     THREADS of civetweb (128)
 *
 * Says "ready" and runs until it gets TERM. How it fails: it says why and aborts; it is a measuring device. */
#include <civetweb.h>
#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { BODY_MAX = 2048, KEY_MAX = 64, ANSWER = 200 };

/* What messaging put for an accepted SMS (one part of 120 characters), counted with an interposed mdb_put over 15,000 sends of sms.lua; and for each commit. */
static const struct {
    const char *table;
    size_t key, value;
    unsigned flags;
} rows[] = {
    /* all by time, perhaps after a prefix */
    {"idempotency", 8, 324, MDB_APPEND},
    {"message", 16, 377, MDB_APPEND},
    {"message/log", 48, 0, 0},
    {"message/log_of_app", 48, 0, 0},
    {"message/log_of_number", 40, 0, 0},
    {"recipient", 16, 78, MDB_APPEND},
    {"recipient/by_message", 32, 0, 0},
    {"recipient/by_status", 40, 0, 0},
    {"jobs", 16, 168, MDB_APPEND},
    {"due", 32, 16, 0},
    {"count", 29, 8, 0}, /* the last: COUNTERS a commit, and what the keys of a turn leave */
};
enum { TABLES = sizeof rows / sizeof *rows, COUNT = TABLES - 1, COUNTERS = 9 };

/* What the bus carries. */
typedef struct envelope {
    uint64_t token; /* the edge's: the address of its item */
    size_t size;    /* of the body */
    char body[BODY_MAX];
} envelope_t;

/* Envelopes behind one another, each to the next multiple of 8: a message of the bus. */
typedef struct train {
    char *data;
    size_t size, capacity;
} train_t;

/* A request on its way: in the edge it lives on the stack of its HTTP thread, in the store on the heap. */
typedef struct item {
    struct item *next;
    sem_t done;
    envelope_t envelope;
} item_t;

/* Between threads: one lock, one eventfd (written only by who finds it empty). */
typedef struct line {
    pthread_mutex_t lock;
    item_t *first;
    item_t **end;
    int fd;
} line_t;

typedef struct pipeline {
    const char *folder;
    char endpoint[512];
    char port[16];
    char threads[16];
    line_t in, out; /* towards the broker or the writer; back to the bus thread */
    MDB_env *env;
    MDB_dbi tables[TABLES];
} pipeline_t;

static void must (int ok, const char *what)
{
    if (!ok) {
        fprintf (stderr, "pipeline: %s: %s\n", what, zmq_strerror (errno));
        abort ();
    }
}

static void line_open (line_t *self)
{
    pthread_mutex_init (&self->lock, NULL);
    self->first = NULL;
    self->end = &self->first;
    self->fd = eventfd (0, EFD_CLOEXEC);
    must (self->fd >= 0, "eventfd");
}

static void line_put_all (line_t *self, item_t *first, item_t **end)
{
    pthread_mutex_lock (&self->lock);
    int was_empty = self->first == NULL;
    *self->end = first;
    self->end = end;
    pthread_mutex_unlock (&self->lock);
    if (was_empty)
        must (eventfd_write (self->fd, 1) == 0, "eventfd_write");
}

static void line_put (line_t *self, item_t *item)
{
    item->next = NULL;
    line_put_all (self, item, &item->next);
}

static item_t *line_take (line_t *self)
{
    pthread_mutex_lock (&self->lock);
    item_t *first = self->first;
    self->first = NULL;
    self->end = &self->first;
    pthread_mutex_unlock (&self->lock);
    return first;
}

/* ---- the broker ---- */

static void frame_move (void *socket, zmq_msg_t *frame, int flags)
{
    must (zmq_msg_send (frame, socket, flags) >= 0 || errno == EHOSTUNREACH, "send");
}

/* [sender][target][train] -> [target][train] */
static void broker_run (const pipeline_t *self)
{
    void *context = zmq_ctx_new (), *router = zmq_socket (context, ZMQ_ROUTER);
    zmq_msg_t sender, target, train;
    int none = 0;
    zmq_setsockopt (router, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt (router, ZMQ_RCVHWM, &none, sizeof none);
    must (zmq_bind (router, self->endpoint) == 0, "bind");
    zmq_msg_init (&sender);
    zmq_msg_init (&target);
    zmq_msg_init (&train);
    for (;;) {
        must (zmq_msg_recv (&sender, router, 0) >= 0, "receive");
        must (zmq_msg_recv (&target, router, 0) >= 0, "receive");
        must (zmq_msg_recv (&train, router, 0) >= 0, "receive");
        frame_move (router, &target, ZMQ_SNDMORE);
        frame_move (router, &train, 0);
    }
}

static void *peer_open (const pipeline_t *self, const char *name)
{
    void *socket = zmq_socket (zmq_ctx_new (), ZMQ_DEALER);
    int none = 0;
    zmq_setsockopt (socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt (socket, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt (socket, ZMQ_ROUTING_ID, name, strlen (name));
    must (zmq_connect (socket, self->endpoint) == 0, "connect");
    return socket;
}

static size_t envelope_size (const envelope_t *envelope)
{
    return (offsetof (envelope_t, body) + envelope->size + 7) & ~(size_t) 7;
}

static void train_add (train_t *self, const envelope_t *envelope)
{
    size_t size = envelope_size (envelope);
    if (self->size + size > self->capacity) {
        self->capacity = 2 * (self->size + size);
        self->data = realloc (self->data, self->capacity);
        must (self->data != NULL, "memory");
    }
    memcpy (self->data + self->size, envelope, offsetof (envelope_t, body) + envelope->size);
    self->size += size;
}

static void train_send (train_t *self, void *socket, const char *to)
{
    if (!self->size)
        return;
    must (zmq_send (socket, to, strlen (to), ZMQ_SNDMORE) >= 0, "send");
    must (zmq_send (socket, self->data, self->size, 0) >= 0, "send");
    self->size = 0;
}

/* False: nothing there. */
static int train_receive (zmq_msg_t *frame, void *socket)
{
    return zmq_msg_recv (frame, socket, ZMQ_DONTWAIT) >= 0;
}

/* The one at *at, moving it on; NULL: no more. */
static const envelope_t *train_next (zmq_msg_t *frame, size_t *at)
{
    const char *data = zmq_msg_data (frame);
    size_t left = zmq_msg_size (frame) - *at;
    const envelope_t *envelope = (const envelope_t *) (const void *) (data + *at);
    if (!left)
        return NULL;
    must (left >= offsetof (envelope_t, body) && envelope->size <= BODY_MAX &&
              envelope_size (envelope) <= left,
          "an envelope");
    *at += envelope_size (envelope);
    return envelope;
}

/* Waits for the socket or the line; empties the line's eventfd. */
static void peer_wait (void *socket, const line_t *line, int wait_ms)
{
    int fd = -1, events = 0;
    size_t size = sizeof fd;
    zmq_getsockopt (socket, ZMQ_FD, &fd, &size);
    size = sizeof events;
    zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size);
    struct pollfd polled[2] = {{.fd = fd, .events = POLLIN}, {.fd = line->fd, .events = POLLIN}};
    poll (polled, 2, events & ZMQ_POLLIN ? 0 : wait_ms);
    eventfd_t count;
    if (polled[1].revents & POLLIN)
        must (eventfd_read (line->fd, &count) == 0, "eventfd_read");
}

/* ---- the store ---- */

static void row_put (const pipeline_t *self, MDB_txn *txn, unsigned table, uint64_t number,
                     char *value)
{
    uint8_t key[KEY_MAX] = {(uint8_t) table};
    uint8_t *at = key + rows[table].key - 8;
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t) (number >> (56 - 8 * i));
    MDB_val k = {rows[table].key, key}, v = {rows[table].value, value};
    must (mdb_put (txn, self->tables[table], &k, &v, rows[table].flags) == 0, "put");
}

static void message_write (const pipeline_t *self, MDB_txn *txn, item_t *item, uint64_t number)
{
    for (unsigned i = 0; i < COUNT; i++)
        row_put (self, txn, i, number, item->envelope.body);
}

static void *writer_run (void *given)
{
    pipeline_t *self = given;
    uint64_t number = 0;
    for (;;) {
        eventfd_t count;
        must (eventfd_read (self->in.fd, &count) == 0, "eventfd_read");
        for (item_t *batch = line_take (&self->in); batch; batch = line_take (&self->in)) {
            MDB_txn *txn;
            item_t **end = &batch;
            must (mdb_txn_begin (self->env, NULL, 0, &txn) == 0, "begin");
            for (; *end; end = &(*end)->next)
                message_write (self, txn, *end, ++number);
            for (unsigned i = 0; i < COUNTERS; i++)
                row_put (self, txn, COUNT, i, batch->envelope.body);
            must (mdb_txn_commit (txn) == 0, "commit");
            line_put_all (&self->out, batch, end);
        }
    }
    return NULL;
}

static void store_open (pipeline_t *self)
{
    char path[512];
    MDB_txn *txn;
    snprintf (path, sizeof path, "%s/store", self->folder);
    must (mkdir (path, 0700) == 0 || errno == EEXIST, path);
    must (mdb_env_create (&self->env) == 0, "env");
    mdb_env_set_mapsize (self->env, (size_t) 1 << 38);
    mdb_env_set_maxdbs (self->env, TABLES);
    must (mdb_env_open (self->env, path, MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0600) == 0,
          path);
    must (mdb_txn_begin (self->env, NULL, 0, &txn) == 0, "begin");
    for (unsigned i = 0; i < TABLES; i++)
        must (mdb_dbi_open (txn, rows[i].table, MDB_CREATE, &self->tables[i]) == 0, rows[i].table);
    must (mdb_txn_commit (txn) == 0, "commit");
}

static void store_run (pipeline_t *self)
{
    pthread_t writer;
    line_open (&self->in);
    line_open (&self->out);
    store_open (self);
    must (pthread_create (&writer, NULL, writer_run, self) == 0, "thread");
    void *socket = peer_open (self, "store");
    item_t *spare = NULL;
    train_t answers = {0};
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    for (;;) {
        item_t *first = NULL, **end = &first;
        while (train_receive (&frame, socket)) {
            const envelope_t *envelope;
            for (size_t at = 0; (envelope = train_next (&frame, &at)) != NULL;) {
                item_t *item = spare ? spare : calloc (1, sizeof *item);
                must (item != NULL, "memory");
                spare = item->next;
                memcpy (&item->envelope, envelope, offsetof (envelope_t, body) + envelope->size);
                item->next = NULL;
                *end = item;
                end = &item->next;
            }
        }
        if (first)
            line_put_all (&self->in, first, end);
        for (item_t *item = line_take (&self->out); item;) {
            item_t *next = item->next;
            item->envelope.size = ANSWER;
            memset (item->envelope.body, 'a', ANSWER);
            train_add (&answers, &item->envelope);
            item->next = spare;
            spare = item;
            item = next;
        }
        train_send (&answers, socket, "edge"); /* the only one that asks */
        peer_wait (socket, &self->out, 1000);
    }
}

/* ---- the edge ---- */

static int on_request (struct mg_connection *connection)
{
    pipeline_t *self = mg_get_user_data (mg_get_context (connection));
    item_t item;
    int got = mg_read (connection, item.envelope.body, sizeof item.envelope.body);
    sem_init (&item.done, 0, 0);
    item.envelope.size = got > 0 ? (size_t) got : 0;
    item.envelope.token = (uint64_t) (uintptr_t) &item;
    line_put (&self->in, &item);
    while (sem_wait (&item.done))
        ;
    sem_destroy (&item.done);
    char answer[BODY_MAX + 128];
    int length = snprintf (answer, sizeof answer,
                           "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n",
                           item.envelope.size);
    memcpy (answer + length, item.envelope.body, item.envelope.size);
    mg_write (connection, answer, (size_t) length + item.envelope.size);
    return 201;
}

static void http_start (pipeline_t *self)
{
    const char *options[] = {"listening_ports",
                             self->port,
                             "num_threads",
                             self->threads,
                             "tcp_nodelay",
                             "1",
                             "enable_keep_alive",
                             "yes",
                             "keep_alive_timeout_ms",
                             "15000",
                             "request_timeout_ms",
                             "30000",
                             "decode_url",
                             "no",
                             "enable_directory_listing",
                             "no",
                             "enable_auth_domain_check",
                             "no",
                             "access_control_allow_origin",
                             "",
                             NULL};
    struct mg_callbacks callbacks = {.begin_request = on_request};
    must (mg_start (&callbacks, self, options) != NULL, "civetweb");
}

static void edge_started (pipeline_t *self, int *started)
{
    if (*started)
        return;
    *started = 1;
    http_start (self);
    puts ("ready");
    fflush (stdout);
}

static void edge_run (pipeline_t *self)
{
    line_open (&self->in);
    void *socket = peer_open (self, "edge");
    envelope_t hello = {0};
    train_t asks = {0};
    int started = 0;
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    for (;;) {
        while (train_receive (&frame, socket)) {
            const envelope_t *got;
            for (size_t at = 0; (got = train_next (&frame, &at)) != NULL;) {
                item_t *item = (item_t *) (uintptr_t) got->token;
                if (!item) {
                    edge_started (self, &started);
                    continue;
                }
                memcpy (&item->envelope, got, offsetof (envelope_t, body) + got->size);
                sem_post (&item->done);
            }
        }
        for (item_t *item = line_take (&self->in); item; item = item->next)
            train_add (&asks, &item->envelope);
        if (!started) /* a ROUTER drops what it cannot route yet: ask until the store answers */
            train_add (&asks, &hello);
        train_send (&asks, socket, "store");
        peer_wait (socket, &self->in, started ? 1000 : 20);
    }
}

/* ---- */

static void child (pipeline_t *self, void (*run) (pipeline_t *self))
{
    pid_t pid = fork ();
    must (pid >= 0, "fork");
    if (pid > 0)
        return;
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    run (self);
}

static void broker_child (pipeline_t *self)
{
    broker_run (self);
}

static unsigned number_of (int argc, char **argv, int at, unsigned otherwise, unsigned most)
{
    unsigned long n = argc > at ? strtoul (argv[at], NULL, 10) : otherwise;
    return n > 0 && n <= most ? (unsigned) n : otherwise;
}

int main (int argc, char **argv)
{
    if (argc < 3) {
        fputs ("usage: pipeline FOLDER PORT [THREADS]\n", stderr);
        return 64;
    }
    pipeline_t self = {.folder = argv[1]};
    snprintf (self.endpoint, sizeof self.endpoint, "ipc://%s/bus", self.folder);
    snprintf (self.port, sizeof self.port, "%u", number_of (argc, argv, 2, 8080, 65535));
    snprintf (self.threads, sizeof self.threads, "%u", number_of (argc, argv, 3, 128, 4096));
    child (&self, broker_child);
    child (&self, store_run);
    edge_run (&self);
    return 0;
}
