/* pipeline.c - the bare pipeline: what the parts of a durable send cost without any of its features. compare.py compares with it.
 *
 * Three processes, as Aviary has them: civetweb's threads hand each POST to one bus thread (DEALER), a broker (ROUTER on ipc) passes it on, a bus thread
 * hands it to one LMDB writer, which takes all that waits into one transaction, writes PUTS rows a message, commits and flushes, and only then answers.
 * No keys, no limits, no validation, no idempotency.
 *
 *   pipeline FOLDER PORT [PUTS [BYTES [THREADS]]]     PUTS rows a message (8) of BYTES each (175), THREADS of civetweb (128)
 *
 * Says "ready" and runs until it gets TERM. How it fails: it says why and aborts; it is a measuring device. */
#include <civetweb.h>
#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { BODY_MAX = 2048, PUTS_MAX = 64, ROW_MAX = 1024, TABLES = 8, BATCH = 512 };

/* A request on its way: in the edge it lives on the stack of its HTTP thread, in the store on the heap. */
typedef struct item {
    struct item *next;
    uint64_t token; /* the edge's: its address */
    size_t size;
    sem_t *done;
    char body[BODY_MAX];
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
    unsigned puts;
    size_t bytes;
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

/* [sender][target][token][body] -> [target][sender][token][body] */
static void broker_run (const pipeline_t *self)
{
    void *context = zmq_ctx_new (), *router = zmq_socket (context, ZMQ_ROUTER);
    int none = 0;
    zmq_setsockopt (router, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt (router, ZMQ_RCVHWM, &none, sizeof none);
    must (zmq_bind (router, self->endpoint) == 0, "bind");
    for (;;) {
        zmq_msg_t frames[4];
        for (int i = 0; i < 4; i++) {
            zmq_msg_init (&frames[i]);
            must (zmq_msg_recv (&frames[i], router, 0) >= 0, "receive");
        }
        frame_move (router, &frames[1], ZMQ_SNDMORE);
        frame_move (router, &frames[0], ZMQ_SNDMORE);
        frame_move (router, &frames[2], ZMQ_SNDMORE);
        frame_move (router, &frames[3], 0);
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

static void peer_send (void *socket, const char *to, uint64_t token, const char *body, size_t size)
{
    must (zmq_send (socket, to, strlen (to), ZMQ_SNDMORE) >= 0, "send");
    must (zmq_send (socket, &token, sizeof token, ZMQ_SNDMORE) >= 0, "send");
    must (zmq_send (socket, body, size, 0) >= 0, "send");
}

/* False: nothing there. */
static int peer_receive (void *socket, uint64_t *token, char *body, size_t *size)
{
    char from[32];
    if (zmq_recv (socket, from, sizeof from, ZMQ_DONTWAIT) < 0)
        return 0;
    must (zmq_recv (socket, token, sizeof *token, 0) == sizeof *token, "receive");
    int got = zmq_recv (socket, body, BODY_MAX, 0);
    must (got >= 0 && got <= BODY_MAX, "receive");
    *size = (size_t) got;
    return 1;
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

static void row_key (uint8_t *key, unsigned table, uint64_t number)
{
    /* Most tables are by time; a quarter is scattered, as idempotency keys and numbers are. That dirties about as many pages a message as messaging does. */
    uint64_t spread = table % 4 == 3 ? number * 0x9e3779b97f4a7c15u : number;
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t) (spread >> (56 - 8 * i));
    memset (key + 8, (int) table, 8);
}

static void message_write (const pipeline_t *self, MDB_txn *txn, const item_t *item,
                           uint64_t number)
{
    char row[ROW_MAX] = {0};
    uint8_t key[16];
    memcpy (row, item->body, item->size < self->bytes ? item->size : self->bytes);
    for (unsigned i = 0; i < self->puts; i++) {
        row_key (key, i, number);
        MDB_val k = {sizeof key, key}, v = {self->bytes, row};
        must (mdb_put (txn, self->tables[i % TABLES], &k, &v, 0) == 0, "put");
    }
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
            must (mdb_txn_commit (txn) == 0, "commit");
            line_put_all (&self->out, batch, end);
        }
    }
    return NULL;
}

static void store_open (pipeline_t *self)
{
    char path[512], name[16];
    MDB_txn *txn;
    snprintf (path, sizeof path, "%s/store", self->folder);
    must (mkdir (path, 0700) == 0 || errno == EEXIST, path);
    must (mdb_env_create (&self->env) == 0, "env");
    mdb_env_set_mapsize (self->env, (size_t) 1 << 38);
    mdb_env_set_maxdbs (self->env, TABLES);
    must (mdb_env_open (self->env, path, MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0600) == 0,
          path);
    must (mdb_txn_begin (self->env, NULL, 0, &txn) == 0, "begin");
    for (unsigned i = 0; i < TABLES; i++) {
        snprintf (name, sizeof name, "t%u", i);
        must (mdb_dbi_open (txn, name, MDB_CREATE, &self->tables[i]) == 0, name);
    }
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
    for (;;) {
        item_t *first = NULL, **end = &first;
        for (int i = 0; i < BATCH; i++) {
            item_t *item = malloc (sizeof *item);
            must (item != NULL, "memory");
            if (!peer_receive (socket, &item->token, item->body, &item->size)) {
                free (item);
                break;
            }
            item->next = NULL;
            *end = item;
            end = &item->next;
        }
        if (first)
            line_put_all (&self->in, first, end);
        for (item_t *item = line_take (&self->out); item;) {
            item_t *next = item->next;
            char answer[200];
            memset (answer, 'a', sizeof answer);
            peer_send (socket, "edge", item->token, answer, sizeof answer);
            free (item);
            item = next;
        }
        peer_wait (socket, &self->out, 1000);
    }
}

/* ---- the edge ---- */

static int on_request (struct mg_connection *connection)
{
    pipeline_t *self = mg_get_user_data (mg_get_context (connection));
    item_t item;
    sem_t done;
    int got = mg_read (connection, item.body, sizeof item.body);
    sem_init (&done, 0, 0);
    item.size = got > 0 ? (size_t) got : 0;
    item.token = (uint64_t) (uintptr_t) &item;
    item.done = &done;
    line_put (&self->in, &item);
    while (sem_wait (&done))
        ;
    sem_destroy (&done);
    char answer[BODY_MAX + 128];
    int length = snprintf (answer, sizeof answer,
                           "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
                           "Content-Length: %zu\r\n\r\n%.*s",
                           item.size, (int) item.size, item.body);
    mg_write (connection, answer, (size_t) length);
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
    char body[BODY_MAX];
    size_t size;
    uint64_t token;
    int started = 0;
    for (;;) {
        while (peer_receive (socket, &token, body, &size)) {
            item_t *item = (item_t *) (uintptr_t) token;
            if (!item) {
                edge_started (self, &started);
                continue;
            }
            memcpy (item->body, body, size);
            item->size = size;
            sem_post (item->done);
        }
        for (item_t *item = line_take (&self->in); item;) {
            item_t *next = item->next; /* it is gone once it is answered */
            peer_send (socket, "store", item->token, item->body, item->size);
            item = next;
        }
        if (!started) /* a ROUTER drops what it cannot route yet: ask until the store answers */
            peer_send (socket, "store", 0, "", 0);
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
        fputs ("usage: pipeline FOLDER PORT [PUTS [BYTES [THREADS]]]\n", stderr);
        return 64;
    }
    pipeline_t self = {.folder = argv[1]};
    snprintf (self.endpoint, sizeof self.endpoint, "ipc://%s/bus", self.folder);
    snprintf (self.port, sizeof self.port, "%u", number_of (argc, argv, 2, 8080, 65535));
    self.puts = number_of (argc, argv, 3, 8, PUTS_MAX);
    self.bytes = number_of (argc, argv, 4, 175, ROW_MAX);
    snprintf (self.threads, sizeof self.threads, "%u", number_of (argc, argv, 5, 128, 4096));
    child (&self, broker_child);
    child (&self, store_run);
    edge_run (&self);
    return 0;
}
