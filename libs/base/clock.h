/* clock.h - the one clock. Wall time plus an offset that tests advance in all processes at once.
 *
 * The offset lives in a small mapped file (8 bytes, little endian, milliseconds); processes that
 * were not started for it never open it and always see real time. Monotonic time is never shifted:
 * deadlines and leases use it. */
#ifndef AVIARY_BASE_CLOCK_H
#define AVIARY_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_now_ms (void);  /* Unix milliseconds, offset included */
int64_t clock_mono_ms (void); /* CLOCK_MONOTONIC milliseconds */
int64_t clock_mono_us (void);

/* Use the offset file at `path`, made with 0 if absent (mode 0600). 0 or -errno. Once per process.
 */
int clock_attach (const char *path);
/* Add `delta_ms` to the offset in the file at `path` for every attached process. 0 or -errno. */
int clock_advance (const char *path, int64_t delta_ms);

enum { CLOCK_ISO_SIZE = 25 };
/* "2026-03-02T09:14:07.218Z" with its NUL; years 0000 to 9999, else clamped. */
void clock_write_iso (int64_t ms, char out[CLOCK_ISO_SIZE]);
/* RFC 3339 with any offset and 0 to 9 fraction digits, to Unix ms. 0, or -1 and *out untouched. */
int clock_read_iso (const char *text, size_t length, int64_t *out);

#endif
