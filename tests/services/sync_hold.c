/* sync_hold.c - preloaded into a service by the flush test: fdatasync waits while the test says so.
 *
 * The file named by AVIARY_TEST_SYNC holds three 32-bit numbers: hold, entered, allowed. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint32_t *numbers;

__attribute__ ((constructor)) static void sync_hold_open (void)
{
    const char *path = getenv ("AVIARY_TEST_SYNC");
    int fd = path ? open (path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap (NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        numbers = map;
    if (fd >= 0)
        close (fd);
}

int fdatasync (int fd)
{
    if (numbers) {
        uint32_t mine = atomic_fetch_add (&numbers[1], 1) + 1;
        while (atomic_load (&numbers[0]) && mine > atomic_load (&numbers[2]))
            usleep (1000);
    }
    return (int) syscall (SYS_fdatasync, fd);
}
