/* provider.h - what messaging needs of a carrier: a table of functions per adapter.
 *
 * The core hands over one recipient at a time. An adapter turns it into something outward (an HTTP request, or for the loopback carrier a wait), and turns
 * what came of it, and what the carrier calls back with, into general results. Nothing here reads or writes a store. */
#ifndef AVIARY_PROVIDER_PROVIDER_H
#define AVIARY_PROVIDER_PROVIDER_H

#include "gen/messaging.h"
#include "svc/job.h"

/* A carrier account with its credentials opened, in the turn's arena: never stored, never logged. */
typedef struct provider_account {
    id16_t id;
    id16_t org;
    int32_t carrier; /* ACCOUNTS_CARRIER_ */
    const char *
        base_url; /* "https://graph.facebook.com/v23.0", "https://api.telnyx.com/v2"; no slash at its end */
    const char *token;        /* Meta's access token, Telnyx's API key */
    const char *app_secret;   /* Meta: signs callbacks */
    const char *verify_token; /* Meta: the handshake's */
    const char *public_key;   /* Telnyx: base64 of the Ed25519 key that signs callbacks */
    const char *waba;         /* Meta: WhatsApp Business Account id */
    const char *profile;      /* Telnyx: messaging profile id; NULL if none */
    const char *callback_url; /* where this account's callbacks come in */
} provider_account_t;

typedef struct provider_message {
    id16_t token; /* the recipient's id: carriers echo it in their callbacks */
    id16_t number;
    id16_t org;
    bool whatsapp;
    int32_t kind; /* MESSAGING_KIND_ */
    const char *from;
    const char *to;
    const char *text; /* NULL if none */
    const char *subject;
    const messaging_body_t *body;  /* everything beside text; NULL if none */
    const char *const *media_urls; /* MMS */
    size_t media_url_count;
    const char *reply_to;              /* the carrier's id of the message quoted, or NULL */
    const provider_account_t *account; /* NULL for loopback */
    const char *number_ref;            /* Meta: phone number id; Telnyx: unused */
    uint32_t delay_ms;                 /* loopback: how long the carrier takes */
} provider_message_t;

typedef enum provider_word {
    PROVIDER_ACCEPTED, /* 0 to n provider ids */
    PROVIDER_REFUSED,  /* for good: `error` */
    PROVIDER_RETRY,    /* not taken, a repeat is invited or nothing left */
    PROVIDER_UNKNOWN   /* went out, no answer came: a receipt with our token settles it */
} provider_word_t;

/* A carrier's error in both tongues. */
typedef struct provider_fault {
    int code;           /* E_ code of the house */
    const char *source; /* "meta" or "telnyx" */
    const char *native; /* "40008", "131026" */
    const char *title;  /* the carrier's words, shortened */
    const char *text;   /* ours */
} provider_fault_t;

typedef struct provider_result {
    provider_word_t word;
    const char *ids[4];
    size_t id_count;
    const provider_fault_t *fault; /* PROVIDER_REFUSED; PROVIDER_RETRY: why, if said */
    const char *native_text;       /* the carrier's own words, or NULL */
    const char *fbtrace_id;
    int64_t retry_after_ms;
} provider_result_t;

typedef enum provider_news {
    NEWS_SENT = 1,
    NEWS_DELIVERED,
    NEWS_READ,
    NEWS_FAILED,
    NEWS_INBOUND,
    NEWS_TEMPLATE
} provider_news_t;

/* One thing that a callback says. Strings live in the arena given. */
typedef struct provider_event {
    provider_news_t news;
    const char *provider_id;
    id16_t token; /* nil if the carrier did not echo it */
    int64_t at;   /* Unix ms, the carrier's time */
    const provider_fault_t *fault;
    const char *native_text; /* the carrier's own words of a failure, NULL = the fault's title */
    const char *fbtrace_id;
    bytes_t raw;   /* of a status: the carrier's item as it came, packed; Meta */
    bool alone;    /* the callback says nothing else; Meta */
    bool whatsapp; /* NEWS_INBOUND, from here on */
    id16_t org;    /* loopback says these two; others give number_ref */
    id16_t number;
    const char *number_ref; /* Meta: phone number id; Telnyx: our number, E.164 */
    int32_t kind;           /* MESSAGING_KIND_ */
    const char *from;
    const char *to;
    const char *text;
    const char *subject;
    const messaging_body_t *body;
    const char *contact_name;
    int32_t source; /* MESSAGING_SOURCE_; 0 = the carrier's own interface */
    const char *
        autoresponse; /* Telnyx: it took the text for a keyword and answered itself: "STOP", "START", "HELP"; else NULL */
    const char
        *template_id; /* NEWS_TEMPLATE: a template's status or content changed at the carrier */
} provider_event_t;

/* An HTTP request of a carrier, as it came. */
typedef struct provider_callback {
    const char *method;
    schema_map_t query;   /* decoded */
    schema_map_t headers; /* names in lower case */
    bytes_t body;         /* raw */
    int64_t now;          /* Unix ms */
} provider_callback_t;

/* What to answer to it, and whether its body is to be stored and acted on. */
typedef struct provider_verdict {
    int status;
    const char *content_type;
    const char *answer;
    bool take;          /* verified: store and process */
    const char *reason; /* why not; for the log, metrics and explain */
} provider_verdict_t;

/* Numbers that a customer looks for; NULL = any. */
typedef struct provider_wanted {
    const char *country;   /* two capital letters */
    int32_t kind;          /* ACCOUNTS_NUMBER_KIND_, 0 = any */
    const char *area_code; /* digits */
    const char *locality;
    const char *contains; /* digits */
    int64_t limit;
} provider_wanted_t;

typedef struct provider_offer {
    const char *number;
    const char *location;    /* "" if not known */
    const char *features[8]; /* SMS, MMS, Voice, ... */
    size_t feature_count;
    const char *upfront; /* decimals; NULL if not said */
    const char *monthly;
    const char *currency;
} provider_offer_t;

typedef enum provider_order {
    ORDER_NONE, /* there is none */
    ORDER_PENDING,
    ORDER_DONE,
    ORDER_FAILED,
    ORDER_UNSAID /* the answer does not say */
} provider_order_t;

/* Does the account (still) have a number? */
typedef enum provider_held {
    HELD_UNSAID, /* the answer does not say */
    HELD_NOT,
    HELD_YES
} provider_held_t;

typedef struct provider {
    const char *name;
    bool repeatable; /* a send that may have gone out can be repeated without harm */
    int (*send) (turn_t *t, const provider_message_t *message, outbound_t *out);
    void (*answer) (turn_t *t, const outcome_t *outcome, provider_result_t *out);
    /* Raw bytes to events: `each` is called for every one; E_BAD_REQUEST if the bytes are not the carrier's. One bad item in a batch is skipped, not the rest. */
    int (*parse) (turn_t *t, bytes_t raw,
                  int (*each) (turn_t *t, const provider_event_t *event, void *context),
                  void *context);
    /* NULL where the carrier has no such thing, from here on. */
    int (*verify) (turn_t *t, const provider_account_t *account,
                   const provider_callback_t *callback, provider_verdict_t *out);
    /* Mark an inbound message read, with or without typing. Its outcome goes through `answer` (PROVIDER_ACCEPTED = done). */
    int (*mark_read) (turn_t *t, const provider_account_t *account, const char *number_ref,
                      const char *provider_id, bool typing, outbound_t *out);
    /* Hand a file of ours (path in the blob folder) to the carrier; media_uploaded gives its id there. */
    int (*media_upload) (turn_t *t, const provider_account_t *account, const char *number_ref,
                         const char *path, uint64_t size, const char *mime_type,
                         const char *filename, outbound_t *out);
    const char *(*media_uploaded) (turn_t *t, const outcome_t *outcome, provider_result_t *result);
    /* Where a file of the carrier can be fetched (NULL if its callback says the URL itself), and the fetch of it. */
    int (*media_locate) (turn_t *t, const provider_account_t *account, const char *provider_id,
                         outbound_t *out);
    const char *(*media_located) (turn_t *t, const outcome_t *outcome);
    int (*media_fetch) (turn_t *t, const provider_account_t *account, const char *url,
                        outbound_t *out);
    /* A page of the account's templates; `after` NULL = the first. templates_read calls `each` with one template as Meta's JSON bytes. */
    int (*templates_list) (turn_t *t, const provider_account_t *account, const char *after,
                           outbound_t *out);
    int (*templates_read) (turn_t *t, const outcome_t *outcome,
                           int (*each) (turn_t *t, bytes_t json, void *context), void *context,
                           const char **after);
    /* Numbers on offer; numbers_found fills at most `most` of an answer of success. E_BAD_REQUEST: it cannot be read. */
    int (*numbers_search) (turn_t *t, const provider_account_t *account,
                           const provider_wanted_t *wanted, outbound_t *out);
    int (*numbers_found) (turn_t *t, const outcome_t *outcome, provider_offer_t *out, size_t most,
                          size_t *count);
    /* Order a number under a reference of ours, and look for the order by it; both answers are read by number_ordered. An order is never repeated blindly. */
    int (*number_order) (turn_t *t, const provider_account_t *account, const char *number,
                         const char *reference, outbound_t *out);
    int (*number_order_look) (turn_t *t, const provider_account_t *account, const char *reference,
                              outbound_t *out);
    /* *id: the carrier's id of the order, NULL if it does not say. */
    provider_order_t (*number_ordered) (turn_t *t, const outcome_t *outcome, const char **id);
    /* Look for a number of the account; the answer gives its id there (HELD_YES). And give it up by that id: HELD_NOT = it is given up, or was already. */
    int (*number_look) (turn_t *t, const provider_account_t *account, const char *number,
                        outbound_t *out);
    provider_held_t (*number_looked) (turn_t *t, const outcome_t *outcome, const char *number,
                                      const char **id);
    int (*number_release) (turn_t *t, const provider_account_t *account, const char *id,
                           outbound_t *out);
    provider_held_t (*number_released) (turn_t *t, const outcome_t *outcome);
} provider_t;

extern const provider_t provider_meta;
extern const provider_t provider_telnyx;
extern const provider_t provider_loopback;

/* The error maps of Telnyx and Meta; `whatsapp` chooses. Never NULL: unknown codes give the carrier's general error. */
const provider_fault_t *provider_fault (bool whatsapp, const char *native);
/* MESSAGING_FAILURE_REASON_ of Meta's code (reason.c); NULL and what has no row are OTHER. */
int32_t provider_reason (const char *native);
/* All rows, for `aviary errors` and docs. */
const provider_fault_t *provider_faults (size_t *count);

/* ---- loopback: templates ---- */

/* A template that every test number has, approved, with nothing but a body (loopback_template.c). */
typedef struct provider_sample {
    id16_t id;
    const char *name;
    const char *language;
    const char *body;
    int64_t variables; /* positional ones in its body */
} provider_sample_t;
const provider_sample_t *provider_samples (size_t *count);

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
