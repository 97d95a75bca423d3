/* limits_world.h - what the tests of tables that are shared by mapping a file have in common: a folder for the file, and hashes. Tests only. */
#ifndef AVIARY_EDGE_LIMITS_WORLD_H
#define AVIARY_EDGE_LIMITS_WORLD_H

#include "limits.h"

/* For cmocka's group: a folder of its own, and the path of the file in it. */
int world_folder_make (void **state);
int world_folder_drop (void **state);
const char *world_path (void);
/* The hash of the n-th: all differ. */
void world_hash (uint32_t n, uint8_t out[LIMITS_HASH_SIZE]);

#endif
