/* send_hold.c - preloaded into a house by test_carrier_faults.py: stops messaging right after a commit, or right before curl gets a request.
 *
 * The file named by AVIARY_TEST_HOLD holds five 32-bit numbers: hold commits, commits to let pass first, hold requests, commits held, requests held. A
 * process that is held stays held until it is killed or the test says otherwise. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COMMITS, PASS, REQUESTS, COMMITS_HELD, REQUESTS_HELD, NUMBERS };
enum { READ_ONLY = 0x20000 /* MDB_RDONLY */ };

typedef int (begin_fn) (void *env, void *parent, unsigned flags, void **out);
typedef int (commit_fn) (void *txn);
typedef int (add_fn) (void *multi, void *easy);

int mdb_txn_begin (void *env, void *parent, unsigned flags, void **out);
int mdb_txn_commit (void *txn);
int curl_multi_add_handle (void *multi, void *easy);

static _Atomic uint32_t *numbers;
static __thread void *whole; /* this thread's write transaction that is no part of another */

__attribute__ ((constructor)) static void send_hold_open (void)
{
    const char *path = getenv ("AVIARY_TEST_HOLD");
    if (!path || strcmp (program_invocation_short_name, "aviary-messaging") != 0)
        return;
    int fd = open (path, O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED
                       : mmap (NULL, NUMBERS * sizeof (uint32_t), PROT_READ | PROT_WRITE,
                               MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        numbers = map;
    if (fd >= 0)
        close (fd);
}

static void hold (int switch_at, int held_at)
{
    atomic_fetch_add (&numbers[held_at], 1);
    while (atomic_load (&numbers[switch_at]))
        usleep (1000);
}

int mdb_txn_begin (void *env, void *parent, unsigned flags, void **out)
{
    begin_fn *real = (begin_fn *) dlsym (RTLD_NEXT, "mdb_txn_begin");
    int rc = real (env, parent, flags, out);
    if (rc == 0 && !parent && !(flags & READ_ONLY))
        whole = *out;
    return rc;
}

int mdb_txn_commit (void *txn)
{
    commit_fn *real = (commit_fn *) dlsym (RTLD_NEXT, "mdb_txn_commit");
    int rc = real (txn);
    if (!numbers || txn != whole || !atomic_load (&numbers[COMMITS]))
        return rc;
    uint32_t left = atomic_load (&numbers[PASS]);
    if (left)
        atomic_store (&numbers[PASS], left - 1);
    else
        hold (COMMITS, COMMITS_HELD);
    return rc;
}

int curl_multi_add_handle (void *multi, void *easy)
{
    add_fn *real = (add_fn *) dlsym (RTLD_NEXT, "curl_multi_add_handle");
    if (numbers && atomic_load (&numbers[REQUESTS]))
        hold (REQUESTS, REQUESTS_HELD);
    return real (multi, easy);
}
