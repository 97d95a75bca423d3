/* steps.c - steps of the wall clock, told from the monotonic one; kept over restarts. Fails as the store does.
 *
 * CLOCK_MONOTONIC goes on over restarts of the process, so a row written since the machine started says how far the wall clock should be by now. */
#include "svc/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/msgpack.h"

enum { STEP_MS = 1000 };

static const char row_name[] = "svc.lag";

steps_clocks_t steps_clocks (void)
{
    steps_clocks_t now = {.wall = clock_now_ms (), .mono = clock_mono_ms ()};
    int fd = open ("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read (fd, now.boot, sizeof now.boot - 1);
    if (fd >= 0)
        close (fd);
    now.boot[size > 0 ? size : 0] = '\0';
    now.boot[strcspn (now.boot, "\n")] = '\0';
    return now;
}

static void step_note (steps_t *self, int64_t step)
{
    if (step < -STEP_MS)
        self->lag += -step;
    else if (step > STEP_MS && self->lag > 0)
        self->lag -= step < self->lag ? step : self->lag;
    else
        return;
    self->changed = true;
}

int64_t steps_take (steps_t *self, int64_t wall, int64_t mono)
{
    step_note (self, wall - self->seen.wall - (mono - self->seen.mono));
    self->seen.wall = wall;
    self->seen.mono = mono;
    return self->lag;
}

/* The row of before, and the step since then, where it can be told. */
static int row_read (steps_t *self, bytes_t row, const steps_clocks_t *now)
{
    mp_reader_t in = mp_read (row);
    mp_read_array (&in);
    self->lag = mp_read_int (&in);
    int64_t wall = mp_read_int (&in), mono = mp_read_int (&in);
    bytes_t boot = mp_read_str (&in);
    if (in.failed || self->lag < 0)
        return E_CORRUPT;
    if (*now->boot && bytes_equal (boot, bytes_of_str (now->boot)))
        step_note (self, now->wall - wall - (now->mono - mono));
    return 0;
}

int steps_load (steps_t *self, txn_t *txn, table_t *table, int64_t greatest,
                const steps_clocks_t *now)
{
    bytes_t row;
    int code = kv_get (txn, table, bytes_of_str (row_name), &row);
    *self = (steps_t){.seen = *now};
    if (code == 0)
        code = row_read (self, row, now);
    else if (code == E_NOT_FOUND)
        code = 0;
    if (code == 0 && greatest > now->wall + self->lag)
        step_note (self, now->wall + self->lag - greatest);
    return code;
}

int steps_store (steps_t *self, txn_t *txn, table_t *table)
{
    buf_t row = {0};
    if (!self->changed)
        return 0;
    mp_array (&row, 4);
    mp_int (&row, self->lag);
    mp_int (&row, self->seen.wall);
    mp_int (&row, self->seen.mono);
    mp_str (&row, self->seen.boot);
    int code = buf_failed (&row) ? E_NO_MEMORY
                                 : kv_put (txn, table, bytes_of_str (row_name), buf_bytes (&row));
    buf_free (&row);
    self->changed = code != 0;
    return code;
}
