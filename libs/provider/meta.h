/* meta.h - what the files of the Meta adapter share. Not for others.
 *
 * Facts: Meta's Cloud API and Business Management API (v23 to v26), as gathered in the project's notes. */
#ifndef AVIARY_PROVIDER_META_H
#define AVIARY_PROVIDER_META_H

#include "provider/json.h"
#include "provider/provider.h"

/* ---- requests (meta.c) ---- */

/* base_url/ID[/rest], the id percent-encoded; `rest` is put as it is. NULL without base URL or id. */
const char *meta_url (turn_t *t, const provider_account_t *account, const char *id,
                      const char *rest);
/* Text as one path segment or query value, percent-encoded. */
void meta_escape (buf_t *out, const char *text);
/* A request with the account's token. `type` is the body's content type, NULL without a body. */
int meta_request (turn_t *t, const provider_account_t *account, const char *method, const char *url,
                  const char *type, bytes_t body, outbound_t *out);
/* POST of JSON to base_url/ID/rest. */
int meta_post (turn_t *t, const provider_account_t *account, const char *id, const char *rest,
               buf_t *json, outbound_t *out);
void meta_answer (turn_t *t, const outcome_t *outcome, provider_result_t *out);

/* ---- errors (meta_error.c) ---- */

/* The fault of one error object, of an answer's `error` or a callback's `errors[0]`, and the carrier's words for it. */
const provider_fault_t *meta_fault (arena_t *arena, bytes_t error, const char **said);
/* Is a repeat invited for this code? *wait_ms: not before. */
bool meta_is_passing (const provider_fault_t *fault, int64_t *wait_ms);
/* How long Meta's usage headers ask to stay away, in ms; 0 = they do not say. */
int64_t meta_regain_ms (const char *headers);

/* ---- parts of the provider table ---- */

int meta_send (turn_t *t, const provider_message_t *message, outbound_t *out);
int meta_mark_read (turn_t *t, const provider_account_t *account, const char *number_ref,
                    const char *provider_id, bool typing, outbound_t *out);
int meta_parse (turn_t *t, bytes_t raw,
                int (*each) (turn_t *t, const provider_event_t *event, void *context),
                void *context);
int meta_verify (turn_t *t, const provider_account_t *account, const provider_callback_t *callback,
                 provider_verdict_t *out);
int meta_media_upload (turn_t *t, const provider_account_t *account, const char *number_ref,
                       const char *path, uint64_t size, const char *mime_type, const char *filename,
                       outbound_t *out);
const char *meta_media_uploaded (turn_t *t, const outcome_t *outcome, provider_result_t *result);
int meta_media_locate (turn_t *t, const provider_account_t *account, const char *provider_id,
                       outbound_t *out);
const char *meta_media_located (turn_t *t, const outcome_t *outcome);
int meta_media_fetch (turn_t *t, const provider_account_t *account, const char *url,
                      outbound_t *out);
int meta_templates_list (turn_t *t, const provider_account_t *account, const char *after,
                         outbound_t *out);
int meta_templates_read (turn_t *t, const outcome_t *outcome,
                         int (*each) (turn_t *t, bytes_t json, void *context), void *context,
                         const char **after);

/* ---- JSON (meta_json.c) ---- */

/* "name": or, in an array (NULL), what goes between items; then '{' or '[' with `open`, 0 = the value follows. */
void meta_begin (buf_t *out, const char *name, char open);
void meta_put (buf_t *out, const char *name, const schema_type_t *type, const void *in);
/* What the members of a JSON object hold for the fields of the same names in a struct of `type`: texts (cut at their limit), numbers in their range, bools,
 * objects, lists of objects. What does not fit is left out; ids and enums are never filled. */
void meta_fill (arena_t *arena, bytes_t value, const schema_type_t *type, void *out);
/* An array of objects as structs. */
schema_list_t meta_fill_list (arena_t *arena, bytes_t array, const schema_type_t *type,
                              size_t most);
/* The text, at most `most` code points of it. */
const char *meta_cut (arena_t *arena, const char *text, int64_t most);
/* Meta's digits ("14155550123", "+1 415-555-0100") as E.164; what is no number stays as it is. NULL gives NULL. */
const char *meta_e164 (arena_t *arena, const char *text);

/* ---- inbound messages (meta_inbound.c) ---- */

/* An element of `messages` into an event; false = it is none. `value` holds contacts. */
bool meta_inbound (turn_t *t, bytes_t value, bytes_t item, provider_event_t *out);
/* Seconds, number or text, as Unix ms; the turn's time if they are no time. */
int64_t meta_time (const turn_t *t, bytes_t value, const char *name);

#endif
