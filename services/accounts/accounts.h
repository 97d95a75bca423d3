/* accounts.h - what the files of the accounts service share. */
#ifndef AVIARY_ACCOUNTS_H
#define AVIARY_ACCOUNTS_H

#include "gen/accounts.h"
#include "provider/provider.h"
#include "svc/svc.h"

/* ---- keys (key.c) ---- */

/* An organization key: valid for so long, 0 = for ever. */
int organization_key_make (turn_t *t, id16_t org, const char *name, int64_t valid_for_ms,
                           accounts_key_t *row, const char **text);
/* Make and store a key; its text goes into *text (arena), in no other place. app NULL = an admin key. */
int key_make (turn_t *t, id16_t org, const accounts_app_t *app, const char *name,
              accounts_key_t *row, const char **text);
accounts_key_info_t key_told (const accounts_key_t *row);
/* Delete a key and tell of it. */
int key_forget (turn_t *t, const accounts_key_t *row);
/* The same, but the last admin key of an organization stays: E_CONFLICT. */
int key_remove (turn_t *t, const accounts_key_t *row);

/* ---- organizations and apps (org.c) ---- */

int org_make (turn_t *t, const char *name, accounts_organization_t *out);
/* An organization with an app, its test twin, and a key of each kind. */
int org_found (turn_t *t, const char *name, const char *app, accounts_bootstrap_out_t *out);
int org_told_event (const accounts_organization_t *org, event_about_t *about,
                    accounts_org_changed_t *body);
int org_event (turn_t *t, const accounts_organization_t *org);
/* A live app and its test twin. */
int app_make (turn_t *t, id16_t org, const char *name, const char *slug, accounts_app_t *live,
              accounts_app_t *test);
int app_event (turn_t *t, const accounts_app_t *app, bool deleted);
int app_told_event (const accounts_app_t *app, event_about_t *about, accounts_app_changed_t *body);
/* An operator's organization: the one given, nil = the only one. Fails with field "org". */
int org_named (turn_t *t, id16_t id, id16_t *out);
/* The only organization, or E_CONFLICT if there are several, E_NOT_FOUND if none. */
int org_only (turn_t *t, accounts_organization_t *out);

extern const job_kind_t accounts_app_end_kind;

/* ---- which app an operation is about (asked.c) ---- */

typedef struct app_asked {
    id16_t id;
    bool test;
} app_asked_t;

/* An app of the calling organization, spelled in its mode. Fails with E_NOT_FOUND, field "app". */
int app_named (turn_t *t, id16_t id, bool test, accounts_app_t *out);
/* The calling app; for admin keys the one that they name, as above. */
int app_asked (turn_t *t, id16_t id, bool test, app_asked_t *out);

/* ---- numbers (number.c) ---- */

int number_find (turn_t *t, id16_t org, bool test, int32_t channel, const char *number,
                 accounts_number_t *out);
/* Store a new number. `through` is the carrier account of a live number and `ref` the carrier's id of it; test numbers have neither. */
int number_make (turn_t *t, id16_t org, int32_t channel, const char *number,
                 const accounts_carrier_account_t *through, const char *ref,
                 accounts_number_t *out);
/* Store a change of a number and tell of it; the same of its end. */
int number_change (turn_t *t, accounts_number_t *number);
int number_remove (turn_t *t, accounts_number_t *number);
/* Store and tell what an older program left out: its customer sees no change of it. */
int number_complete (turn_t *t, accounts_number_t *number);
/* The carrier's id of it: digits for every WhatsApp number, also for those of the loopback carrier. */
const char *number_ref (turn_t *t, const accounts_number_t *number);
int32_t number_status (const accounts_number_t *number);
int number_told_event (turn_t *t, const accounts_number_t *number, event_about_t *about,
                       accounts_number_changed_t *body);
int number_event (turn_t *t, const accounts_number_t *number, bool deleted);
/* Assign; E_ALREADY_EXISTS if it is assigned already (with *out filled). */
int assignment_make (turn_t *t, id16_t app, const accounts_number_t *number,
                     accounts_assignment_t *out);
int assignment_remove (turn_t *t, const accounts_assignment_t *assignment,
                       const accounts_number_t *number);
int assignment_find (turn_t *t, id16_t app, id16_t number, accounts_assignment_t *out);
accounts_app_number_t number_told (const accounts_number_t *number,
                                   const accounts_assignment_t *assignment);
int assignment_told (turn_t *t, const accounts_assignment_t *assignment, event_about_t *about,
                     accounts_assignment_changed_t *body);

/* ---- teams and users (team.c, user.c) ---- */

int team_make (turn_t *t, id16_t org, const char *name, accounts_team_t *out);
/* The organization's first team; nil if it has none, which only one that was written before there were teams may lack. */
int team_first (turn_t *t, id16_t org, id16_t *out);
int team_told_event (const accounts_team_t *team, event_about_t *about,
                     accounts_team_changed_t *body);
int user_told_event (const accounts_user_t *user, event_about_t *about,
                     accounts_user_changed_t *body);
/* Organizations and numbers written before there were teams get theirs, in small steps. */
int teams_complete (turn_t *t);

/* ---- carrier accounts (carrier.c) ---- */

int carrier_told_event (const accounts_carrier_account_t *row, event_about_t *about,
                        accounts_carrier_changed_t *body);
/* The account that a live number of this channel is to go through, or why it cannot: fails with field "account". */
int carrier_for_number (turn_t *t, id16_t org, int32_t channel, id16_t id,
                        accounts_carrier_account_t *out);

/* The token of an account, opened into the turn's arena. */
int carrier_token (turn_t *t, const accounts_carrier_account_t *row, const char **out);

/* The apps that may use a number (list of number_app), and taking it from all of them (org_number.c). */
int number_apps (turn_t *t, const accounts_number_t *number, schema_list_t *out);
int number_forget (turn_t *t, accounts_number_t *number);
/* An SMS number of the calling organization, spelled in its mode. Fails with E_NOT_FOUND, field "number_id". */
int org_number (turn_t *t, id16_t id, bool test, accounts_number_t *out);

/* ---- asking carriers about numbers (market_ask.c) ---- */

enum {
    MARKET_TRY_MS = 9000, /* of one request */
    MARKET_LOOK_MS = 700, /* between looks */
    MARKET_LOOK_LATER_MS = 30000,
    MARKET_LOOKS_SOON = 20
};

/* What a job tells the ask that waits for it. */
typedef struct market_told {
    int code;
    const char *text;
    schema_list_t offers;
    const accounts_purchase_t *bought;
    const accounts_number_release_out_t *released;
} market_told_t;

/* A carrier account with its token opened. */
int market_account (turn_t *t, id16_t id, provider_account_t *out);
/* A fault of this house that goes by: what met it is tried again, and says nothing of the carrier or its account. */
bool market_is_ours (int code);
/* Resume the ask; one that nobody waits for any more is fine. */
int market_tell (turn_t *t, const job_t *job, const market_told_t *told);
/* Why the carrier did not do it, in the words of the house. */
market_told_t market_refusal (turn_t *t, const outcome_t *outcome);
/* Note what it answered; `text` (NULL = the carrier's own words) says what that means. */
void market_note (turn_t *t, schema_list_t *answers, const char *what, const outcome_t *outcome,
                  const char *text);
/* Again in a moment; later ones less often. */
int market_look_later (turn_t *t, job_t *job);

/* ---- what was on offer (offer.c) ---- */

/* As the organization sees it; `kind` is what it searched for, 0 = by the digits. */
accounts_number_offer_t offer_told (turn_t *t, const provider_offer_t *offer, int32_t kind);
/* Remember what a search found, in place of what was found longest ago. */
int offers_keep (turn_t *t, id16_t org, const accounts_number_offer_t *found, size_t count);
/* What was told last of a number on offer. E_NOT_FOUND, *out empty: nothing that is remembered. */
int offer_find (turn_t *t, id16_t org, const char *number, accounts_number_offer_t *out);

/* ---- buying numbers (market.c) and giving them up (release.c) ---- */

extern const job_kind_t accounts_search_kind;
extern const job_kind_t accounts_order_kind;
extern const job_kind_t accounts_release_kind;

int accounts_explain (turn_t *t, id16_t id, const svc_explain_t *out);

extern const svc_service_t accounts_tables;

#endif
