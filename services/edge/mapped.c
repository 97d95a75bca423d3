/* mapped.c - see mapped.h. */
#include "mapped.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of another size is an older program's: it is replaced, not resized under who has it mapped. */
static int file_open (const char *path, size_t size)
{
    for (int i = 0; i < 3; i++) {
        struct stat st;
        int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            return -1;
        if (fstat (fd, &st) == 0) {
            if (st.st_size == 0 && ftruncate (fd, (off_t) size) == 0)
                return fd;
            if (st.st_size == (off_t) size)
                return fd;
        }
        close (fd);
        unlink (path);
    }
    return -1;
}

void *mapped_open (const char *path, size_t size)
{
    int fd = file_open (path, size);
    if (fd < 0)
        return NULL;
    void *data = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close (fd);
    return data == MAP_FAILED ? NULL : data;
}

void mapped_close (void *data, size_t size)
{
    munmap (data, size);
}
