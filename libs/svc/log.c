/* log.c - JSON lines on stderr, one write each; a line that cannot be written is lost, never waited for twice.
 *
 * Requests: one line each at level debug; at info only those that failed by our fault (classes internal and unavailable). A line for each
 * accepted write would cost more than the write. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "svc/inner.h"

static const char *const levels[] = {"debug", "info", "warn", "error"};

int log_level_read (const char *text)
{
    for (int i = 0; text && i < 4; i++)
        if (strcmp (levels[i], text) == 0)
            return i;
    return -1;
}

static void add_text (buf_t *out, const char *text)
{
    buf_add_byte (out, '"');
    for (const char *c = text ? text : ""; *c; c++) {
        unsigned char b = (unsigned char) *c;
        if (b == '"' || b == '\\')
            buf_printf (out, "\\%c", b);
        else if (b < 0x20 || b == 0x7f)
            buf_printf (out, "\\u%04x", b);
        else
            buf_add_byte (out, b);
    }
    buf_add_byte (out, '"');
}

static void add_pair (buf_t *out, const char *key, const char *value)
{
    buf_add_byte (out, ',');
    add_text (out, key);
    buf_add_byte (out, ':');
    add_text (out, value);
}

static void line_begin (svc_t *svc, buf_t *out, svc_level_t level, const char *message)
{
    char at[CLOCK_ISO_SIZE];
    clock_write_iso (clock_now_ms (), at);
    buf_printf (out,
                "{\"ts\":\"%s\",\"level\":\"%s\",\"service\":\"%s\",\"replica\":%u,\"msg\":", at,
                levels[level], svc->schema->name, svc->replica);
    add_text (out, message);
}

static void line_end (svc_t *svc, buf_t *out)
{
    buf_add_str (out, "}\n");
    if (!buf_failed (out) && write (STDERR_FILENO, out->data, out->size) == (ssize_t) out->size)
        atomic_fetch_add_explicit (&svc->metrics.log_lines, 1, memory_order_relaxed);
    buf_free (out);
}

bool svc_logs (const svc_t *svc, svc_level_t level)
{
    return (int) level >= atomic_load_explicit (&svc->log_level, memory_order_relaxed);
}

void svc_log (svc_t *svc, svc_level_t level, const char *message, ...)
{
    if (!svc_logs (svc, level))
        return;
    buf_t line = {0};
    line_begin (svc, &line, level, message);
    va_list args;
    va_start (args, message);
    for (const char *key; (key = va_arg (args, const char *));) {
        const char *value = va_arg (args, const char *);
        add_pair (&line, key, value);
    }
    va_end (args);
    line_end (svc, &line);
}

void log_ask (svc_t *svc, const ask_t *ask)
{
    error_class_t class = ask->failed ? error_class (ask->failure.code) : EC_OK;
    bool ours = class == EC_INTERNAL || class == EC_UNAVAILABLE;
    svc_level_t level = class == EC_INTERNAL ? LOG_ERROR : ours ? LOG_WARN : LOG_DEBUG;
    if ((int) level < atomic_load_explicit (&svc->log_level, memory_order_relaxed))
        return;
    buf_t line = {0};
    const envelope_t *h = &ask->header;
    line_begin (svc, &line, level, ask->failed ? ask->failure.text : "done");
    add_pair (&line, "op", h->target);
    if (h->request_id)
        add_pair (&line, "request_id", h->request_id);
    if (h->trace && strlen (h->trace) >= 35) { /* version-traceid-... */
        char trace[33];
        memcpy (trace, h->trace + 3, 32);
        trace[32] = 0;
        add_pair (&line, "trace_id", trace);
    }
    if (!id_is_nil (h->org)) {
        char org[ID_UUID_LENGTH + 1];
        id_write_uuid (h->org, org);
        add_pair (&line, "tenant", org);
    }
    buf_printf (&line, ",\"duration_ms\":%lld",
                (long long) (clock_mono_us () - ask->arrived_us) / 1000);
    if (ask->failed)
        add_pair (&line, "error.code", error_name (ask->failure.code));
    line_end (svc, &line);
}
