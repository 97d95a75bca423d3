/* limits_world.c - see limits_world.h. */
#include "limits_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/limits_test.XXXXXX", path[64];

int world_folder_make (void **state)
{
    (void) state;
    if (!mkdtemp (folder))
        return -1;
    snprintf (path, sizeof path, "%s/table", folder);
    return 0;
}

int world_folder_drop (void **state)
{
    (void) state;
    unlink (path);
    return rmdir (folder);
}

const char *world_path (void)
{
    return path;
}

void world_hash (uint32_t n, uint8_t out[LIMITS_HASH_SIZE])
{
    uint64_t a = (n + 1) * UINT64_C (0x9E3779B97F4A7C15),
             b = (a ^ a >> 31) * UINT64_C (0xBF58476D1CE4E5B9);
    memcpy (out, &a, 8);
    memcpy (out + 8, &b, 8);
}
