/* keyring.c - the installation's key file, what is derived from it, and sealing.
 *
 * Sealed bytes: version (1), key id (4), nonce (12), ciphertext, tag (16). Each purpose seals under
 * a key of its own, and owner and purpose are authenticated with the text, so that nothing opens in
 * another record or field. Refuses a file that others can read or that is not what it should be;
 * what was altered does not open. */
#define _GNU_SOURCE /* mkostemp */
#include "sign/opened.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SEAL_VERSION = 1,
    KEY_ID_SIZE = 4,
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
    HEAD_SIZE = 1 + KEY_ID_SIZE,
    KEYS_MAX = 16,
    FILE_MAX = 1024
};

typedef struct seal_key {
    uint8_t id[KEY_ID_SIZE];
    uint8_t secret[SIGN_KEY_SIZE];
} seal_key_t;

struct keyring {
    EVP_CIPHER *cipher;
    opened_t *opened;
    uint8_t root[SIGN_KEY_SIZE];
    sign_hmac_t hash;
    size_t key_count;
    seal_key_t keys[KEYS_MAX]; /* the first one seals */
};

/* ---- the file ---- */

static const char first_line[] = "aviary-keyring 1\n";

static int fail_io (failure_t *failure, const char *path, const char *what)
{
    return failure_set (failure, E_IO, NULL, "%s: cannot %s: %s", path, what, strerror (errno));
}

/* Forces a new name in the folder of `path` to disk. */
static int folder_sync (const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr (path, '/');
    int length = !slash ? 1 : slash == path ? 1 : (int) (slash - path);
    snprintf (folder, sizeof folder, "%.*s", length, slash ? path : ".");
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync (fd);
    close (fd);
    return rc;
}

static int text_write_to (const char *path, int fd, const char *text, failure_t *failure)
{
    ssize_t length = (ssize_t) strlen (text);
    if (write (fd, text, (size_t) length) != length || fsync (fd) != 0)
        return fail_io (failure, path, "write");
    return 0;
}

/* Makes the file with new keys, complete before it has its name. That another process was faster is
 * no failure. */
static int file_make (const char *path, failure_t *failure)
{
    char temporary[PATH_MAX];
    if (snprintf (temporary, sizeof temporary, "%s.XXXXXX", path) >= (int) sizeof temporary)
        return failure_set (failure, E_IO, NULL, "%s: the path is too long", path);
    int fd = mkostemp (temporary, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return fail_io (failure, path, "make");

    uint8_t random[SIGN_KEY_SIZE + KEY_ID_SIZE];
    char root[2 * SIGN_KEY_SIZE + 1];
    char id[2 * KEY_ID_SIZE + 1];
    char text[FILE_MAX];
    sign_random (random, sizeof random);
    text_write_hex (random, SIGN_KEY_SIZE, root);
    text_write_hex (random + SIGN_KEY_SIZE, KEY_ID_SIZE, id);
    snprintf (text, sizeof text, "%sroot %s\nseal %s\n", first_line, root, id);

    int rc = text_write_to (path, fd, text, failure);
    if (rc == 0 && link (temporary, path) != 0 && errno != EEXIST)
        rc = fail_io (failure, path, "make");
    if (rc == 0 && folder_sync (path) != 0)
        rc = fail_io (failure, path, "sync the folder of");
    close (fd);
    unlink (temporary);
    sign_wipe (random, sizeof random);
    sign_wipe (root, sizeof root);
    sign_wipe (text, sizeof text);
    return rc;
}

/* All of the file as text. Refused if others may read it: then its keys are no secret any more. */
static int file_read (const char *path, int fd, char text[FILE_MAX], failure_t *failure)
{
    struct stat st;
    if (fstat (fd, &st) != 0)
        return fail_io (failure, path, "look at");
    if (!S_ISREG (st.st_mode))
        return failure_set (failure, E_CORRUPT, NULL, "%s: is not a file", path);
    if ((st.st_mode & 077) != 0 || (st.st_uid != geteuid () && st.st_uid != 0))
        return failure_set (failure, E_FORBIDDEN, NULL,
                            "%s: must belong to this user and have mode 0600, has %04o", path,
                            (unsigned) st.st_mode & 07777);
    size_t size = 0;
    for (;;) {
        ssize_t got = read (fd, text + size, FILE_MAX - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_io (failure, path, "read");
        size += (size_t) got;
        if (size == FILE_MAX)
            return failure_set (failure, E_CORRUPT, NULL, "%s: is too long", path);
        if (got == 0)
            break;
    }
    text[size] = 0;
    return 0;
}

/* "NAME HEX\n" at *at, exactly `size` bytes of it; moves *at past the line. */
static bool line_read (const char **at, const char *name, uint8_t *out, size_t size)
{
    size_t length = strlen (name);
    if (strncmp (*at, name, length) != 0 || (*at)[length] != ' ')
        return false;
    const char *hex = *at + length + 1;
    const char *end = strchr (hex, '\n');
    if (!end || text_read_hex (hex, (size_t) (end - hex), out, size) != (long) size)
        return false;
    *at = end + 1;
    return true;
}

static bool keyring_parse (keyring_t *self, const char *text)
{
    if (strncmp (text, first_line, sizeof first_line - 1) != 0)
        return false;
    text += sizeof first_line - 1;
    if (!line_read (&text, "root", self->root, sizeof self->root))
        return false;
    while (*text) {
        if (self->key_count == KEYS_MAX ||
            !line_read (&text, "seal", self->keys[self->key_count].id, KEY_ID_SIZE))
            return false;
        self->key_count++;
    }
    return self->key_count > 0;
}

/* A key under `key` for a domain ("hash", "seal") and what tells keys of the domain apart. */
static void derive (const uint8_t key[SIGN_KEY_SIZE], const char *domain, bytes_t detail,
                    uint8_t out[SIGN_KEY_SIZE])
{
    bytes_t parts[] = {bytes_of_str ("aviary/"), bytes_of_str (domain), bytes_of ("", 1), detail};
    sign_hmac_sha256_parts (bytes_of (key, SIGN_KEY_SIZE), parts, 4, out);
}

static void keys_derive (keyring_t *self)
{
    uint8_t hash[SIGN_KEY_SIZE];
    derive (self->root, "hash", bytes_of (NULL, 0), hash);
    sign_hmac_prepare (bytes_of (hash, sizeof hash), &self->hash);
    sign_wipe (hash, sizeof hash);
    for (size_t i = 0; i < self->key_count; i++)
        derive (self->root, "seal", bytes_of (self->keys[i].id, KEY_ID_SIZE), self->keys[i].secret);
}

static int keyring_load (keyring_t *self, const char *path, failure_t *failure)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        int rc = file_make (path, failure);
        if (rc)
            return rc;
        fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0)
        return fail_io (failure, path, "open");
    char text[FILE_MAX];
    int rc = file_read (path, fd, text, failure);
    close (fd);
    if (rc == 0 && !keyring_parse (self, text))
        rc = failure_set (failure, E_CORRUPT, NULL, "%s: is not a key file", path);
    sign_wipe (text, sizeof text);
    return rc;
}

int keyring_open (const char *path, keyring_t **out, failure_t *failure)
{
    if (sign_init () != 0)
        return failure_set (failure, E_INTERNAL, NULL, "the cryptography libraries do not start");
    keyring_t *self = sodium_malloc (sizeof *self); /* guarded, not swapped, wiped when freed */
    if (!self)
        return failure_set (failure, E_NO_MEMORY, NULL, "no memory for the keys");
    memset (self, 0, sizeof *self);
    int rc = keyring_load (self, path, failure);
    if (rc == 0)
        self->cipher = EVP_CIPHER_fetch (NULL, "AES-256-GCM", NULL);
    if (rc == 0 && !self->cipher)
        rc = failure_set (failure, E_INTERNAL, NULL, "AES-256-GCM is not available");
    if (rc == 0 && !(self->opened = opened_new ()))
        rc = failure_set (failure, E_NO_MEMORY, NULL, "no memory for the keys");
    if (rc) {
        keyring_close (&self);
        return rc;
    }
    keys_derive (self);
    sodium_mprotect_readonly (self);
    *out = self;
    return 0;
}

void keyring_close (keyring_t **self)
{
    if (!self || !*self)
        return;
    opened_t *opened = (*self)->opened;
    opened_destroy (&opened);
    EVP_CIPHER_free ((*self)->cipher);
    sodium_free (*self);
    *self = NULL;
}

/* ---- using it ---- */

void keyring_hash (const keyring_t *self, const char *api_key, uint8_t out[SIGN_SHA256_SIZE])
{
    bytes_t text = bytes_of_str (api_key);
    sign_hmac_run (&self->hash, &text, 1, out);
}

void keyring_derive (const keyring_t *self, const char *purpose, uint8_t out[SIGN_KEY_SIZE])
{
    derive (self->root, "purpose", bytes_of_str (purpose), out);
}

/* A cipher under `key`'s secret for the purpose, with version, key id, owner and purpose as
 * associated data. NULL if EVP fails. `head` is the sealed bytes' start, the nonce follows it. */
static EVP_CIPHER_CTX *cipher_start (const keyring_t *self, const seal_key_t *key, id16_t owner,
                                     const char *purpose, const uint8_t *head, bool sealing)
{
    uint8_t secret[SIGN_KEY_SIZE];
    bytes_t name = bytes_of_str (purpose);
    int length = 0;
    EVP_CIPHER_CTX *ctx = name.size > INT_MAX ? NULL : EVP_CIPHER_CTX_new ();
    derive (key->secret, "field", name, secret);
    bool ok = ctx &&
              EVP_CipherInit_ex2 (ctx, self->cipher, secret, head + HEAD_SIZE, sealing, NULL) &&
              EVP_CipherUpdate (ctx, NULL, &length, head, HEAD_SIZE) &&
              EVP_CipherUpdate (ctx, NULL, &length, owner.b, sizeof owner.b) &&
              (name.size == 0 || EVP_CipherUpdate (ctx, NULL, &length, name.data, (int) name.size));
    sign_wipe (secret, sizeof secret);
    if (!ok) {
        EVP_CIPHER_CTX_free (ctx);
        return NULL;
    }
    return ctx;
}

void keyring_seal (const keyring_t *self, id16_t owner, const char *purpose, bytes_t clear,
                   buf_t *out)
{
    const size_t overhead = HEAD_SIZE + NONCE_SIZE + TAG_SIZE;
    uint8_t *at = clear.size > INT_MAX - overhead ? NULL : buf_reserve (out, clear.size + overhead);
    if (!at) {
        out->failed = true;
        return;
    }
    at[0] = SEAL_VERSION;
    memcpy (at + 1, self->keys[0].id, KEY_ID_SIZE);
    sign_random (at + HEAD_SIZE, NONCE_SIZE);

    uint8_t *text = at + HEAD_SIZE + NONCE_SIZE;
    int length = 0;
    EVP_CIPHER_CTX *ctx = cipher_start (self, &self->keys[0], owner, purpose, at, true);
    bool ok =
        ctx &&
        (clear.size == 0 || EVP_CipherUpdate (ctx, text, &length, clear.data, (int) clear.size)) &&
        EVP_CipherFinal_ex (ctx, text + clear.size, &length) &&
        EVP_CIPHER_CTX_ctrl (ctx, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, text + clear.size);
    EVP_CIPHER_CTX_free (ctx);
    if (ok)
        out->size += clear.size + overhead;
    else
        out->failed = true;
}

/* The key that the sealed bytes name; NULL if we have no such key or they are too short or of
 * another version. */
static const seal_key_t *key_of_sealed (const keyring_t *self, bytes_t sealed)
{
    if (sealed.size < HEAD_SIZE + NONCE_SIZE + TAG_SIZE || sealed.size > INT_MAX ||
        sealed.data[0] != SEAL_VERSION)
        return NULL;
    for (size_t i = 0; i < self->key_count; i++)
        if (memcmp (sealed.data + 1, self->keys[i].id, KEY_ID_SIZE) == 0)
            return &self->keys[i];
    return NULL;
}

int keyring_open_sealed (const keyring_t *self, id16_t owner, const char *purpose, bytes_t sealed,
                         buf_t *out)
{
    const seal_key_t *key = key_of_sealed (self, sealed);
    if (!key)
        return E_CORRUPT;
    const uint8_t *text = sealed.data + HEAD_SIZE + NONCE_SIZE;
    size_t size = sealed.size - HEAD_SIZE - NONCE_SIZE - TAG_SIZE;
    uint8_t tag[TAG_SIZE];
    memcpy (tag, text + size, TAG_SIZE);

    uint8_t *at = buf_reserve (out, size);
    if (!at)
        return E_NO_MEMORY;
    if (opened_find (self->opened, owner, purpose, sealed, at, size)) {
        out->size += size;
        return 0;
    }
    EVP_CIPHER_CTX *ctx = cipher_start (self, key, owner, purpose, sealed.data, false);
    if (!ctx)
        return E_NO_MEMORY;
    int length = 0;
    uint8_t nothing[TAG_SIZE]; /* GCM has no last block, but Final wants somewhere to write */
    bool ok = (size == 0 || EVP_CipherUpdate (ctx, at, &length, text, (int) size)) &&
              EVP_CIPHER_CTX_ctrl (ctx, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) &&
              EVP_CipherFinal_ex (ctx, nothing, &length) > 0;
    EVP_CIPHER_CTX_free (ctx);
    if (!ok) {
        sign_wipe (at, size); /* not authentic: nobody may see it */
        return E_CORRUPT;
    }
    opened_keep (self->opened, owner, purpose, sealed, bytes_of (at, size));
    out->size += size;
    return 0;
}
