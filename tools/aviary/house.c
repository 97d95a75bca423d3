/* house.c - merges the supervisor's list with the broker's view.
 *
 * The list says which processes should be there and their pids, the broker who answers; a row is ready only if both mean the same pid. */
#include "house.h"

#include "gen/broker.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_MEMORY = 1 << 20 };

static void rows_listed (const char *data, house_t *out)
{
    run_list_t list;
    out->supervised = !run_list_read (data, &list);
    for (size_t i = 0; i < list.count; i++) {
        house_row_t *row = &out->rows[out->count++];
        memcpy (row->service, list.entries[i].service, sizeof row->service);
        row->replica = list.entries[i].replica;
        row->pid = list.entries[i].pid;
        /* The simulator is on no bus: being there is all that it can say. */
        row->seen = row->ready = row->pid && !strcmp (row->service, "sim");
    }
}

static house_row_t *row_find (house_t *self, const char *service, int64_t replica)
{
    for (size_t i = 0; i < self->count; i++)
        if (!strcmp (self->rows[i].service, service) && self->rows[i].replica == replica)
            return &self->rows[i];
    return NULL;
}

static house_row_t *row_add (house_t *self, const char *service, int64_t replica, int64_t pid)
{
    if (self->count == RUN_LIST_MAX)
        return NULL;
    house_row_t *row = &self->rows[self->count++];
    snprintf (row->service, sizeof row->service, "%s", service);
    row->replica = (unsigned) replica;
    row->pid = (pid_t) pid;
    return row;
}

static void replica_merge (house_t *self, const broker_replica_state_t *replica)
{
    const char *service = replica->service ? replica->service : "";
    house_row_t *row = row_find (self, service, replica->replica);
    if (!row && !self->supervised && replica->live)
        row = row_add (self, service, replica->replica, replica->pid);
    if (!row || row->pid != replica->pid || !row->pid)
        return;
    row->seen = true;
    row->beat_age_ms = replica->beat_age_ms;
    row->ready = replica->live && replica->ready;
    row->owner = replica->live && replica->owner;
    snprintf (row->reason, sizeof row->reason, "%s",
              !replica->live    ? "gives no beat"
              : replica->reason ? replica->reason
                                : "");
}

/* The broker does not list itself: that it answered says all. */
static void broker_merge (house_t *self)
{
    house_row_t *row = row_find (self, "broker", 0);
    if (!row)
        row = row_add (self, "broker", 0, 0);
    if (row)
        row->seen = row->ready = row->owner = true;
}

void house_look (const char *data, client_t *client, uint32_t timeout_ms, house_t *out)
{
    memset (out, 0, sizeof *out);
    rows_listed (data, out);
    arena_t *arena = client ? arena_new (STATUS_MEMORY) : NULL;
    if (!arena)
        return;
    broker_status_in_t in = {0};
    broker_status_out_t status = {0};
    failure_t failure = {0};
    out->answered =
        !client_ask (client, "broker.status", NULL, &in, &status, arena, timeout_ms, &failure);
    if (out->answered) {
        const broker_replica_state_t *replicas = status.replicas.items;
        broker_merge (out);
        for (size_t i = 0; i < status.replicas.count; i++)
            replica_merge (out, &replicas[i]);
    }
    arena_destroy (&arena);
}

bool house_ready (const house_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (!self->rows[i].ready)
            return false;
    return self->count > 0;
}
