/* accounts.h - what the files of the accounts service share. */
#ifndef AVIARY_ACCOUNTS_H
#define AVIARY_ACCOUNTS_H

#include "gen/accounts.h"
#include "svc/svc.h"

/* ---- keys (key.c) ---- */

/* Make and store a key; its text goes into *text (arena), in no other place. app NULL = an admin key. */
int key_make (turn_t *t, id16_t org, const accounts_app_t *app, const char *name, accounts_key_t *row, const char **text);
accounts_key_info_t key_told (const accounts_key_t *row);

/* ---- organizations and apps (org.c) ---- */

int org_make (turn_t *t, const char *name, accounts_organization_t *out);
/* A live app and its test twin. */
int app_make (turn_t *t, id16_t org, const char *name, const char *slug, accounts_app_t *live, accounts_app_t *test);
int app_event (turn_t *t, const accounts_app_t *app, bool deleted);
int app_told_event (const accounts_app_t *app, event_about_t *about, accounts_app_changed_t *body);
/* The only organization, or E_CONFLICT if there are several, E_NOT_FOUND if none. */
int org_only (turn_t *t, accounts_organization_t *out);

/* ---- numbers (number.c) ---- */

int number_find (turn_t *t, id16_t org, bool test, int32_t channel, const char *number, accounts_number_t *out);
int number_make (turn_t *t, id16_t org, bool test, int32_t channel, const char *number, accounts_number_t *out);
/* Assign; E_ALREADY_EXISTS if it is assigned already (with *out filled). */
int assignment_make (turn_t *t, id16_t app, const accounts_number_t *number, accounts_assignment_t *out);
int assignment_remove (turn_t *t, const accounts_assignment_t *assignment, const accounts_number_t *number);
int assignment_find (turn_t *t, id16_t app, id16_t number, accounts_assignment_t *out);
accounts_app_number_t number_told (const accounts_number_t *number, const accounts_assignment_t *assignment);
int assignment_told (turn_t *t, const accounts_assignment_t *assignment, event_about_t *about, accounts_assignment_changed_t *body);

int accounts_explain (turn_t *t, id16_t id, const svc_explain_t *out);

extern const svc_service_t accounts_tables;

#endif
