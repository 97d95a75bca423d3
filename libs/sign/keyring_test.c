/* keyring_test.c - making and refusing key files, hashing, sealing and every way to tamper with it.
 */
#include "sign/sign.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char fixed[] =
    "aviary-keyring 1\nroot 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
static const id16_t owner = {{1, 2, 3}};

typedef struct place {
    char folder[32];
    char path[64];
} place_t;

static int setup (void **state)
{
    place_t *self = calloc (1, sizeof *self);
    if (!self)
        return -1;
    strcpy (self->folder, "/tmp/keyring_test.XXXXXX");
    if (!mkdtemp (self->folder)) {
        free (self);
        return -1;
    }
    snprintf (self->path, sizeof self->path, "%s/keys", self->folder);
    *state = self;
    return 0;
}

static int teardown (void **state)
{
    place_t *self = *state;
    unlink (self->path);
    int rc = rmdir (self->folder); /* fails if a temporary file was left */
    free (self);
    return rc;
}

static void file_write (const place_t *self, const char *text, mode_t mode)
{
    FILE *file = fopen (self->path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    assert_int_equal (chmod (self->path, mode), 0);
}

static keyring_t *opened (const place_t *self)
{
    keyring_t *keyring = NULL;
    failure_t failure = {0};
    assert_int_equal (keyring_open (self->path, &keyring, &failure), 0);
    assert_non_null (keyring);
    return keyring;
}

static keyring_t *opened_with (const place_t *self, const char *seals)
{
    char text[512];
    snprintf (text, sizeof text, "%s%s", fixed, seals);
    file_write (self, text, 0600);
    return opened (self);
}

static void test_made_once (void **state)
{
    place_t *self = *state;
    keyring_t *one = opened (self);
    struct stat st;
    assert_int_equal (stat (self->path, &st), 0);
    assert_int_equal (st.st_mode & 0777, 0600);
    keyring_t *two = opened (self);
    uint8_t a[SIGN_SHA256_SIZE], b[SIGN_SHA256_SIZE], c[SIGN_SHA256_SIZE];
    keyring_hash (one, "key_1", a);
    keyring_hash (two, "key_1", b);
    keyring_hash (two, "key_2", c);
    assert_memory_equal (a, b, sizeof a);
    assert_memory_not_equal (a, c, sizeof a);
    keyring_close (&one);
    assert_null (one);
    keyring_close (&one);
    keyring_close (NULL);

    unlink (self->path);
    one = opened (self); /* another installation, other keys */
    keyring_hash (one, "key_1", c);
    assert_memory_not_equal (a, c, sizeof a);
    keyring_close (&one);
    keyring_close (&two);
}

/* Processes that start together agree on one file. */
static void test_made_by_many (void **state)
{
    enum { MANY = 6 };
    place_t *self = *state;
    int pipes[2];
    assert_int_equal (pipe (pipes), 0);
    for (int i = 0; i < MANY; i++) {
        pid_t child = fork ();
        assert_true (child >= 0);
        if (child == 0) {
            keyring_t *keyring = NULL;
            uint8_t hash[SIGN_SHA256_SIZE];
            if (keyring_open (self->path, &keyring, NULL) != 0)
                _exit (1);
            keyring_hash (keyring, "x", hash);
            _exit (write (pipes[1], hash, sizeof hash) == sizeof hash ? 0 : 1);
        }
    }
    uint8_t first[SIGN_SHA256_SIZE], next[SIGN_SHA256_SIZE];
    for (int i = 0; i < MANY; i++) {
        int status = -1;
        assert_true (wait (&status) > 0);
        assert_int_equal (status, 0);
        assert_int_equal (read (pipes[0], i ? next : first, sizeof next), sizeof next);
        if (i)
            assert_memory_equal (first, next, sizeof next);
    }
    close (pipes[0]);
    close (pipes[1]);
}

static void test_refuses_modes (void **state)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0666, 0620, 0601};
    place_t *self = *state;
    keyring_t *keyring = opened (self);
    keyring_close (&keyring);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        failure_t failure = {0};
        assert_int_equal (chmod (self->path, modes[i]), 0);
        assert_int_equal (keyring_open (self->path, &keyring, &failure), E_FORBIDDEN);
        assert_null (keyring);
        assert_non_null (strstr (failure.text, "0600"));
    }
    assert_int_equal (chmod (self->path, 0400), 0);
    keyring = opened (self);
    keyring_close (&keyring);
}

static void test_refuses_files (void **state)
{
    static const char *const rows[] = {
        "",
        "aviary-keyring 2\n",
        "aviary-keyring 1\n",
        "aviary-keyring 1\nroot 00\nseal 00000001\n",
        "aviary-keyring 1\nseal 00000001\n",
        "aviary-keyring 1\nroot 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
        "aviary-keyring 1\nroot 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g\n"
        "seal 00000001\n",
        "aviary-keyring 1\nroot 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
        "seal 00000001",
        "aviary-keyring 1\nroot 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
        "seal 00000001\nmore\n",
    };
    place_t *self = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        keyring_t *keyring = NULL;
        failure_t failure = {0};
        file_write (self, rows[i], 0600);
        assert_int_equal (keyring_open (self->path, &keyring, &failure), E_CORRUPT);
        assert_null (keyring);
        assert_null (strstr (failure.text, "0102")); /* no secret in the text */
    }
    char text[2000] = "aviary-keyring 1\n";
    memset (text + strlen (text), 'x', sizeof text - 1 - strlen (text));
    text[sizeof text - 1] = 0;
    file_write (self, text, 0600);
    keyring_t *keyring = NULL;
    assert_int_equal (keyring_open (self->path, &keyring, NULL), E_CORRUPT);
    assert_int_equal (keyring_open (self->folder, &keyring, NULL), E_CORRUPT);
    assert_int_equal (keyring_open ("/nonexistent/folder/keys", &keyring, NULL), E_IO);
}

static void check_opens (const keyring_t *keyring, bytes_t sealed, bytes_t want)
{
    buf_t out = {0};
    buf_add_str (&out, "before");
    assert_int_equal (keyring_open_sealed (keyring, owner, "token", sealed, &out), 0);
    assert_int_equal (out.size, 6 + want.size);
    assert_memory_equal (out.data, "before", 6);
    if (want.size)
        assert_memory_equal (out.data + 6, want.data, want.size);
    buf_free (&out);
}

static void check_refused (const keyring_t *keyring, id16_t who, const char *purpose,
                           bytes_t sealed)
{
    buf_t out = {0};
    buf_add_str (&out, "before");
    assert_int_equal (keyring_open_sealed (keyring, who, purpose, sealed, &out), E_CORRUPT);
    assert_string_equal (buf_text (&out), "before");
    buf_free (&out);
}

static void test_seals (void **state)
{
    place_t *self = *state;
    keyring_t *keyring = opened (self);
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 70000};
    uint8_t *clear = malloc (70000);
    assert_non_null (clear);
    sign_random (clear, 70000);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        buf_t sealed = {0}, again = {0};
        keyring_seal (keyring, owner, "token", bytes_of (clear, sizes[i]), &sealed);
        keyring_seal (keyring, owner, "token", bytes_of (clear, sizes[i]), &again);
        assert_int_equal (sealed.size, sizes[i] + 33);
        assert_false (bytes_equal (buf_bytes (&sealed), buf_bytes (&again)));
        check_opens (keyring, buf_bytes (&sealed), bytes_of (clear, sizes[i]));
        buf_free (&sealed);
        buf_free (&again);
    }
    buf_t small = {.limit = 40};
    keyring_seal (keyring, owner, "token", bytes_of (clear, 8), &small);
    assert_true (buf_failed (&small));
    buf_free (&small);
    free (clear);
    keyring_close (&keyring);
}

static void test_tampering (void **state)
{
    place_t *self = *state;
    keyring_t *keyring = opened (self);
    buf_t sealed = {0};
    keyring_seal (keyring, owner, "token", bytes_of_str ("a provider's token"), &sealed);
    bytes_t good = buf_bytes (&sealed);
    for (size_t bit = 0; bit < 8 * sealed.size; bit++) {
        sealed.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
        check_refused (keyring, owner, "token", good);
        sealed.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    for (size_t size = 0; size < sealed.size; size++)
        check_refused (keyring, owner, "token", bytes_of (sealed.data, size));
    check_refused (keyring, (id16_t){{1, 2, 4}}, "token", good);
    check_refused (keyring, id_nil (), "token", good);
    check_refused (keyring, owner, "secret", good);
    check_refused (keyring, owner, "", good);
    check_refused (keyring, owner, "token", bytes_of (NULL, 0));
    check_opens (keyring, good, bytes_of_str ("a provider's token"));
    buf_add_byte (&sealed, 0);
    check_refused (keyring, owner, "token", buf_bytes (&sealed));
    buf_free (&sealed);
    keyring_close (&keyring);
}

/* Opened twice, the second time from memory: no other owner, purpose or byte opens for it, and another keyring does not know of it. Many of all sizes: some places were taken by others since. */
static void test_opened_again (void **state)
{
    enum { MANY = 4000, SIZE_MOST = 600 };
    place_t *self = *state;
    keyring_t *keyring = opened_with (self, "seal 00000002\nseal 00000001\n");
    static buf_t sealed[MANY];
    uint8_t clear[SIZE_MOST];
    for (size_t i = 0; i < sizeof clear; i++)
        clear[i] = (uint8_t) (i * 7);
    for (size_t i = 0; i < MANY; i++)
        keyring_seal (keyring, owner, "token", bytes_of (clear + i % 5, i % (SIZE_MOST - 5)),
                      &sealed[i]);
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < MANY; i++) {
            bytes_t good = buf_bytes (&sealed[i]);
            check_opens (keyring, good, bytes_of (clear + i % 5, i % (SIZE_MOST - 5)));
            check_opens (keyring, good, bytes_of (clear + i % 5, i % (SIZE_MOST - 5)));
            check_refused (keyring, (id16_t){{1, 2, 4}}, "token", good);
            check_refused (keyring, owner, "toke", good);
            check_refused (keyring, owner, "token", bytes_of (good.data, good.size - 1));
            sealed[i].data[good.size - 1] ^= 1;
            check_refused (keyring, owner, "token", good);
            sealed[i].data[good.size - 1] ^= 1;
        }
    keyring_close (&keyring);
    keyring = opened_with (self, "seal 00000001\n");
    for (size_t i = 0; i < MANY; i++) {
        check_refused (keyring, owner, "token", buf_bytes (&sealed[i]));
        buf_free (&sealed[i]);
    }
    keyring_close (&keyring);
}

/* A new first id seals, the older ones still open until they are taken out. */
static void test_rotation (void **state)
{
    place_t *self = *state;
    buf_t old = {0}, fresh = {0};
    keyring_t *keyring = opened_with (self, "seal 00000001\n");
    keyring_seal (keyring, owner, "token", bytes_of_str ("old"), &old);
    keyring_close (&keyring);
    keyring = opened_with (self, "seal 00000002\nseal 00000001\n");
    keyring_seal (keyring, owner, "token", bytes_of_str ("new"), &fresh);
    assert_memory_equal (fresh.data, "\1\0\0\0\2", 5);
    check_opens (keyring, buf_bytes (&old), bytes_of_str ("old"));
    check_opens (keyring, buf_bytes (&fresh), bytes_of_str ("new"));
    keyring_close (&keyring);
    keyring = opened_with (self, "seal 00000002\n");
    check_refused (keyring, owner, "token", buf_bytes (&old));
    check_opens (keyring, buf_bytes (&fresh), bytes_of_str ("new"));
    keyring_close (&keyring);
    keyring = opened_with (self, "seal 00000001\nseal 00000002\n");
    memcpy (fresh.data, old.data, 5); /* passed off as the other key's */
    check_refused (keyring, owner, "token", buf_bytes (&fresh));
    keyring_close (&keyring);
    buf_free (&old);
    buf_free (&fresh);
}

/* Bytes sealed by an earlier release open in this one: the format and the derivation do not change.
 */
static void test_format_is_kept (void **state)
{
    static const uint8_t sealed[] = {0x01, 0x00, 0x00, 0x00, 0x01, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4,
                                     0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xb8, 0x78, 0x82,
                                     0x72, 0x78, 0x96, 0xa4, 0x7a, 0xcc, 0x5c, 0x7e, 0x48, 0xee,
                                     0xe5, 0x47, 0xd6, 0x4b, 0x4c, 0x14, 0x00};
    place_t *self = *state;
    keyring_t *keyring = opened_with (self, "seal 00000001\n");
    check_opens (keyring, bytes_of (sealed, sizeof sealed), bytes_of_str ("wren"));
    uint8_t hash[SIGN_SHA256_SIZE];
    static const uint8_t want[] = {0xf5, 0x0a, 0x23, 0x23, 0xa3, 0xe3, 0x6c, 0xe5, 0x0f, 0x84, 0x07,
                                   0x71, 0x52, 0x3a, 0x43, 0xa3, 0xee, 0x8c, 0xf9, 0xb6, 0xfc, 0x1a,
                                   0xe0, 0x95, 0x33, 0xcb, 0xae, 0x49, 0x83, 0xb7, 0xeb, 0x06};
    keyring_hash (keyring, "key_1", hash);
    assert_memory_equal (hash, want, sizeof want);
    keyring_close (&keyring);
}

static void test_derives (void **state)
{
    place_t *self = *state;
    keyring_t *keyring = opened (self);
    uint8_t a[SIGN_KEY_SIZE], b[SIGN_KEY_SIZE], c[SIGN_KEY_SIZE];
    keyring_derive (keyring, "media-url", a);
    keyring_derive (keyring, "media-url", b);
    keyring_derive (keyring, "cursor", c);
    assert_memory_equal (a, b, sizeof a);
    assert_memory_not_equal (a, c, sizeof a);
    keyring_close (&keyring);
}

#define ROW(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ROW (test_made_once),     ROW (test_made_by_many),   ROW (test_refuses_modes),
        ROW (test_refuses_files), ROW (test_seals),          ROW (test_tampering),
        ROW (test_rotation),      ROW (test_format_is_kept), ROW (test_derives),
        ROW (test_opened_again),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
