/* io_fail.c - preloaded into a house by faults.py: writes and flushes of one service's store fail while the test says so.
 *
 * The file named by AVIARY_TEST_IO holds five 32-bit numbers: what fails (0 nothing, 1 writes, 2 flushes), whose (a service of the list below), calls
 * to let pass first, calls to fail then (0 = all until told otherwise), and calls that failed so far. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WHAT, WHOSE, PASS, COUNT, FAILED, NUMBERS };
enum { WRITES = 1, FLUSHES = 2 };

static const char *const names[] = {"aviary-messaging", "aviary-webhooks", "aviary-accounts",
                                    "aviary-inbox"};
enum { NAMES = sizeof names / sizeof *names };

static _Atomic uint32_t *numbers;
static uint32_t me;

__attribute__ ((constructor)) static void io_fail_open (void)
{
    const char *path = getenv ("AVIARY_TEST_IO");
    while (me < NAMES && strcmp (program_invocation_short_name, names[me]) != 0)
        me++;
    int fd = path && me < NAMES ? open (path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED
                       : mmap (NULL, NUMBERS * sizeof (uint32_t), PROT_READ | PROT_WRITE,
                               MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        numbers = map;
    if (fd >= 0)
        close (fd);
}

static bool is_store (int fd)
{
    static const char end[] = "/data.mdb";
    char link[64], path[1024];
    snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink (link, path, sizeof path);
    return n >= (ssize_t) sizeof end && !memcmp (path + n - (sizeof end - 1), end, sizeof end - 1);
}

/* Only the writer's thread writes a store, so the numbers need no more care than being atomic. */
static bool fails (uint32_t what, int fd)
{
    if (!numbers || atomic_load (&numbers[WHAT]) != what || atomic_load (&numbers[WHOSE]) != me ||
        !is_store (fd))
        return false;
    if (atomic_load (&numbers[PASS])) {
        atomic_fetch_sub (&numbers[PASS], 1);
        return false;
    }
    uint32_t count = atomic_load (&numbers[COUNT]);
    if (count == 1)
        atomic_store (&numbers[WHAT], 0);
    else if (count)
        atomic_fetch_sub (&numbers[COUNT], 1);
    atomic_fetch_add (&numbers[FAILED], 1);
    errno = EIO;
    return true;
}

int fdatasync (int fd)
{
    return fails (FLUSHES, fd) ? -1 : (int) syscall (SYS_fdatasync, fd);
}

ssize_t pwrite (int fd, const void *data, size_t size, off_t at)
{
    return fails (WRITES, fd) ? -1 : syscall (SYS_pwrite64, fd, data, size, at);
}

ssize_t pwrite64 (int fd, const void *data, size_t size, off64_t at)
{
    return pwrite (fd, data, size, at);
}

ssize_t writev (int fd, const struct iovec *parts, int count)
{
    return fails (WRITES, fd) ? -1 : syscall (SYS_writev, fd, parts, count);
}
