/* host.c - transfers wait in a line per host, and hosts with room take turns. curl's own limits keep one list for all hosts, in which those of a
 * dead host hold up the others; here they do not. Single-threaded; fails only without memory. */
#include "fetch/transfer.h"

#include <stdlib.h>
#include <string.h>

struct host {
    host_t *next;       /* in the bucket */
    host_t *ready_next; /* in the queue of ready hosts */
    bool is_ready;
    unsigned active;
    unsigned bucket;
    transfer_t *first;
    transfer_t *last;
    char key[]; /* scheme://host:port in lower case */
};

enum { HOST_KEY_SIZE = 320 };

static unsigned key_bucket (const char *key)
{
    uint32_t hash = 2166136261U;
    for (; *key != '\0'; key++)
        hash = (hash ^ (uint8_t) *key) * 16777619U;
    return hash >> 24;
}

/* Scheme, host and port of the URL in lower case, without the scheme's own port: hosts written alike share a line. Whether all of it is a URL says curl, when it
 * gets it. */
static int key_of_url (const char *url, char out[HOST_KEY_SIZE])
{
    static const struct {
        const char *scheme, *port;
    } defaults[] = {{"http://", ":80"}, {"https://", ":443"}};
    const char *authority = strstr (url, "://");
    if (authority == NULL)
        return E_BAD_REQUEST;
    size_t length = (size_t) (authority - url) + 3 + strcspn (authority + 3, "/?#");
    if (length >= HOST_KEY_SIZE || memchr (url, '@', length) != NULL)
        return E_BAD_REQUEST;
    for (size_t i = 0; i < length; i++)
        out[i] = (char) (url[i] >= 'A' && url[i] <= 'Z' ? url[i] | 0x20 : url[i]);
    out[length] = '\0';
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        size_t port = strlen (defaults[i].port);
        if (strncmp (out, defaults[i].scheme, strlen (defaults[i].scheme)) == 0 &&
            strcmp (out + length - port, defaults[i].port) == 0)
            out[length - port] = '\0';
    }
    return E_OK;
}

static host_t *host_find_or_add (lines_t *self, const char *key)
{
    unsigned bucket = key_bucket (key);
    for (host_t *host = self->buckets[bucket]; host != NULL; host = host->next)
        if (strcmp (host->key, key) == 0)
            return host;
    size_t size = strlen (key) + 1;
    host_t *host = calloc (1, sizeof *host + size);
    if (host == NULL)
        return NULL;
    memcpy (host->key, key, size);
    host->bucket = bucket;
    host->next = self->buckets[bucket];
    self->buckets[bucket] = host;
    return host;
}

static void host_drop_if_idle (lines_t *self, host_t *host)
{
    if (host->active > 0 || host->first != NULL || host->is_ready)
        return;
    host_t **at = &self->buckets[host->bucket];
    while (*at != host)
        at = &(*at)->next;
    *at = host->next;
    free (host);
}

static void host_make_ready (lines_t *self, host_t *host)
{
    if (host->is_ready || host->first == NULL || host->active >= self->per_host)
        return;
    host->is_ready = true;
    host->ready_next = NULL;
    if (self->ready_last != NULL)
        self->ready_last->ready_next = host;
    else
        self->ready_first = host;
    self->ready_last = host;
}

void lines_free (lines_t *self)
{
    for (size_t i = 0; i < 256; i++)
        while (self->buckets[i] != NULL) {
            host_t *host = self->buckets[i];
            self->buckets[i] = host->next;
            free (host);
        }
}

int lines_join (lines_t *self, transfer_t *transfer)
{
    char key[HOST_KEY_SIZE];
    int code = key_of_url (transfer->url, key);
    if (code != E_OK)
        return code;
    host_t *host = host_find_or_add (self, key);
    if (host == NULL)
        return E_NO_MEMORY;
    transfer->plain = strncmp (key, "http:", 5) == 0;
    transfer->host = host;
    transfer->next = NULL;
    if (host->last != NULL)
        host->last->next = transfer;
    else
        host->first = transfer;
    host->last = transfer;
    self->waiting++;
    host_make_ready (self, host);
    return E_OK;
}

transfer_t *lines_next (lines_t *self)
{
    for (;;) {
        host_t *host = self->ready_first;
        if (host == NULL)
            return NULL;
        self->ready_first = host->ready_next;
        if (self->ready_first == NULL)
            self->ready_last = NULL;
        host->is_ready = false;

        transfer_t *transfer = host->first;
        if (transfer == NULL) { /* all expired meanwhile */
            host_drop_if_idle (self, host);
            continue;
        }
        host->first = transfer->next;
        if (host->first == NULL)
            host->last = NULL;
        transfer->next = NULL;
        self->waiting--;
        host->active++;
        host_make_ready (self, host);
        return transfer;
    }
}

void lines_leave (lines_t *self, transfer_t *transfer)
{
    host_t *host = transfer->host;
    if (host == NULL)
        return;
    transfer->host = NULL;
    host->active--;
    host_make_ready (self, host);
    host_drop_if_idle (self, host);
}

static void host_take_expired (lines_t *self, host_t *host, int64_t now_ms, int64_t *earliest,
                               transfer_t ***out)
{
    transfer_t *transfer = host->first;
    host->first = host->last = NULL;
    while (transfer != NULL) {
        transfer_t *next = transfer->next;
        transfer->next = NULL;
        if (transfer->deadline_ms <= now_ms) {
            transfer->host = NULL;
            self->waiting--;
            **out = transfer;
            *out = &transfer->next;
        } else {
            if (transfer->deadline_ms < *earliest)
                *earliest = transfer->deadline_ms;
            if (host->last != NULL)
                host->last->next = transfer;
            else
                host->first = transfer;
            host->last = transfer;
        }
        transfer = next;
    }
}

transfer_t *lines_expired (lines_t *self, int64_t now_ms, int64_t *earliest)
{
    transfer_t *expired = NULL;
    transfer_t **out = &expired;
    *earliest = INT64_MAX;
    for (size_t i = 0; i < 256; i++)
        for (host_t *host = self->buckets[i], *next; host != NULL; host = next) {
            next = host->next;
            host_take_expired (self, host, now_ms, earliest, &out);
            host_drop_if_idle (self, host);
        }
    return expired;
}
