/* restored.c - the first start on a store that was laid out from a backup.
 *
 * `aviary restore` leaves a file `restored` beside the store, with a random id. Who takes the ownership then begins a new life of the store before anything else: a
 * new epoch, a note of the one before with the sequence at which they part, and every job that is no repeatable one put aside, in steps. The store notes which restore it
 * has done and how far, so a start that is cut off goes on; the file goes last.
 *
 * A follower's cursor of a life before this one is as good as one of this life up to the parting: both have the same events there. So followers, whose copies are older,
 * go on where they were and miss nothing. One that had heard more than the copy has (messaging of inbox: each follows the other) goes on from the parting: all that comes
 * behind it is new to it. Fails with the store's codes and E_IO. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/big_endian.h"
#include "base/text.h"
#include "svc/inner.h"

enum { HOLD_ROWS = 1000, NOTE_SIZE = 16 + 1 + 16, PAST_PREFIX = 5, PAST_KEY = PAST_PREFIX + 16 };

static const char note_key[] = "restored", past_prefix[] = "past/";

/* ---- lives of before ---- */

static bytes_t past_key (id16_t epoch, uint8_t space[PAST_KEY])
{
    memcpy (space, past_prefix, PAST_PREFIX);
    memcpy (space + PAST_PREFIX, epoch.b, sizeof epoch.b);
    return bytes_of (space, PAST_KEY);
}

int epoch_place (svc_t *svc, txn_t *txn, cursor_t *at, bool *fits)
{
    uint8_t space[PAST_KEY];
    bytes_t value;
    *fits = id_equal (at->epoch, svc->journal.epoch);
    if (*fits)
        return 0;
    int rc =
        kv_get (txn, store_table (svc->store, "svc.state"), past_key (at->epoch, space), &value);
    *fits = !rc && value.size == 8;
    if (*fits && at->sequence > u64_read (value.data))
        at->sequence = u64_read (value.data);
    return rc == E_NOT_FOUND ? 0 : rc;
}

static int epoch_begin (svc_t *svc, txn_t *txn, table_t *state)
{
    uint8_t space[PAST_KEY], head[8];
    uint64_t last = 0;
    id16_t epoch;
    bytes_t row;
    int rc = store_epoch (txn, &epoch);
    if (!rc)
        rc = journal_edge (txn, store_table (svc->store, "svc.journal"), true, &last, &row);
    if (rc && rc != E_NOT_FOUND)
        return rc;
    u64_write (last, head);
    rc = kv_put (txn, state, past_key (epoch, space), bytes_of (head, sizeof head));
    return rc ? rc : store_new_epoch (txn);
}

/* ---- what is done of a restore ---- */

typedef struct note {
    id16_t restore;
    bool done;
    lanes_hold_t walk;
} note_t;

static int note_read (txn_t *txn, table_t *state, note_t *out)
{
    bytes_t value;
    int rc = kv_get (txn, state, bytes_of_str (note_key), &value);
    if (rc || value.size != NOTE_SIZE)
        return rc == E_NOT_FOUND || !rc ? E_NOT_FOUND : rc;
    memcpy (out->restore.b, value.data, 16);
    out->done = value.data[16] != 0;
    out->walk.lane = u64_read (value.data + 17);
    out->walk.seq = u64_read (value.data + 25);
    return 0;
}

static int note_write (txn_t *txn, table_t *state, const note_t *note)
{
    uint8_t row[NOTE_SIZE];
    memcpy (row, note->restore.b, 16);
    row[16] = note->done;
    u64_write (note->walk.lane, row + 17);
    u64_write (note->walk.seq, row + 25);
    return kv_put (txn, state, bytes_of_str (note_key), bytes_of (row, sizeof row));
}

/* One step, in a transaction of its own. */
static int step_run (svc_t *svc, txn_t *txn, id16_t restore, note_t *note)
{
    table_t *state = store_table (svc->store, "svc.state");
    int rc = state ? note_read (txn, state, note) : E_INTERNAL;
    if (rc == E_NOT_FOUND || (!rc && !id_equal (note->restore, restore))) {
        *note = (note_t){.restore = restore};
        rc = epoch_begin (svc, txn, state);
    }
    if (rc || note->done)
        return rc;
    if (svc->writer.lanes)
        rc = lanes_hold (svc->writer.lanes, txn, svc->writer.now, &note->walk, HOLD_ROWS);
    note->done = !note->walk.more;
    return rc ? rc : note_write (txn, state, note);
}

static int step_once (svc_t *svc, id16_t restore, note_t *note)
{
    txn_t *txn;
    int rc = txn_begin (svc->store, TXN_WRITE, &txn);
    if (rc)
        return rc;
    note->walk.held = 0;
    rc = step_run (svc, txn, restore, note);
    if (txn_conflicted (txn))
        rc = E_CONFLICT_RETRY;
    if (rc)
        txn_abort (&txn);
    else
        rc = txn_commit (&txn);
    return rc;
}

static int steps_run (svc_t *svc, id16_t restore, uint64_t *held)
{
    note_t note = {0};
    do {
        unsigned tries = 0;
        int rc;
        do
            rc = step_once (svc, restore, &note);
        while (txn_again (rc, &tries));
        if (rc)
            return rc;
        *held += note.walk.held;
    } while (!note.done);
    return 0;
}

/* ---- the file ---- */

/* E_NOT_FOUND: there is none. What cannot be read must not pass for none: provider jobs would go out. */
static int mark_read (const char *path, id16_t *out)
{
    char text[2 * sizeof out->b + 1] = {0};
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? E_NOT_FOUND : E_IO;
    ssize_t n = read (fd, text, sizeof text - 1);
    close (fd);
    bool sound = n == (ssize_t) sizeof text - 1 &&
                 text_read_hex (text, (size_t) n, out->b, sizeof out->b) == (long) sizeof out->b;
    return sound ? 0 : E_CORRUPT;
}

static int mark_remove (const char *path, const char *folder)
{
    if (unlink (path) && errno != ENOENT)
        return E_IO;
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync (fd) ? E_IO : 0;
    if (fd >= 0)
        close (fd);
    return rc;
}

int restored_take (svc_t *svc)
{
    char folder[sizeof svc->data + 64], path[sizeof folder + 16], count[24];
    uint64_t held = 0;
    id16_t restore;
    snprintf (folder, sizeof folder, "%s/store/%s", svc->data, svc->schema->name);
    snprintf (path, sizeof path, "%s/restored", folder);
    int rc = mark_read (path, &restore);
    if (rc == E_NOT_FOUND)
        return 0;
    if (!rc)
        rc = steps_run (svc, restore, &held);
    if (!rc)
        rc = mark_remove (path, folder);
    snprintf (count, sizeof count, "%llu", (unsigned long long) held);
    if (rc)
        svc_log (svc, LOG_ERROR, "the restored store cannot be taken over", "file", path,
                 "error.code", error_name (rc), NULL);
    else
        svc_log (svc, LOG_WARN, "a restored store begins a new life", "held", count, NULL);
    return rc;
}
