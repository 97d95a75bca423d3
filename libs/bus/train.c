/* train.c - see train.h. A mark that no header begins with, then for each pair: sizes of header and body (four bytes each, least first), header, body. */
#include "bus/train.h"

enum { TRAIN_MARK = 0xc1 /* never used by msgpack */, SIZES = 8 };

bool train_takes (bytes_t header, bytes_t body)
{
    return header.size <= TRAIN_PAIR_MAX && body.size <= TRAIN_PAIR_MAX - header.size;
}

bool train_has_room (const train_t *self, bytes_t header, bytes_t body)
{
    return self->pairs < TRAIN_PAIRS &&
           sizeof self->data - self->size >= 1 + SIZES + header.size + body.size;
}

static void size_write (size_t size, uint8_t out[4])
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t) (size >> 8 * i);
}

static size_t size_read (const uint8_t in[4])
{
    return (size_t) in[0] | (size_t) in[1] << 8 | (size_t) in[2] << 16 | (size_t) in[3] << 24;
}

void train_add (train_t *self, bytes_t header, bytes_t body)
{
    if (self->pairs++ == 0) {
        self->data[0] = TRAIN_MARK;
        self->size = 1;
    }
    uint8_t *at = self->data + self->size;
    size_write (header.size, at);
    size_write (body.size, at + 4);
    if (header.size)
        memcpy (at + SIZES, header.data, header.size);
    if (body.size)
        memcpy (at + SIZES + header.size, body.data, body.size);
    self->size += SIZES + header.size + body.size;
}

bytes_t train_open (bytes_t frame)
{
    if (frame.size == 0 || frame.data[0] != TRAIN_MARK)
        return (bytes_t){0};
    return bytes_of (frame.data + 1, frame.size - 1);
}

bool train_next (bytes_t *pairs, bytes_t *header, bytes_t *body)
{
    bytes_t rest = *pairs;
    *pairs = (bytes_t){0};
    if (rest.size < SIZES)
        return false;
    size_t first = size_read (rest.data), second = size_read (rest.data + 4);
    rest = bytes_of (rest.data + SIZES, rest.size - SIZES);
    if (first > rest.size || second > rest.size - first)
        return false;
    *header = bytes_of (rest.data, first);
    *body = bytes_of (rest.data + first, second);
    *pairs = bytes_of (rest.data + first + second, rest.size - first - second);
    return true;
}
