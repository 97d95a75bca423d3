/* control.h - bodies of the messages by which peers and broker keep each other: hello, welcome, beat.
 *
 * Beats carry the sender's monotonic clock. From them the receiver knows how long ago what it reads was sent, to within a beat
 * interval, also when it was itself stopped meanwhile: a message stands in the pipe behind the beat that was sent before it. */
#ifndef AVIARY_BUS_CONTROL_H
#define AVIARY_BUS_CONTROL_H

#include "bus/envelope.h"

enum {
    BEAT_MS = 100,       /* between two beats, both ways */
    BEAT_QUIET_MS = 500, /* without the broker's beats for so long: new asks wait */
    BEAT_LOST_MS = 2000, /* frozen or gone */
    HELLO_AGAIN_MS = 200,
    HELLO_REFUSED_MS = 2000, /* when the broker said no */
    HELLO_OPS_MAX = 512,
    HELLO_CREDIT_MAX = 65536,
    BEAT_REASON_MAX = 160
};

/* How a peer introduces itself. */
typedef struct hello {
    const char *service;
    uint32_t replica;
    uint32_t pid;
    uint64_t
        session; /* drawn anew whenever the peer starts over: a repeat of one hello changes nothing */
    uint32_t credit;
    bool serves;
    const char *const *ops; /* "sms_send!" = only the owner may answer; NULL-terminated */
    bool trains;            /* takes messages of several pairs, two frames each */
    bool packed;            /* and those in one frame (train.h) */
} hello_t;

void hello_write (const hello_t *in, buf_t *out);
/* Names are checked; strings and list in the arena. 0 or E_BAD_REQUEST. */
int hello_read (bytes_t body, arena_t *arena, hello_t *out, failure_t *failure);

/* Body of a beat (both ways) and of a welcome. */
typedef struct beat {
    int64_t clock_ms;     /* sender's monotonic clock */
    uint64_t incarnation; /* broker -> peer: drawn when it started */
    uint64_t session;     /* broker -> peer: of the hello that it took */
    bool ready;           /* peer -> broker from here on */
    bool owner;
    char reason[BEAT_REASON_MAX + 1]; /* why not ready */
    bool trains;                      /* broker -> peer, in a welcome: as in the hello */
    bool packed;
} beat_t;

void beat_write (const beat_t *in, buf_t *out);
int beat_read (bytes_t body, beat_t *out); /* 0 or E_BAD_REQUEST */

/* What the beats of one sender say about the age of its messages. Zero-initialised to start. */
typedef struct beat_clock {
    int64_t least[2]; /* least (ours - theirs) in the window before and in this one */
    int64_t window_ms;
    int64_t sent_ms; /* their clock in the last beat */
    bool known;
} beat_clock_t;

void beat_clock_note (beat_clock_t *self, int64_t theirs_ms, int64_t ours_ms);
/* How long ago a message that is read now was sent, in milliseconds; 0 below BEAT_QUIET_MS, where it would be guessing. */
uint32_t beat_clock_age (const beat_clock_t *self, int64_t ours_ms);

#endif
