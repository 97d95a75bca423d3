/* inbox.h - what the files of the inbox service share. */
#ifndef AVIARY_INBOX_H
#define AVIARY_INBOX_H

#include "gen/accounts.h"
#include "gen/inbox.h"
#include "gen/messaging.h"
#include "svc/svc.h"

/* ---- numbers, teams, users (account.c) ---- */

int number_changed (turn_t *t, const journal_event_t *event, const void *body);
int team_changed (turn_t *t, const journal_event_t *event, const void *body);
int user_changed (turn_t *t, const journal_event_t *event, const void *body);
/* The calling organization's number with this ref. E_NOT_FOUND, told. */
int number_of (turn_t *t, const char *ref, inbox_number_t *out);
/* The team that is meant: nil = the organization's only one. E_MISSING_FIELD, E_BAD_REQUEST. */
int team_of (turn_t *t, id16_t asked, id16_t *out);

/* ---- pages (page.c) ---- */

/* Where a page ended: the sort time and the id of its last row. */
typedef struct place {
    int64_t at;
    id16_t id;
} place_t;

/* `after` and `limit` of a list. E_BAD_CURSOR, E_BAD_LIMIT. *from is zero at the beginning. */
int page_read (turn_t *t, bytes_t after, int64_t limit, place_t *from);
bytes_t page_next (turn_t *t, place_t last);

/* ---- contacts (contact.c, contact_ops.c, contact_list.c) ---- */

/* A contact of this number. E_NOT_FOUND, told. */
int contact_of (turn_t *t, const inbox_number_t *number, id16_t id, inbox_contact_t *out);
int contact_find (turn_t *t, id16_t number, const char *phone, inbox_contact_t *out);
/* Stores a new contact, counted and told (a nil `number` text: known from a snapshot, not told). */
int contact_insert (turn_t *t, inbox_contact_t *row, const char *number);
/* Stores what changed of `old` and tells it; nothing changed: nothing happens. */
int contact_change (turn_t *t, const inbox_contact_t *old, inbox_contact_t *row,
                    const char *number);
/* Its labels changed: a new version, told. */
int contact_labelled (turn_t *t, inbox_contact_t *row, const char *number);
inbox_contact_told_t contact_told (const inbox_contact_t *row, const char *number);

/* ---- search (shelf.c, fold.c) ---- */

/* Text in lower case: Latin, Greek and Cyrillic letters; others as they are. NULL gives NULL. */
char *text_fold (arena_t *arena, const char *text);
/* The contact stands on its shelf as row says; rows without name and address stand on none. `old` NULL: it is new. `row` NULL: it goes. */
int shelf_move (turn_t *t, const inbox_contact_t *old, const inbox_contact_t *row);

typedef struct search {
    id16_t number;
    const char *term; /* folded */
    place_t from;     /* zero = the beginning */
    place_t *found;   /* up to `most`, newest first */
    size_t count, most;
    bool more;    /* there is something behind `last` */
    place_t last; /* last that was looked at */
} search_t;
int shelf_search (turn_t *t, search_t *search);

/* ---- conversations (thread.c, conversation.c) ---- */

int message_accepted (turn_t *t, const journal_event_t *event, const void *body);
int message_received (turn_t *t, const journal_event_t *event, const void *body);
int conversation_read (turn_t *t, const journal_event_t *event, const void *body);
int thread_state (turn_t *t, const journal_event_t *event, const void *body);
/* A conversation of this number. E_NOT_FOUND, told. */
int conversation_of (turn_t *t, const inbox_number_t *number, id16_t id, inbox_conversation_t *out);

/* ---- labels (label.c, link.c) ---- */

/* A label of the calling organization. E_NOT_FOUND, told in `field`. */
int label_of (turn_t *t, id16_t id, const char *field, inbox_label_t *out);
/* Remove links of a label, or of what was labelled: some now, the rest as a job. */
int links_drop (turn_t *t, id16_t label, id16_t target);
extern const job_kind_t inbox_unlink_kind;

/* ---- erasure (erase.c) ---- */

/* Was this contact deleted for good? */
int thread_is_erased (turn_t *t, id16_t contact, id16_t conversation, bool *out);
int tombstone_snapshot (turn_t *t, const void *row, event_about_t *about, void *body);

int inbox_explain (turn_t *t, id16_t id, const svc_explain_t *out);

extern const svc_service_t inbox_tables;

#endif
