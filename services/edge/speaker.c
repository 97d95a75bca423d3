/* speaker.c - see speaker.h. A path of no mount belongs to the first speaker, whose routes then know nothing of it. */
#include "speaker.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char document[] = "openapi.json";

/* ---- making ---- */

static bool is_mount (const char *text, size_t length, const char *root)
{
    size_t end = strlen (root);
    if (length < end || length >= MOUNT_SIZE || text[0] != '/' ||
        memcmp (text + length - end, root, end) != 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9') &&
            !strchr ("/-_.", text[i]))
            return false;
    return true;
}

static int mounts_read (speaker_t *self, const char *text, failure_t *failure)
{
    while (*text) {
        size_t length = strcspn (text, ",");
        if (self->mount_count == MOUNTS_MAX || !is_mount (text, length, self->dialect->root))
            return failure_set (failure, E_BAD_REQUEST, "mounts",
                                "mounts of %s are at most %d paths that end in %s, split at commas",
                                self->dialect->name, MOUNTS_MAX, self->dialect->root);
        snprintf (self->mounts[self->mount_count], MOUNT_SIZE, "%.*s", (int) length, text);
        self->mount_lengths[self->mount_count++] = length;
        text += length + (text[length] == ',');
    }
    return self->mount_count ? 0
                             : failure_set (failure, E_BAD_REQUEST, "mounts", "%s needs a mount",
                                            self->dialect->name);
}

static void first_add (speaker_t *self, const char *text, size_t length)
{
    for (size_t i = 0; i < self->first_count; i++)
        if (self->firsts[i].length == length && memcmp (self->firsts[i].text, text, length) == 0)
            return;
    if (self->first_count < FIRSTS_MAX)
        self->firsts[self->first_count++] = (speaker_first_t){text, length};
}

int speaker_set (speaker_t *self, const dialect_t *dialect, const char *mounts, const char *host,
                 failure_t *failure)
{
    self->dialect = dialect;
    int code = mounts_read (self, mounts, failure);
    if (code)
        return code;
    if (strlen (host) >= sizeof self->host)
        return failure_set (failure, E_BAD_REQUEST, "host", "the host's name is too long");
    strcpy (self->host, host); /* bounds were just looked at */
    self->host_length = strlen (host);
    const schema_dialect_t *schema = dialect->schema;
    for (size_t i = 0; i < schema->op_count; i++) {
        const char *first = schema->ops[i].path + strlen (dialect->root) + 1;
        if (*first != '{')
            first_add (self, first, strcspn (first, "/"));
    }
    first_add (self, document, sizeof document - 1);
    dialect_forgets (dialect, self->forgets);
    self->routes = routes_new (schema->ops, schema->op_count);
    return self->routes ? 0 : failure_set (failure, E_NO_MEMORY, "", "no memory for the routes");
}

void speaker_clear (speaker_t *self)
{
    routes_destroy (&self->routes);
    buf_free (&self->openapi);
}

/* ---- choosing ---- */

/* Length of the speaker's longest mount that the path begins with, 0 if none. */
static size_t mount_of (const speaker_t *self, const char *raw)
{
    size_t best = 0;
    for (size_t i = 0; i < self->mount_count; i++) {
        size_t length = self->mount_lengths[i];
        if (length > best && strncmp (raw, self->mounts[i], length) == 0 &&
            (raw[length] == '/' || raw[length] == 0))
            best = length;
    }
    return best;
}

static bool is_host (const speaker_t *self, const char *host)
{
    size_t length = self->host_length;
    return length && host && strncasecmp (host, self->host, length) == 0 &&
           (host[length] == 0 || host[length] == ':');
}

static bool is_claimed (const speaker_t *self, const char *rest, arena_t *arena)
{
    size_t length = strcspn (rest, "/");
    const char *segment = rest;
    if (memchr (rest, '%', length)) {
        segment = route_segment (arena, rest, length);
        length = segment ? strlen (segment) : 0;
    }
    if (length == 0)
        return false;
    if (self->dialect->digits_first && strspn (segment, "0123456789") >= length)
        return true;
    for (size_t i = 0; i < self->first_count; i++)
        if (self->firsts[i].length == length && memcmp (self->firsts[i].text, segment, length) == 0)
            return true;
    return false;
}

/* Of those that share the mount: the later ones claim, the first has the rest. */
static const speaker_t *shape_of (const speaker_t *const *shared, size_t count, const char *rest,
                                  arena_t *arena)
{
    for (size_t i = 1; i < count; i++)
        if (is_claimed (shared[i], rest, arena))
            return shared[i];
    return shared[0];
}

static const char *contract_path (const speaker_t *speaker, const char *raw, size_t mount,
                                  arena_t *arena)
{
    const char *root = speaker->dialect->root;
    size_t length = strlen (root), rest = strlen (raw) - mount;
    if (mount == length)
        return raw;
    char *out = arena_alloc (arena, length + rest + 1);
    if (!out)
        return NULL;
    memcpy (out, root, length);
    memcpy (out + length, raw + mount, rest + 1);
    return out;
}

speaker_choice_t speaker_choose (const speaker_t *speakers, size_t count, const char *raw,
                                 const char *host, arena_t *arena)
{
    const speaker_t *shared[SPEAKERS_MAX];
    size_t best = 0, found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t mount = mount_of (&speakers[i], raw);
        if (mount > best) {
            best = mount;
            found = 0;
        }
        if (mount && mount == best)
            shared[found++] = &speakers[i];
    }
    if (found == 0)
        return (speaker_choice_t){speakers, raw, false};
    for (size_t i = 0; i < found; i++)
        if (is_host (shared[i], host))
            return (speaker_choice_t){shared[i], contract_path (shared[i], raw, best, arena), true};
    const speaker_t *speaker = shared[0];
    if (found > 1 && raw[best] == '/')
        speaker = shape_of (shared, found, raw + best + 1, arena);
    return (speaker_choice_t){speaker, contract_path (speaker, raw, best, arena), found == 1};
}

const speaker_t *speaker_of_key (const speaker_t *speakers, size_t count, const char *key)
{
    for (size_t i = 0; key && i < count; i++) {
        const char *prefix = speakers[i].dialect->key_prefix;
        if (prefix && strncmp (key, prefix, strlen (prefix)) == 0)
            return &speakers[i];
    }
    return NULL;
}
