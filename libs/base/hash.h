/* hash.h - for tables in memory whose keys come from outside: a seed that nobody can guess, and what mixes it in. */
#ifndef AVIARY_BASE_HASH_H
#define AVIARY_BASE_HASH_H

#include "base/id.h"

/* 64 random bits. */
uint64_t hash_seed (void);
/* Every bit of it depends on every bit of `x`. */
static inline uint64_t hash_mix (uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}
uint64_t hash_id (uint64_t seed, id16_t id);

#endif
