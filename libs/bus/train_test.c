/* train_test.c - messages of several pairs: how the broker's end reads and makes them. The other end is a bare DEALER. */
#include "bus/train.h"
#include "bus/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

enum { PEERS = 2, WAIT_MS = 2000 };

typedef struct rail {
    char folder[32];
    router_t *router;
    void *context;
    void *peers[PEERS];
    uint32_t numbers[PEERS]; /* as the router knows them */
    router_message_t message;
} rail_t;

static void parts_send (void *socket, const char *const *parts)
{
    for (; *parts; parts++)
        assert_int_equal (zmq_send (socket, *parts, strlen (*parts), parts[1] ? ZMQ_SNDMORE : 0),
                          strlen (*parts));
}

static void comes (rail_t *r, const char *header, const char *body)
{
    for (int i = 0; i < 100 && !router_receive (r->router, &r->message); i++) {
        assert_true (i < 99);
        router_wait (r->router, -1, WAIT_MS / 100);
    }
    bytes_t h = frame_bytes (&r->message.header), b = frame_bytes (&r->message.body);
    assert_int_equal (h.size, strlen (header));
    assert_memory_equal (h.data, header, h.size);
    assert_int_equal (b.size, strlen (body));
    assert_memory_equal (b.data, body, b.size);
}

static int rail_lay (void **state)
{
    rail_t *r = calloc (1, sizeof *r);
    assert_non_null (r);
    *state = r;
    char bus[64];
    failure_t failure = {0};
    strcpy (r->folder, "/tmp/train_test.XXXXXX");
    assert_non_null (mkdtemp (r->folder));
    snprintf (bus, sizeof bus, "ipc://%s/bus", r->folder);
    router_config_t config = {.ipc = bus};
    assert_int_equal (router_new (&config, &r->router, &failure), 0);
    frame_init (&r->message.header);
    frame_init (&r->message.body);
    r->context = zmq_ctx_new ();
    for (int i = 0; i < PEERS; i++) {
        int wait_ms = WAIT_MS;
        r->peers[i] = zmq_socket (r->context, ZMQ_DEALER);
        zmq_setsockopt (r->peers[i], ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
        assert_int_equal (zmq_connect (r->peers[i], bus), 0);
        parts_send (r->peers[i], (const char *[]){"hello", "", NULL});
        comes (r, "hello", "");
        r->numbers[i] = r->message.peer;
    }
    return 0;
}

static int rail_lift (void **state)
{
    rail_t *r = *state;
    char bus[64];
    for (int i = 0; i < PEERS; i++)
        zmq_close (r->peers[i]);
    zmq_ctx_term (r->context);
    frame_close (&r->message.header);
    frame_close (&r->message.body);
    router_destroy (&r->router);
    snprintf (bus, sizeof bus, "%s/bus", r->folder);
    unlink (bus);
    rmdir (r->folder);
    free (r);
    return 0;
}

static void pairs_are_read_one_by_one (void **state)
{
    rail_t *r = *state;
    parts_send (r->peers[0], (const char *[]){"h1", "b1", "h2", "b2", "h3", "b3", NULL});
    comes (r, "h1", "b1");
    assert_int_equal (r->message.peer, r->numbers[0]);
    comes (r, "h2", "b2");
    comes (r, "h3", "b3");
    assert_int_equal (r->message.peer, r->numbers[0]);
    parts_send (r->peers[1], (const char *[]){"h4", "b4", NULL});
    comes (r, "h4", "b4");
    assert_int_equal (r->message.peer, r->numbers[1]);
}

/* A header without a body is nothing; what stands before and what comes after it holds. */
static void half_a_pair_is_dropped (void **state)
{
    rail_t *r = *state;
    parts_send (r->peers[0], (const char *[]){"h1", NULL});
    parts_send (r->peers[0], (const char *[]){"h2", "b2", "h3", NULL});
    parts_send (r->peers[0], (const char *[]){"h4", "b4", NULL});
    comes (r, "h2", "b2");
    comes (r, "h4", "b4");
    assert_false (router_receive (r->router, &r->message));
}

/* `pairs` of them, "h1" "b1" and so on, the last of which lacks its last `cut` bytes. */
static void train_send (rail_t *r, int peer, int pairs, size_t cut)
{
    train_t *train = calloc (1, sizeof *train);
    assert_non_null (train);
    for (int i = 1; i <= pairs; i++) {
        char header[] = {'h', (char) ('0' + i), 0}, body[] = {'b', (char) ('0' + i), 0};
        train_add (train, bytes_of_str (header), bytes_of_str (body));
    }
    bytes_t all = train_bytes (train);
    assert_int_equal (zmq_send (r->peers[peer], all.data, all.size - cut, 0), all.size - cut);
    free (train);
}

static void packed_pairs_are_read_one_by_one (void **state)
{
    rail_t *r = *state;
    train_send (r, 0, 3, 0);
    comes (r, "h1", "b1");
    assert_int_equal (r->message.peer, r->numbers[0]);
    router_wait (r->router, -1, WAIT_MS); /* does not sleep while there are more */
    comes (r, "h2", "b2");
    parts_send (r->peers[1], (const char *[]){"h4", "b4", NULL});
    comes (r, "h3", "b3");
    assert_int_equal (r->message.peer, r->numbers[0]);
    comes (r, "h4", "b4");
    assert_int_equal (r->message.peer, r->numbers[1]);
}

/* A pair that is cut off ends its train and nothing else. */
static void a_train_that_is_cut_off_ends (void **state)
{
    rail_t *r = *state;
    for (size_t cut = 1; cut < 13; cut++) {
        train_send (r, 0, 2, cut);
        comes (r, "h1", "b1");
    }
    parts_send (r->peers[0], (const char *[]){"\xc1", NULL});
    parts_send (r->peers[0], (const char *[]){"h4", "b4", NULL});
    comes (r, "h4", "b4");
    assert_false (router_receive (r->router, &r->message));
}

static void pair_send (rail_t *r, int peer, bool train)
{
    frame_t body;
    frame_init (&body);
    assert_int_equal (frame_fill (&body, bytes_of_str ("b")), 0);
    assert_int_equal (router_send (r->router, r->numbers[peer], bytes_of_str ("h"), &body, train),
                      0);
    frame_close (&body);
}

/* Pairs of the next message of a peer; 0: one of two frames. */
static int message_pairs (rail_t *r, int peer)
{
    static uint8_t frame[TRAIN_BYTES];
    int more = 0, pairs = 0;
    size_t size = sizeof more;
    bytes_t header, body;
    int length = zmq_recv (r->peers[peer], frame, sizeof frame, 0);
    assert_true (length > 0);
    zmq_getsockopt (r->peers[peer], ZMQ_RCVMORE, &more, &size);
    if (more) {
        assert_int_equal (frame[0], 'h');
        assert_int_equal (zmq_recv (r->peers[peer], frame, sizeof frame, 0), 1);
        assert_int_equal (frame[0], 'b');
        zmq_getsockopt (r->peers[peer], ZMQ_RCVMORE, &more, &size);
        assert_false (more);
        return 0;
    }
    bytes_t rest = train_open (bytes_of (frame, (size_t) length));
    for (; train_next (&rest, &header, &body); pairs++) {
        assert_true (bytes_equal (header, bytes_of_str ("h")));
        assert_true (bytes_equal (body, bytes_of_str ("b")));
    }
    return pairs;
}

static void trains_go_to_one_peer (void **state)
{
    rail_t *r = *state;
    for (int i = 0; i < 3; i++)
        pair_send (r, 0, true);
    pair_send (r, 1, true);
    pair_send (r, 0, true);
    pair_send (r, 0, false); /* it does not take them: alone, and what waited goes first */
    pair_send (r, 0, true);
    pair_send (r, 0, true);
    assert_int_equal (
        router_send_bytes (r->router, r->numbers[0], bytes_of_str ("h"), bytes_of_str ("b")), 0);
    router_wait (r->router, -1, 0);
    static const int of_first[] = {3, 1, 0, 2, 0};
    for (size_t i = 0; i < sizeof of_first / sizeof *of_first; i++)
        assert_int_equal (message_pairs (r, 0), of_first[i]);
    assert_int_equal (message_pairs (r, 1), 1);
}

/* Great bodies are not copied: they go alone, and what waited goes before them. */
static void a_great_pair_goes_alone (void **state)
{
    rail_t *r = *state;
    static uint8_t great[TRAIN_PAIR_MAX], back[TRAIN_PAIR_MAX];
    frame_t body;
    memset (great, 'g', sizeof great);
    assert_int_equal (frame_fill (&body, bytes_of (great, sizeof great)), 0);
    pair_send (r, 0, true);
    assert_int_equal (router_send (r->router, r->numbers[0], bytes_of_str ("h"), &body, true), 0);
    pair_send (r, 0, true);
    router_wait (r->router, -1, 0);
    assert_int_equal (message_pairs (r, 0), 1);
    assert_int_equal (zmq_recv (r->peers[0], back, sizeof back, 0), 1);
    assert_int_equal (zmq_recv (r->peers[0], back, sizeof back, 0), sizeof back);
    assert_memory_equal (back, great, sizeof back);
    assert_int_equal (message_pairs (r, 0), 1);
    frame_close (&body);
}

static void trains_have_an_end (void **state)
{
    rail_t *r = *state;
    for (int i = 0; i < TRAIN_PAIRS + 1; i++)
        pair_send (r, 0, true);
    router_wait (r->router, -1, 0);
    assert_int_equal (message_pairs (r, 0), TRAIN_PAIRS);
    assert_int_equal (message_pairs (r, 0), 1);
}

static void a_peer_that_went_is_told (void **state)
{
    rail_t *r = *state;
    int code = 0;
    zmq_close (r->peers[1]);
    r->peers[1] = zmq_socket (r->context, ZMQ_DEALER);
    for (int i = 0; i < 200 && !code; i++) {
        router_wait (r->router, -1, WAIT_MS / 100);
        code = router_send (r->router, r->numbers[1], bytes_of_str ("h"), NULL, true);
    }
    assert_int_equal (code, E_UNAVAILABLE);
    pair_send (r, 0, true);
    router_wait (r->router, -1, 0);
    assert_int_equal (message_pairs (r, 0), 1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (pairs_are_read_one_by_one, rail_lay, rail_lift),
        cmocka_unit_test_setup_teardown (half_a_pair_is_dropped, rail_lay, rail_lift),
        cmocka_unit_test_setup_teardown (packed_pairs_are_read_one_by_one, rail_lay, rail_lift),
        cmocka_unit_test_setup_teardown (a_train_that_is_cut_off_ends, rail_lay, rail_lift),
        cmocka_unit_test_setup_teardown (trains_go_to_one_peer, rail_lay, rail_lift),
        cmocka_unit_test_setup_teardown (a_great_pair_goes_alone, rail_lay, rail_lift),
        cmocka_unit_test_setup_teardown (trains_have_an_end, rail_lay, rail_lift),
        cmocka_unit_test_setup_teardown (a_peer_that_went_is_told, rail_lay, rail_lift),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
