/* provider.h - what messaging needs of a carrier: a table of functions per adapter.
 *
 * The core hands over one recipient at a time. An adapter turns it into something outward (an HTTP request, or for the loopback carrier a wait), and turns
 * what came of it, and what the carrier calls back with, into general results. Nothing here reads or writes a store. */
#ifndef AVIARY_PROVIDER_PROVIDER_H
#define AVIARY_PROVIDER_PROVIDER_H

#include "svc/job.h"

typedef struct provider_message {
    id16_t token;          /* the recipient's id: carriers echo it in their callbacks */
    id16_t number;
    id16_t org;
    bool whatsapp;
    const char *from;
    const char *to;
    const char *text;      /* NULL if none */
    const char *subject;
    uint32_t delay_ms;     /* loopback: how long the carrier takes */
} provider_message_t;

typedef enum provider_word {
    PROVIDER_ACCEPTED, /* 0 to n provider ids */
    PROVIDER_REFUSED,  /* for good: `error` */
    PROVIDER_RETRY,    /* not taken, a repeat is invited or nothing left */
    PROVIDER_UNKNOWN   /* went out, no answer came: a receipt with our token settles it */
} provider_word_t;

/* A carrier's error in both tongues. */
typedef struct provider_fault {
    int code;             /* E_ code of the house */
    const char *source;   /* "meta" or "telnyx" */
    const char *native;   /* "40008", "131026" */
    const char *title;    /* the carrier's words, shortened */
    const char *text;     /* ours */
} provider_fault_t;

typedef struct provider_result {
    provider_word_t word;
    const char *ids[4];
    size_t id_count;
    const provider_fault_t *fault; /* PROVIDER_REFUSED */
    int64_t retry_after_ms;
} provider_result_t;

typedef enum provider_news {
    NEWS_SENT = 1, NEWS_DELIVERED, NEWS_READ, NEWS_FAILED, NEWS_INBOUND
} provider_news_t;

/* One thing that a callback says. Strings live in the arena given. */
typedef struct provider_event {
    provider_news_t news;
    const char *provider_id;
    id16_t token;          /* nil if the carrier did not echo it */
    int64_t at;            /* Unix ms, the carrier's time */
    const provider_fault_t *fault;
    bool whatsapp;         /* NEWS_INBOUND, from here on */
    id16_t org;
    id16_t number;
    const char *from;
    const char *to;
    const char *text;
    const char *subject;
} provider_event_t;

typedef struct provider {
    const char *name;
    bool repeatable; /* a send that may have gone out can be repeated without harm */
    int (*send) (turn_t *t, const provider_message_t *message, outbound_t *out);
    void (*answer) (turn_t *t, const outcome_t *outcome, provider_result_t *out);
    /* Raw bytes to events: `each` is called for every one; E_BAD_REQUEST if the bytes are not the carrier's. */
    int (*parse) (turn_t *t, bytes_t raw, int (*each) (turn_t *t, const provider_event_t *event, void *context), void *context);
} provider_t;

extern const provider_t provider_loopback;

/* The error maps of Telnyx and Meta; `whatsapp` chooses. Never NULL: unknown codes give the carrier's general error. */
const provider_fault_t *provider_fault (bool whatsapp, const char *native);
/* All rows, for `aviary errors` and docs. */
const provider_fault_t *provider_faults (size_t *count);

/* ---- loopback: magic numbers ---- */

typedef enum loopback_magic {
    MAGIC_NONE,          /* delivered (and read) */
    MAGIC_REFUSED,       /* the carrier refuses with `fault` at once */
    MAGIC_FAILED,        /* accepts, then reports `fault` */
    MAGIC_WINDOW_CLOSED, /* WhatsApp: the 24-hour window counts as closed */
    MAGIC_ANSWER_LOST,   /* accepts, its answer gets lost, receipts come */
    MAGIC_SILENT,        /* its answer gets lost and nothing comes */
    MAGIC_EARLY_RECEIPT, /* reports delivery before it answers */
    MAGIC_SENT_ONLY      /* accepted, and never heard of again */
} loopback_magic_t;

typedef struct loopback_rule {
    loopback_magic_t magic;
    const provider_fault_t *fault;
    const char *number; /* "+99914..." of rows in the table of special numbers, else NULL */
    const char *doc;
} loopback_rule_t;

/* What the loopback carrier does for a recipient. +9991 and a Telnyx code, +9992 and a Meta code: that failure. */
loopback_rule_t loopback_rule (bool whatsapp, const char *to);
/* Special numbers beside those made from codes. */
const loopback_rule_t *loopback_specials (size_t *count);
/* The magic number of a fault: "+9991" or "+9992" and its code. */
void loopback_number (const provider_fault_t *fault, char out[24]);

#endif
