/* big_endian.h - whole numbers in keys and rows: the first byte counts most, so they sort by value. */
#ifndef AVIARY_BASE_BIG_ENDIAN_H
#define AVIARY_BASE_BIG_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void u64_write (uint64_t value, uint8_t out[8])
{
    value = htobe64 (value);
    memcpy (out, &value, sizeof value);
}

static inline uint64_t u64_read (const uint8_t in[8])
{
    uint64_t value;
    memcpy (&value, in, sizeof value);
    return be64toh (value);
}

static inline void u32_write (uint32_t value, uint8_t out[4])
{
    value = htobe32 (value);
    memcpy (out, &value, sizeof value);
}

static inline uint32_t u32_read (const uint8_t in[4])
{
    uint32_t value;
    memcpy (&value, in, sizeof value);
    return be32toh (value);
}

#endif
