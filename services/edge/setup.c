/* setup.c - the edge's life: settings into state, serving, draining, gauges. */
#include "setup.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DRAIN_MS = 6000,
    ARENA_LEAST = 12 << 20 /* a callback of 3 MiB, in chunks, and its headers */,
    LIMIT_MOST = 1000000
};

/* ---- settings ---- */

static int read_limits (edge_t *edge, const char *text, failure_t *failure)
{
    char *end;
    edge->limits_on = strcmp (text, "off") != 0;
    if (!edge->limits_on || strcmp (text, "on") == 0)
        return 0;
    unsigned long value = strtoul (text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < 1 || value > LIMIT_MOST)
        return failure_set (failure, E_BAD_REQUEST, "rate_limits",
                            "rate_limits is on, off or a number from 1 to %d", LIMIT_MOST);
    edge->limit_all = (uint32_t) value;
    return 0;
}

/* A tier is known by its figures. */
static const char *tier_of (uint32_t write, uint32_t read)
{
    return write == 60 && read == 600     ? "default"
           : write == 600 && read == 6000 ? "pro"
                                          : "enterprise";
}

/* Who speaks: Chirp has what the others do not claim. */
static int read_speakers (edge_t *edge, failure_t *failure)
{
    const edge_settings_t *s = svc_settings (edge->svc);
    speaker_t *chirp = &edge->speakers[0], *kirim = &edge->speakers[1];
    edge->speaker_count = 1;
    int code = speaker_set (chirp, &dialect_chirp, s->chirp_mounts, "", failure);
    if (code)
        return code;
    edge->speaker_count = 2;
    code = speaker_set (kirim, &dialect_kirim, s->kirim_mounts, s->kirim_host, failure);
    uint32_t all = edge->limit_all;
    kirim->write_per_minute = all ? all : (uint32_t) s->kirim_write_per_minute;
    kirim->read_per_minute = all ? all : (uint32_t) s->kirim_read_per_minute;
    kirim->tier = tier_of (kirim->write_per_minute, kirim->read_per_minute);
    edge->waiting_max = (unsigned) s->idempotency_waiting;
    return code;
}

/* "HOST:PORT" to the same with PORT + replica. */
static int read_listen (edge_t *edge, const char *text, failure_t *failure)
{
    const char *colon = strrchr (text, ':');
    char *end = NULL;
    unsigned long port = colon ? strtoul (colon + 1, &end, 10) : 0;
    if (!colon || colon == text || colon[1] < '0' || colon[1] > '9' || *end ||
        port + svc_replica (edge->svc) > 65535 || strlen (text) > sizeof edge->listen - 8)
        return failure_set (
            failure, E_BAD_REQUEST, "listen",
            "listen is HOST:PORT, and PORT plus the replica's number at most 65535");
    if (port)
        port += svc_replica (edge->svc);
    snprintf (edge->listen, sizeof edge->listen, "%.*s:%lu", (int) (colon - text), text, port);
    return 0;
}

/* A URL that can stand in JSON and HTML as it is. */
static int read_url (const char *name, const char *text, char *out, size_t size, failure_t *failure)
{
    size_t length = strlen (text);
    while (length > 0 && text[length - 1] == '/')
        length--;
    bool plain =
        length < size && (strncmp (text, "http://", 7) == 0 || strncmp (text, "https://", 8) == 0);
    for (size_t i = 0; i < length && plain; i++)
        plain = text[i] > ' ' && text[i] < 0x7F && !strchr ("\"\\<>", text[i]);
    if (!plain)
        return failure_set (failure, E_BAD_REQUEST, name, "%s is not an http or https URL", name);
    snprintf (out, size, "%.*s", (int) length, text);
    return 0;
}

static void asks_batch (void *context, bool begins)
{
    const edge_t *edge = context;
    if (begins)
        svc_asks_hold (edge->svc);
    else
        svc_asks_go (edge->svc);
}

/* ---- the bus, beside the loop ---- */

static void bus_begin (void *context, int fds[WEB_BESIDE_FDS])
{
    _Static_assert((int) WEB_BESIDE_FDS == (int) SVC_BUS_FDS, "the bus has as many descriptors");
    svc_bus_borrow (((const edge_t *) context)->svc, fds);
}

static bool bus_arm (void *context)
{
    return svc_bus_arm (((const edge_t *) context)->svc);
}

static int bus_run (void *context, bool silent)
{
    return svc_bus_run (((const edge_t *) context)->svc, silent);
}

static void bus_end (void *context)
{
    svc_bus_return (((const edge_t *) context)->svc);
}

static const web_beside_t bus_beside = {bus_begin, bus_arm, bus_run, bus_end};

static int read_settings (edge_t *edge, failure_t *failure)
{
    const edge_settings_t *s = svc_settings (edge->svc);
    char text[sizeof edge->docs_url];
    int code = read_limits (edge, s->rate_limits, failure);
    if (!code)
        code = read_speakers (edge, failure);
    if (!code)
        code = read_listen (edge, s->listen, failure);
    snprintf (text, sizeof text, "http://%s", s->listen);
    if (!code)
        code = read_url ("public_url", *s->public_url ? s->public_url : text, edge->public_url,
                         sizeof edge->public_url - 16, failure);
    snprintf (text, sizeof text, "%.500s/docs", edge->public_url);
    if (!code)
        code = read_url ("docs_url", *s->docs_url ? s->docs_url : text, edge->docs_url,
                         sizeof edge->docs_url, failure);
    edge->body_max = (size_t) s->body_max;
    edge->uses_every_ms = s->key_uses;
    edge->upload_timeout_ms = (uint32_t) s->upload_timeout;
    edge->web = (web_config_t){.listen = edge->listen,
                               .connections = (unsigned) s->connections,
                               .loops = (unsigned) s->loops,
                               .threads = (unsigned) s->threads,
                               .header_timeout_ms = (uint32_t) s->request_timeout,
                               .body_timeout_ms = (uint32_t) s->request_timeout,
                               .idle_timeout_ms = (uint32_t) s->keep_alive,
                               .arena_max = ARENA_LEAST + 2 * edge->body_max,
                               .submit = edge_submit,
                               .complete = edge_complete,
                               .resume = edge_resume,
                               .refuse = edge_refuse,
                               .batch = asks_batch,
                               .beside = &bus_beside,
                               .context = edge};
    return code;
}

/* ---- life ---- */

static void log_line (void *context, const char *text)
{
    svc_log (context, LOG_WARN, "http server", "text", text, NULL);
}

void edge_stop (void **context)
{
    edge_t *edge = *context;
    if (!edge)
        return;
    follower_stop (edge);
    web_server_destroy (&edge->server);
    key_cache_destroy (&edge->keys);
    key_uses_destroy (&edge->uses);
    calls_destroy (&edge->calls);
    limits_close (&edge->limits);
    buckets_close (&edge->buckets);
    blobs_close (&edge->media);
    for (size_t i = 0; i < edge->speaker_count; i++)
        speaker_clear (&edge->speakers[i]);
    buf_free (&edge->docs);
    sign_wipe (edge->limits_key, sizeof edge->limits_key);
    sign_wipe (edge->media_key, sizeof edge->media_key);
    sign_wipe (edge->cursor_key, sizeof edge->cursor_key);
    pthread_mutex_destroy (&edge->id_lock);
    free (edge);
    *context = NULL;
}

static int limits_begin (edge_t *edge, failure_t *failure)
{
    char path[1024];
    snprintf (path, sizeof path, "%s/run", svc_data (edge->svc));
    mkdir (path, 0700); /* there already, or limits_open tells */
    snprintf (path, sizeof path, "%s/run/limits", svc_data (edge->svc));
    keyring_derive (svc_keyring (edge->svc), "rate-limits", edge->limits_key);
    keyring_derive (svc_keyring (edge->svc), "cursor", edge->cursor_key);
    int code = limits_open (path, &edge->limits, failure);
    snprintf (path, sizeof path, "%s/run/buckets", svc_data (edge->svc));
    return code ? code : buckets_open (path, &edge->buckets, failure);
}

static int media_begin (edge_t *edge, failure_t *failure)
{
    char path[1024];
    snprintf (path, sizeof path, "%s/media", svc_data (edge->svc));
    keyring_derive (svc_keyring (edge->svc), "media-url", edge->media_key);
    return blobs_open (path, svc_disk_low (edge->svc), &edge->media, failure);
}

int edge_start (svc_t *svc, void **context, failure_t *failure)
{
    edge_t *edge = calloc (1, sizeof *edge);
    if (!edge)
        return failure_set (failure, E_NO_MEMORY, "", "no memory");
    *context = edge;
    edge->svc = svc;
    uint64_t begin;
    sign_random (&begin, sizeof begin);
    sign_random (&edge->trace_mark, sizeof edge->trace_mark);
    atomic_init (&edge->traces, begin);
    pthread_mutex_init (&edge->id_lock, NULL);
    int code = read_settings (edge, failure);
    if (!code)
        code = limits_begin (edge, failure);
    if (!code)
        code = media_begin (edge, failure);
    if (!code) {
        edge->web.log = log_line;
        edge->web.log_context = svc;
        edge->keys = key_cache_new ();
        edge->uses = key_uses_new ();
        edge->calls = calls_new ();
        if (!edge->keys || !edge->uses || !edge->calls || site_build (edge))
            code = failure_set (failure, E_NO_MEMORY, "", "no memory for the edge's tables");
    }
    if (code)
        edge_stop (context);
    return code;
}

int edge_ready (svc_t *svc, void *context, failure_t *failure)
{
    edge_t *edge = context;
    char port[16];
    int code = follower_start (edge);
    if (code)
        return failure_set (failure, code, "", "no thread to follow accounts");
    code = web_server_new (&edge->web, &edge->server, failure);
    if (code)
        return code;
    snprintf (port, sizeof port, "%u", web_server_port (edge->server));
    svc_log (svc, LOG_INFO, "listening", "address", edge->listen, "port", port, "public_url",
             edge->public_url, NULL);
    return 0;
}

void edge_drain (svc_t *svc, void *context)
{
    edge_t *edge = context;
    if (edge->server && !web_server_stop (edge->server, DRAIN_MS))
        svc_log (svc, LOG_WARN, "requests were cut off at the end of the drain time", NULL);
    follower_stop (edge);
}

bool edge_healthy (svc_t *svc, void *context, char *reason, size_t size)
{
    edge_t *edge = context;
    (void) svc;
    if (edge->server && key_lease_until (edge->keys) > 0)
        return true;
    snprintf (reason, size, "%s",
              edge->server ? "accounts was not followed yet" : "not listening yet");
    return false;
}

/* ---- gauges ---- */

static void gauge (buf_t *out, unsigned replica, const char *name, const char *kind,
                   const char *doc, unsigned long long value)
{
    buf_printf (
        out,
        "# HELP aviary_edge_%s %s\n# TYPE aviary_edge_%s %s\naviary_edge_%s{replica=\"%u\"} %llu\n",
        name, doc, name, kind, name, replica, value);
}

void edge_metrics (svc_t *svc, void *context, buf_t *out)
{
    edge_t *edge = context;
    unsigned replica = svc_replica (svc);
    web_counts_t web = edge->server ? web_server_counts (edge->server) : (web_counts_t){0};
    gauge (out, replica, "http_connections", "gauge", "Open connections.", web.connections);
    gauge (out, replica, "http_connections_max", "gauge", "Most connections at once.", web.most);
    gauge (out, replica, "http_requests_running", "gauge", "Requests between headers and answer.",
           web.requests);
    gauge (out, replica, "http_shed_total", "counter", "Silent connections closed to make room.",
           web.shed);
    gauge (out, replica, "http_timed_out_total", "counter", "Connections closed for slowness.",
           web.timed_out);
    gauge (out, replica, "keys_cached", "gauge", "API keys in the cache.",
           key_cache_size (edge->keys));
    gauge (out, replica, "keys_leased", "gauge", "1 while cached keys may be used.",
           key_lease_until (edge->keys) > clock_mono_ms ());
    buf_add_str (
        out,
        "# HELP aviary_edge_answers_total HTTP answers by class of status.\n# TYPE aviary_edge_answers_total counter\n");
    for (unsigned i = 1; i < STATUS_CLASSES; i++)
        buf_printf (out, "aviary_edge_answers_total{replica=\"%u\",status=\"%uxx\"} %llu\n",
                    replica, i, (unsigned long long) atomic_load (&edge->answered[i]));
}
