/* job_row.c - keys and rows of jobs. Nothing here fails but reading bytes that are no row. */
#include "svc/job_row.h"

#include "sign/sign.h"

#include <string.h>

enum { ROW_VERSION = 1, ROW_HEAD = 1 + 2 + 1 + 4 + 8 + 8 + 4 * 16 + 1 };

bytes_t job_key (job_place_t at, uint8_t space[JOB_KEY_SIZE])
{
    u64_write (at.lane, space);
    u64_write (at.seq, space + 8);
    return bytes_of (space, JOB_KEY_SIZE);
}

job_place_t job_key_read (bytes_t key)
{
    return (job_place_t){u64_read (key.data), u64_read (key.data + 8)};
}

bytes_t due_key (id16_t group, int64_t due, uint64_t lane, uint8_t space[DUE_KEY_SIZE])
{
    memcpy (space, group.b, 16);
    u64_write (due < 0 ? 0 : (uint64_t) due, space + 16);
    u64_write (lane, space + 24);
    return bytes_of (space, DUE_KEY_SIZE);
}

uint64_t lane_name (id16_t group, bytes_t text)
{
    static const uint8_t key[16] = "lane of one name";
    uint8_t name[sizeof group.b + LANE_TEXT_MAX];
    if (!text.size || text.size > LANE_TEXT_MAX)
        return 0;
    memcpy (name, group.b, sizeof group.b);
    memcpy (name + sizeof group.b, text.data, text.size);
    uint64_t hash = sign_short_hash (key, bytes_of (name, sizeof group.b + text.size));
    return hash ? hash : 1;
}

bytes_t due_value (uint64_t seq, uint64_t name, uint8_t space[DUE_SIZE])
{
    u64_write (seq, space);
    u64_write (name, space + 8);
    return bytes_of (space, DUE_SIZE);
}

void job_row_write (const job_row_t *in, buf_t *out)
{
    uint8_t *p = buf_reserve (out, ROW_HEAD + in->lane.size + in->body.size);
    if (!p)
        return;
    *p++ = ROW_VERSION;
    *p++ = (uint8_t) (in->kind >> 8);
    *p++ = (uint8_t) in->kind;
    *p++ = in->stumbles;
    u32_write (in->tries, p);
    u64_write ((uint64_t) in->made, p + 4);
    u64_write ((uint64_t) in->due, p + 12);
    p += 20;
    const id16_t *ids[] = {&in->id, &in->tenant, &in->group, &in->ask};
    for (size_t i = 0; i < 4; i++, p += 16)
        memcpy (p, ids[i]->b, 16);
    *p++ = (uint8_t) in->lane.size;
    if (in->lane.size)
        memcpy (p, in->lane.data, in->lane.size);
    if (in->body.size)
        memcpy (p + in->lane.size, in->body.data, in->body.size);
    out->size += ROW_HEAD + in->lane.size + in->body.size;
}

bool job_row_read (bytes_t packed, job_row_t *out)
{
    const uint8_t *p = packed.data;
    if (packed.size < ROW_HEAD || p[0] != ROW_VERSION)
        return false;
    job_row_t row = {
        .kind = (uint16_t) (p[1] << 8 | p[2]), .stumbles = p[3], .tries = u32_read (p + 4)};
    row.made = (int64_t) u64_read (p + 8);
    row.due = (int64_t) u64_read (p + 16);
    p += 24;
    id16_t *ids[] = {&row.id, &row.tenant, &row.group, &row.ask};
    for (size_t i = 0; i < 4; i++, p += 16)
        memcpy (ids[i]->b, p, 16);
    size_t lane = *p++;
    if (lane > LANE_TEXT_MAX || packed.size < ROW_HEAD + lane)
        return false;
    row.lane = bytes_of (p, lane);
    row.body = bytes_of (p + lane, packed.size - ROW_HEAD - lane);
    *out = row;
    return true;
}

void job_claim_write (const job_claim_t *in, uint8_t out[CLAIM_SIZE])
{
    job_key (in->at, out);
    u32_write (in->tries, out + JOB_KEY_SIZE);
}

job_claim_t job_claim_read (const uint8_t *in)
{
    return (job_claim_t){{u64_read (in), u64_read (in + 8)}, u32_read (in + JOB_KEY_SIZE)};
}
