/* templates.h - what the files of the templates service share. */
#ifndef AVIARY_TEMPLATES_H
#define AVIARY_TEMPLATES_H

#include "gen/accounts.h"
#include "gen/templates.h"
#include "provider/provider.h"
#include "svc/svc.h"

/* ---- accounts (account.c) ---- */

/* The account with its secrets opened, in the turn's arena. E_CORRUPT: they were not sealed by this house. */
int account_open (turn_t *t, const templates_carrier_account_t *row, provider_account_t *out);
int carrier_changed (turn_t *t, const journal_event_t *event, const void *body);
/* Tell followers whether all templates of the account are known (row->synced_at). Counts row->revision; does not store. */
int account_synced_tell (turn_t *t, templates_carrier_account_t *row);
void account_synced_told (const templates_carrier_account_t *row, event_about_t *about,
                          templates_account_synced_t *body);

/* ---- what a template takes (shape.c) ---- */

/* A template as Meta lists it (packed JSON) into *out: everything but ids and times of ours; *components is borrowed of it. false: it has no id, name or language. */
bool template_read (arena_t *arena, bytes_t listed, templates_template_t *out, bytes_t *components);
/* Slots of a template's components. */
schema_list_t slots_read (arena_t *arena, bytes_t components, int32_t category, int32_t format);
/* The text of a template's body, NULL if it has none; and the placeholders in a text, in order, each once. */
const char *template_body (arena_t *arena, bytes_t components);
schema_list_t template_variables (arena_t *arena, const char *text);
/* What a template is found by: a hash of its name and language. The arena has a trap: a hash of a part would be another's. */
id16_t template_key (arena_t *arena, const char *name, const char *language);

/* ---- templates (template.c) ---- */

/* A template as read from Meta: stored, and told if it changed. Counts in *result. */
int template_take (turn_t *t, const templates_carrier_account_t *account,
                   templates_template_t *read, bytes_t components, templates_sync_result_t *result);
/* Meta no longer has it. */
int template_delete (turn_t *t, templates_template_t *row);
int template_told (turn_t *t, const templates_template_t *row, event_about_t *about,
                   templates_template_changed_t *body);

/* ---- reading an account (sync.c, sync_job.c) ---- */

/* How a reading ended, for the asks that waited. */
typedef struct sync_ended {
    int code;
    const char *text;
    templates_sync_result_t result;
} sync_ended_t;

/* Read the account now; while a reading is under way, once more after it. `ask` (nil = none) waits for the reading that begins after this. E_BUSY: too many
 * wait. Stores the row. */
int sync_want (turn_t *t, templates_carrier_account_t *row, id16_t ask);
/* Begin a reading. Does not store the row. */
int sync_begin (turn_t *t, templates_carrier_account_t *row, schema_list_t asks);
int template_news (turn_t *t, const journal_event_t *event, const void *body);
/* Timer: accounts whose time has come. */
int sync_due (turn_t *t);
extern const job_kind_t templates_sync_kind;

/* ---- numbers (number.c) ---- */

/* Follows accounts.number_changed. */
int number_changed (turn_t *t, const journal_event_t *event, const void *body);

int templates_explain (turn_t *t, id16_t id, const svc_explain_t *out);

extern const svc_service_t templates_tables;

#endif
