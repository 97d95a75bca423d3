/* hash.c - see hash.h. */
#include "base/hash.h"

#include "base/clock.h"
#include <string.h>
#include <sys/random.h>

uint64_t hash_seed (void)
{
    uint64_t value;
    if (getrandom (&value, sizeof value, 0) != (ssize_t) sizeof value)
        value = (uint64_t) clock_mono_us () *
                0x9e3779b97f4a7c15u; /* only before the kernel's pool is up */
    return value;
}

uint64_t hash_id (uint64_t seed, id16_t id)
{
    uint64_t high, low;
    memcpy (&high, id.b, 8);
    memcpy (&low, id.b + 8, 8);
    return hash_mix (hash_mix (high ^ seed) ^ low);
}
