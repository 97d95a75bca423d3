/* request_fuzz.c - libFuzzer target: whole HTTP requests through the edge: mounts, routes, keys, headers, query, cursors, JSON, forms, idempotency keys, callbacks, signed links and ranges. The
 * functions of libs/web that hand out a request are replaced by ones that hand out the input, those of the runtime by ones that look at what is asked and answer it.
 *
 * Input: a byte that says how asks are answered, then "METHOD PATH?QUERY", header lines, an empty line, the body. "sign" as the query stands for the right one.
 * Whatever is asked fits an envelope and is what the service takes; the answer is one, and JSON where it says so; an upload that was refused leaves nothing. */
#include "edge.h"

#include "base/clock.h"
#include "gen/messaging.h"
#include "sign/url.h"
#include "fuzz.h"

#include <sys/stat.h>
#include <unistd.h>

enum { HEADERS_MAX = 24, STEPS_MAX = 40, PIECE = 700 };

struct web_request {
    const char *method, *path, *query;
    schema_pair_t headers[HEADERS_MAX];
    size_t header_count;
    bytes_t body, left;
    arena_t *arena;
    buf_t text;
    void *data;
    web_call_t *parked;
    unsigned answers;
    int64_t length; /* of pieces to come */
};

/* What the process keeps: one edge, its keys, and one file of media. */
static struct world {
    edge_t edge;
    keyring_t *keyring;
    unsigned how; /* asks are answered */
    unsigned asks;
} world;

/* "018f...-...": organization, holder and file of the link that the corpus has. */
static const id16_t file_id = {
    {1, 0x98, 0x6f, 0x2b, 0x11, 0x22, 0x73, 0x44, 0x85, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc}};

/* ---- libs/web: the request ---- */

const char *web_method (const web_request_t *self)
{
    return self->method;
}

const char *web_raw_path (const web_request_t *self)
{
    return self->path;
}

const char *web_query (const web_request_t *self)
{
    return self->query;
}

const char *web_header (const web_request_t *self, const char *name)
{
    for (size_t i = 0; i < self->header_count; i++)
        if (strcasecmp (self->headers[i].key, name) == 0)
            return self->headers[i].value;
    return NULL;
}

bool web_header_at (const web_request_t *self, size_t index, const char **name, const char **value)
{
    if (index >= self->header_count)
        return false;
    *name = self->headers[index].key;
    *value = self->headers[index].value;
    return true;
}

const char *web_remote (const web_request_t *self)
{
    (void) self;
    return "127.0.0.1";
}

int64_t web_body_length (const web_request_t *self)
{
    return web_header (self, "Transfer-Encoding") ? -1 : (int64_t) self->body.size;
}

int web_body (web_request_t *self, size_t limit, bytes_t *out)
{
    if (self->body.size > limit)
        return 413;
    *out = self->body;
    return 0;
}

long web_body_piece (web_request_t *self, void *out, size_t size)
{
    size_t count = size < PIECE ? size : PIECE;
    count = count < self->left.size ? count : self->left.size;
    if (count)
        memcpy (out, self->left.data, count);
    self->left = bytes_of (self->left.data + count, self->left.size - count);
    return (long) count;
}

void web_body_allow (web_request_t *self, uint32_t timeout_ms)
{
    must (self->left.size == self->body.size && timeout_ms > 0);
}

arena_t *web_arena (web_request_t *self)
{
    return self->arena;
}

buf_t *web_text (web_request_t *self)
{
    buf_clear (&self->text);
    return &self->text;
}

void web_set_data (web_request_t *self, void *data)
{
    self->data = data;
}

void *web_data (const web_request_t *self)
{
    return self->data;
}

void web_park (web_request_t *self, web_call_t *call, uint32_t timeout_ms)
{
    must (!self->parked && timeout_ms > 0);
    self->parked = call;
}

/* ---- libs/web: the answer ---- */

static bool check_headers (int status, const char *const *headers)
{
    bool json = false;
    must (status >= 200 && status < 600);
    for (; headers && *headers; headers++) {
        must (strchr (*headers, ':') && strcspn (*headers, "\r\n") == strlen (*headers));
        json = json || strcmp (*headers, "Content-Type: application/json") == 0;
    }
    return json;
}

void web_answer (web_request_t *self, int status, const char *const *headers, bytes_t body)
{
    buf_t packed = {0};
    bool json = check_headers (status, headers);
    must (++self->answers == 1);
    if (json && body.size && body.data != self->body.data)
        must (schema_any_read (body, &packed, NULL) == 0);
    buf_free (&packed);
}

void web_answer_begin (web_request_t *self, int status, const char *const *headers, uint64_t length)
{
    (void) check_headers (status, headers);
    must (++self->answers == 1 && length > 0);
    self->length = strcmp (self->method, "HEAD") == 0 ? 0 : (int64_t) length;
}

bool web_answer_piece (web_request_t *self, const void *data, size_t size)
{
    must (data && (self->length -= (int64_t) size) >= 0);
    return true;
}

void web_close_after (web_request_t *self)
{
    (void) self;
}

/* ---- the runtime ---- */

/* What is asked: a header that the broker takes, a body that the service takes. */
static const schema_op_t *check_ask (const svc_ask_t *ask)
{
    const schema_op_t *op = schema_op_find (ask->header.target, strlen (ask->header.target));
    arena_t *arena = arena_new (32 << 20);
    buf_t header = {0};
    envelope_t read;
    failure_t failure = {0};
    envelope_t said = ask->header;
    said.kind = ENV_ASK;
    envelope_write (&said, &header);
    must (op && arena && header.size <= ENVELOPE_HEADER_MAX && ask->body.size <= ENVELOPE_BODY_MAX);
    must (envelope_read (buf_bytes (&header), arena, &read, &failure) == 0);
    must (strcmp (read.target, ask->header.target) == 0);
    void *in = arena_alloc (arena, op->in->size);
    must (schema_unpack (op->in, ask->body, arena, in, &failure) == 0);
    buf_free (&header);
    arena_destroy (&arena);
    return op;
}

void svc_ask (svc_t *svc, svc_ask_t *ask)
{
    static const int codes[] = {E_NOT_FOUND, E_REPLICA_LOST, E_BUSY, E_CONFLICT};
    (void) svc;
    const schema_op_t *op = check_ask (ask);
    bool upload = strcmp (op->name, "media_adopt") == 0;
    unsigned how = upload ? 1 : world.how + world.asks;
    failure_t failure = {0};
    buf_t out = {0};
    must (++world.asks < STEPS_MAX);
    if (how % 3) {
        failure_set (&failure, codes[how / 3 % 4], "number_id", "it was \"so\"");
        ask->done (ask->context, NULL, (bytes_t){0}, &failure);
        return;
    }
    arena_t *arena = arena_new (1 << 20);
    schema_pack (op->out, arena_alloc (arena, op->out->size), &out);
    envelope_t header = {.kind = ENV_ANSWER, .replayed = how & 8, .first_request_id = "req_first"};
    ask->done (ask->context, &header, buf_bytes (&out), NULL);
    buf_free (&out);
    arena_destroy (&arena);
}

void svc_count (svc_t *svc, unsigned counter, uint64_t add)
{
    (void) svc;
    must (counter < 100 && add < 1000);
}

bool svc_logs (const svc_t *svc, svc_level_t level)
{
    (void) svc;
    return level >= LOG_INFO;
}

void svc_log (svc_t *svc, svc_level_t level, const char *message, ...)
{
    (void) svc;
    (void) level;
    must (message != NULL);
}

const keyring_t *svc_keyring (const svc_t *svc)
{
    (void) svc;
    return world.keyring;
}

/* ---- the world ---- */

static void key_put (const char *text, int32_t kind, bool test)
{
    uint8_t proof[SIGN_SHA256_SIZE];
    key_info_t info = {.id = file_id, .org = file_id, .app = file_id, .kind = kind, .test = test};
    info.app_status = ACCOUNTS_APP_STATUS_ACTIVE;
    info.org_status = ACCOUNTS_ORG_STATUS_ACTIVE;
    keyring_hash (world.keyring, text, proof);
    key_cache_put (world.edge.keys, key_cache_epoch (world.edge.keys), proof, &info);
}

static void media_put (void)
{
    blob_writer_t *writer = NULL;
    blob_seen_t seen;
    uint8_t sum[BLOB_SHA256_SIZE];
    must (blob_writer_new (world.edge.media, 1000, &writer, NULL) == 0);
    must (blob_writer_add (writer, bytes_of_str ("GIF89a, and some more bytes"), NULL) == 0);
    must (blob_writer_end (writer, &seen, sum, NULL) == 0);
    must (blob_writer_finish (&writer, file_id, NULL) == 0);
}

static char folder[] = "/dev/shm/fuzz-request-XXXXXX";

static const char *inside (const char *name, char out[128])
{
    snprintf (out, 128, "%s/%s", folder, name);
    return out;
}

static void world_end (void)
{
    static const char *const folders[] = {"media/pending", "media/temp", "media/tmp",
                                          "media/kept",    "media",      ""};
    char path[128];
    edge_t *edge = &world.edge;
    blobs_delete (edge->media, file_id, NULL);
    blobs_close (&edge->media);
    key_cache_destroy (&edge->keys);
    calls_destroy (&edge->calls);
    key_uses_destroy (&edge->uses);
    limits_close (&edge->limits);
    buckets_close (&edge->buckets);
    for (size_t i = 0; i < edge->speaker_count; i++)
        speaker_clear (&edge->speakers[i]);
    buf_free (&edge->docs);
    keyring_close (&world.keyring);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        (void) remove (inside (folders[i], path));
}

static void speakers_make (edge_t *edge)
{
    failure_t failure;
    edge->speaker_count = 2;
    must (speaker_set (&edge->speakers[0], &dialect_chirp, "/v1", "", &failure) == 0);
    must (speaker_set (&edge->speakers[1], &dialect_kirim, "/v1,/kirim/v1", "kirim.test",
                       &failure) == 0);
    edge->speakers[1].write_per_minute = 60;
    edge->speakers[1].read_per_minute = 600;
    edge->speakers[1].tier = "default";
    strcpy (edge->public_url, "https://aviary.test");
    strcpy (edge->docs_url, "https://aviary.test/docs");
    must (site_build (edge) == 0);
}

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    char path[128];
    edge_t *edge = &world.edge;
    (void) argc;
    (void) argv;
    must (mkdtemp (folder) != NULL && atexit (world_end) == 0);
    must (keyring_open (inside ("keyring", path), &world.keyring, NULL) == 0 && !unlink (path));
    must (limits_open (inside ("limits", path), &edge->limits, NULL) == 0 && !unlink (path));
    must (buckets_open (inside ("buckets", path), &edge->buckets, NULL) == 0 && !unlink (path));
    must (blobs_open (inside ("media", path), 0, &edge->media, NULL) == 0);
    pthread_mutex_init (&edge->id_lock, NULL);
    edge->body_max = 1 << 20;
    edge->waiting_max = 2;
    edge->upload_timeout_ms = 1000;
    keyring_derive (world.keyring, "cursor", edge->cursor_key);
    keyring_derive (world.keyring, "media-url", edge->media_key);
    edge->keys = key_cache_new ();
    edge->calls = calls_new ();
    edge->uses = key_uses_new ();
    must (edge->keys && edge->uses && edge->calls);
    key_put ("app", ACCOUNTS_KEY_KIND_APP, false);
    key_put ("test", ACCOUNTS_KEY_KIND_APP, true);
    key_put ("admin", ACCOUNTS_KEY_KIND_ADMIN, false);
    key_put ("org", ACCOUNTS_KEY_KIND_ORGANIZATION, false);
    speakers_make (edge);
    media_put ();
    return 0;
}

/* ---- an input ---- */

static const char *word_of (arena_t *arena, bytes_t bytes)
{
    return arena_strndup (arena, (const char *) bytes.data, bytes.size);
}

static bytes_t trimmed (bytes_t line)
{
    while (line.size && (line.data[0] == ' ' || line.data[0] == '\t'))
        line = bytes_of (line.data + 1, line.size - 1);
    while (line.size && strchr (" \t\r", line.data[line.size - 1]))
        line.size--;
    return line;
}

/* Such bytes as libs/web lets through: no NUL, which would end a text, and a path that is one. */
static bool request_of (bytes_t in, web_request_t *out)
{
    bytes_t line = cut (&in, '\n'), path;
    if (memchr (line.data, 0, line.size))
        return false;
    out->method = word_of (out->arena, cut (&line, ' '));
    path = cut (&line, '?');
    out->path = word_of (out->arena, path);
    out->query = word_of (out->arena, line);
    while (in.size && out->header_count < HEADERS_MAX) {
        line = trimmed (cut (&in, '\n'));
        if (!line.size)
            break;
        bytes_t name = cut (&line, ':');
        out->headers[out->header_count++] =
            (schema_pair_t){word_of (out->arena, name), word_of (out->arena, trimmed (line))};
    }
    out->body = out->left = in;
    return *out->method && *out->path == '/';
}

static void link_sign (web_request_t *request)
{
    buf_t link = buf_in (request->arena);
    if (strcmp (request->query, "sign") != 0)
        return;
    sign_url (world.edge.media_key, request->path, clock_now_ms () / 1000 + 60, &link);
    if (!buf_failed (&link))
        request->query = strchr (buf_text (&link), '?') + 1;
}

static int blob_found (void *context, id16_t id, uint64_t size, bool kept)
{
    (void) context;
    (void) size;
    (void) kept;
    must (id_equal (id, file_id));
    return 0;
}

static void run (web_request_t *request)
{
    key_lease_renew (world.edge.keys, clock_mono_ms ());
    web_next_t next = edge_submit (&world.edge, request);
    while (next != WEB_DONE) {
        web_call_t *call = request->parked;
        if (next == WEB_THREAD) {
            next = edge_resume (&world.edge, request);
            continue;
        }
        must (call != NULL && !request->answers);
        request->parked = NULL;
        next = edge_complete (&world.edge, request, call, true);
        web_call_release (call);
    }
    must (request->answers == 1 && request->length == 0 && !request->parked);
    must (atomic_load (&world.edge.waiting) == 0);
    if (strstr (request->path, "/media"))
        must (blobs_walk (world.edge.media, blob_found, NULL, NULL) == 0);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 16)
        return 0;
    web_request_t request = {.arena = arena_new (16 << 20)};
    must (request.arena != NULL);
    world.how = data[0];
    world.asks = 0;
    if (request_of (bytes_of (data + 1, size - 1), &request)) {
        link_sign (&request);
        run (&request);
    }
    buf_free (&request.text);
    arena_destroy (&request.arena);
    return 0;
}
