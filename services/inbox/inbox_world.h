/* inbox_world.h - what inbox's operation tests share: an organization with two teams, a number of each, a user, and people who write. Tests and benchmarks only. */
#ifndef AVIARY_INBOX_WORLD_H
#define AVIARY_INBOX_WORLD_H

#include "inbox.h"
#include "svc/optest.h"

#define WORLD_REF       "106540352242922"
#define WORLD_OTHER_REF "106540352242923"
#define WORLD_NUMBER    "+15550002222"

extern const id16_t world_org, world_foreign_org, world_team, world_other_team, world_number,
    world_other_number, world_user, world_nobody;

/* NULL if it does not start. */
optest_t *world_new (void);
/* For cmocka: *state is the optest_t. */
int world_setup (void **state);
int world_teardown (void **state);

envelope_t world_caller (void);
/* Ask as the organization. */
int world_ask (optest_t *test, const char *op, const void *in, void *out, failure_t *failure);

/* Ids of the thread with person n, and of messages: those of a greater number are greater. */
id16_t world_contact (unsigned n);
id16_t world_conversation (unsigned n);
id16_t world_message (unsigned n);
const char *world_phone (optest_t *test, unsigned n);

/* The thread of person n, as messaging tells it. */
messaging_thread_told_t world_thread (optest_t *test, unsigned n, const char *name);
/* Person n writes message m; something is sent to them; the sender of m is told that it was read, `after` came later. */
void world_inbound (optest_t *test, unsigned n, unsigned m, const char *name);
void world_sent (optest_t *test, unsigned n, unsigned m);
void world_read (optest_t *test, unsigned n, unsigned m, int64_t after);
/* Messaging tells the whole thread. */
void world_state (optest_t *test, unsigned n, const messaging_thread_state_t *state);
/* A contact through the API, of a thread that was ensured. */
int world_create (optest_t *test, unsigned n, const char *name, const char *email,
                  inbox_contact_told_t *out, failure_t *failure);

/* Contacts of persons 0 to count - 1, without names, a hundred in a turn. */
void world_create_many (optest_t *test, unsigned count);

/* JSON as a metadata field takes it. */
bytes_t world_json (optest_t *test, const char *json);
/* What the journal told after *sequence, as words. */
const char *world_story (optest_t *test, uint64_t *sequence);

#endif
