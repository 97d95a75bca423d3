/* curve.c - certificates and the names that they stand for. Files that cannot be read as certificates are as if absent. */
#include "bus/curve.h"

#include "base/clock.h"

#include <czmq.h>
#include <limits.h>
#include <sodium.h>

enum { NAME_SIZE = ENVELOPE_NAME_MAX + 1, KEY_SIZE = 41, READ_AGAIN_MS = 1000 };

typedef struct curve_name {
    char name[NAME_SIZE];
    char key[KEY_SIZE];
} curve_name_t;

struct curve_names {
    char *folder;
    curve_name_t *names;
    size_t count;
    int64_t read_ms;
};

static int path_of (const char *folder, const char *name, const char *end, char out[PATH_MAX],
                    failure_t *failure)
{
    if (!envelope_name_is (bytes_of_str (name)))
        return failure_set (failure, E_BAD_REQUEST, "name", "not the name of a service");
    int size = snprintf (out, PATH_MAX, "%s/%s%s", folder, name, end);
    if (size < 0 || size >= PATH_MAX)
        return failure_set (failure, E_BAD_REQUEST, "keys", "the path of the keys is too long");
    return 0;
}

int curve_keys_make (const char *folder, const char *name, failure_t *failure)
{
    char path[PATH_MAX], secret[PATH_MAX];
    int code = path_of (folder, name, ".pub", path, failure);
    if (!code)
        code = path_of (folder, name, ".pub_secret", secret, failure);
    if (code || !access (secret, F_OK))
        return code;
    zcert_t *cert = zcert_new ();
    if (!cert)
        return failure_set (failure, E_NO_MEMORY, "keys", "no memory for a key pair");
    mode_t mask = umask (077);
    if (zcert_save (cert, path))
        code = failure_set (failure, E_IO, "keys", "cannot write %s", path);
    umask (mask);
    zcert_destroy (&cert);
    return code;
}

/* A certificate's halves as text; `secret` may be NULL. False if the file or a half is missing. */
static bool cert_read (const char *path, char key[KEY_SIZE], char *secret)
{
    static const char nothing[] =
        "0000000000000000000000000000000000000000"; /* Z85 of 32 zero bytes: the half is absent */
    zcert_t *cert = zcert_load (path);
    if (!cert)
        return false;
    snprintf (key, KEY_SIZE, "%s", zcert_public_txt (cert));
    bool whole = strlen (key) == KEY_SIZE - 1 && strcmp (key, nothing) != 0;
    if (secret) {
        snprintf (secret, KEY_SIZE, "%s", zcert_secret_txt (cert));
        whole = whole && strlen (secret) == KEY_SIZE - 1 && strcmp (secret, nothing) != 0;
    }
    zcert_destroy (&cert);
    return whole;
}

int curve_keys_load (const char *folder, const char *name, curve_keys_t *out, failure_t *failure)
{
    char own[PATH_MAX], broker[PATH_MAX];
    curve_keys_t keys = {0};
    int code = path_of (folder, name, ".pub", own, failure);
    if (!code)
        code = path_of (folder, "broker", ".pub", broker, failure);
    if (code)
        return code;
    if (access (own, R_OK) || access (broker, R_OK))
        return failure_set (failure, E_NOT_FOUND, "keys", "there is no %s in the folder of keys",
                            access (own, R_OK) ? own : broker);
    if (!cert_read (own, keys.public_key, keys.secret_key))
        code = failure_set (failure, E_BAD_REQUEST, "keys",
                            "%s and its secret half are no key pair", own);
    else if (!cert_read (broker, keys.server_key, NULL))
        code = failure_set (failure, E_BAD_REQUEST, "keys", "%s is no certificate", broker);
    else
        *out = keys;
    sodium_memzero (&keys, sizeof keys);
    return code;
}

void curve_keys_wipe (curve_keys_t *self)
{
    sodium_memzero (self, sizeof *self);
}

/* The peer's name of a file "NAME.pub"; false if it is another kind of file. */
static bool file_name (const char *file, char out[NAME_SIZE])
{
    size_t size = strlen (file);
    if (size < 5 || strcmp (file + size - 4, ".pub") ||
        !envelope_name_is (bytes_of (file, size - 4)))
        return false;
    memcpy (out, file, size - 4);
    out[size - 4] = 0;
    return true;
}

static void names_add (curve_names_t *self, const char *file)
{
    char path[PATH_MAX];
    curve_name_t name;
    if (!file_name (file, name.name) ||
        snprintf (path, sizeof path, "%s/%s", self->folder, file) >= PATH_MAX ||
        !cert_read (path, name.key, NULL))
        return;
    curve_name_t *grown = realloc (self->names, (self->count + 1) * sizeof *grown);
    if (!grown)
        return;
    self->names = grown;
    self->names[self->count++] = name;
}

static void names_read (curve_names_t *self)
{
    DIR *dir = opendir (self->folder);
    self->count = 0;
    self->read_ms = clock_mono_ms ();
    for (struct dirent *entry; dir && (entry = readdir (dir));)
        names_add (self, entry->d_name);
    if (dir)
        closedir (dir);
}

curve_names_t *curve_names_new (const char *folder)
{
    curve_names_t *self = calloc (1, sizeof *self);
    if (self)
        self->folder = strdup (folder);
    if (!self || !self->folder) {
        free (self);
        return NULL;
    }
    names_read (self);
    return self;
}

void curve_names_destroy (curve_names_t **self)
{
    if (!self || !*self)
        return;
    free ((*self)->names);
    free ((*self)->folder);
    free (*self);
    *self = NULL;
}

static const char *names_look (const curve_names_t *self, const char *public_key)
{
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp (self->names[i].key,
                     public_key)) /* public keys: nothing to hide in the timing */
            return self->names[i].name;
    return NULL;
}

const char *curve_names_find (curve_names_t *self, const char *public_key)
{
    const char *name = names_look (self, public_key);
    if (!name && clock_mono_ms () - self->read_ms >= READ_AGAIN_MS) {
        names_read (self);
        name = names_look (self, public_key);
    }
    return name ? name : "";
}
