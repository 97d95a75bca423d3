/* curve_test.c - the broker on TCP: who has a certificate comes in under its name, nobody else does; ipc beside it stays as it is. */
#include "testbed.h"

#include "bus/curve.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct tcp_bed {
    bed_t *bed;
    char keys[64];
    char endpoint[64];
} tcp_bed_t;

static const char *const key_files[] = {
    "broker.pub", "broker.pub_secret", "cli.pub",     "cli.pub_secret",
    "alpha.pub",  "alpha.pub_secret",  "late.pub",    "late.pub_secret",
    "stray.pub",  "stray.pub_secret",  "billing.pub", "billing.pub_secret"};

/* A port that is free now. */
static int port_find (void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl (INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &address, size), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *) &address, &size), 0);
    close (fd);
    return ntohs (address.sin_port);
}

static tcp_bed_t *tcp_bed_new (void)
{
    tcp_bed_t *self = calloc (1, sizeof *self);
    strcpy (self->keys, "/tmp/aviary-certs-XXXXXX");
    assert_non_null (mkdtemp (self->keys));
    snprintf (self->endpoint, sizeof self->endpoint, "tcp://127.0.0.1:%d", port_find ());
    static const char *const names[] = {"broker", "cli", "alpha", "billing"};
    for (int i = 0; i < 4; i++)
        assert_int_equal (curve_keys_make (self->keys, names[i], NULL), 0);
    self->bed =
        bed_new ((const char *const[]){"--listen", self->endpoint, "--keys", self->keys, NULL});
    return self;
}

static void tcp_bed_destroy (tcp_bed_t **self)
{
    char path[128];
    bed_destroy (&(*self)->bed);
    for (size_t i = 0; i < sizeof key_files / sizeof key_files[0]; i++) {
        snprintf (path, sizeof path, "%s/%s", (*self)->keys, key_files[i]);
        unlink (path);
    }
    rmdir ((*self)->keys);
    free (*self);
    *self = NULL;
}

static curve_keys_t keys_of (const tcp_bed_t *bed, const char *name)
{
    curve_keys_t keys;
    failure_t failure = {0};
    if (curve_keys_load (bed->keys, name, &keys, &failure))
        fail_msg ("%s", failure.text);
    return keys;
}

static void the_right_key_comes_in (void **state)
{
    (void) state;
    tcp_bed_t *tcp = tcp_bed_new ();
    curve_keys_t keys = keys_of (tcp, "cli"), billing_keys = keys_of (tcp, "billing");
    bed_replica (tcp->bed, "alpha", 0, 16, NULL); /* by ipc */
    client_t *cli = client_new (tcp->endpoint, "cli", &keys);
    assert_int_equal (client_ask (cli, "broker.ping", "", 5000).code, 0);
    assert_int_equal (client_ask (cli, "alpha.ping", "", 5000).code, E_UNKNOWN_OP);
    assert_int_equal (client_ask (cli, "alpha.echo", "", 5000).code,
                      E_REFUSED); /* not in the schema: for ipc only */
    client_t *billing = client_new (tcp->endpoint, "billing", &billing_keys);
    assert_int_equal (client_ask (billing, "alpha.ping", "", 5000).code, E_REFUSED);
    client_t *near = client_new (tcp->bed->bus, "cli", NULL);
    assert_int_equal (client_ask (near, "alpha.echo", "", 5000).code, 0);
    client_destroy (&near);
    client_destroy (&billing);
    client_destroy (&cli);
    tcp_bed_destroy (&tcp);
}

static void no_other_key_gets_anything (void **state)
{
    (void) state;
    tcp_bed_t *tcp = tcp_bed_new ();
    char folder[] = "/tmp/aviary-stray-XXXXXX", path[128];
    assert_non_null (mkdtemp (folder));
    assert_int_equal (curve_keys_make (folder, "broker", NULL), 0);
    assert_int_equal (curve_keys_make (folder, "stray", NULL), 0);
    curve_keys_t stray, right = keys_of (tcp, "cli");
    assert_int_equal (curve_keys_load (folder, "stray", &stray, NULL), 0);
    memcpy (stray.server_key, right.server_key,
            sizeof stray.server_key); /* knows the broker, is not known by it */
    client_t *cli = client_new (tcp->endpoint, "cli", &stray);
    answer_t a = client_ask (cli, "broker.ping", "", 5000);
    assert_int_equal (a.code, E_UNAVAILABLE);
    assert_false (bus_connected (cli->bus));
    client_destroy (&cli);
    failure_t failure = {0};
    bus_t *bus = NULL;
    bus_config_t config = {.endpoint = tcp->endpoint, .service = "cli"};
    assert_int_equal (bus_new (&config, &bus, &failure),
                      E_BAD_REQUEST); /* no keys: not even tried */
    for (size_t i = 0; i < sizeof key_files / sizeof key_files[0]; i++) {
        snprintf (path, sizeof path, "%s/%s", folder, key_files[i]);
        unlink (path);
    }
    rmdir (folder);
    tcp_bed_destroy (&tcp);
}

static void another_name_is_refused (void **state)
{
    (void) state;
    tcp_bed_t *tcp = tcp_bed_new ();
    curve_keys_t keys = keys_of (tcp, "billing");
    client_t *cli =
        client_new (tcp->endpoint, "cli", &keys); /* billing's certificate, the CLI's name */
    answer_t a = client_ask (cli, "broker.ping", "", 5000);
    assert_int_equal (a.code, E_REFUSED);
    assert_non_null (strstr (a.text, "billing"));
    client_destroy (&cli);
    tcp_bed_destroy (&tcp);
}

static void a_certificate_added_later_counts (void **state)
{
    (void) state;
    tcp_bed_t *tcp = tcp_bed_new ();
    client_t *near = client_new (tcp->bed->bus, "cli", NULL);
    assert_int_equal (client_ask (near, "broker.ping", "", 5000).code, 0);
    client_destroy (&near);
    bed_sleep (1100); /* the folder is read again at most once a second */
    assert_int_equal (curve_keys_make (tcp->keys, "late", NULL), 0);
    curve_keys_t keys = keys_of (tcp, "late");
    client_t *late = client_new (tcp->endpoint, "late", &keys);
    assert_int_equal (client_ask (late, "broker.ping", "", 5000).code,
                      E_REFUSED); /* let in, and then not granted */
    assert_true (bus_connected (late->bus));
    client_destroy (&late);
    tcp_bed_destroy (&tcp);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (the_right_key_comes_in),
        cmocka_unit_test (no_other_key_gets_anything),
        cmocka_unit_test (another_name_is_refused),
        cmocka_unit_test (a_certificate_added_later_counts),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
