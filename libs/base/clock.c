/* clock.c - wall time with a shared offset for tests, monotonic time, RFC 3339.
 *
 * The mapping that clock_attach makes is the one process-wide state here: set once, never unmapped.
 * Fails with -errno only in attach and advance; telling the time cannot fail. */
#include "base/clock.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OFFSET_SIZE = 8, DAY_MS = 86400000 };

static const int64_t YEAR_0000_MS = -62167219200000; /* 0000-01-01T00:00:00.000Z */
static const int64_t YEAR_9999_MS = 253402300799999; /* 9999-12-31T23:59:59.999Z */

static _Atomic (uint64_t *) attached;

int64_t clock_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    int64_t ms = (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
    uint64_t *offset = atomic_load_explicit (&attached, memory_order_acquire);
    if (offset)
        ms += (int64_t) le64toh (__atomic_load_n (offset, __ATOMIC_ACQUIRE));
    return ms;
}

int64_t clock_mono_us (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_ms (void)
{
    return clock_mono_us () / 1000;
}

/* Maps the offset file shared, making it if absent. 0 or -errno. */
static int offset_map (const char *path, int protection, uint64_t **out)
{
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int rc = 0;
    struct stat st;
    if (fstat (fd, &st) != 0)
        rc = -errno;
    else if (!S_ISREG (st.st_mode) || (st.st_size != 0 && st.st_size != OFFSET_SIZE))
        rc = -EINVAL;
    else if (st.st_size == 0 && ftruncate (fd, OFFSET_SIZE) != 0)
        rc = -errno;
    if (rc == 0) {
        void *map = mmap (NULL, OFFSET_SIZE, protection, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            rc = -errno;
        else
            *out = map;
    }
    close (fd);
    return rc;
}

int clock_attach (const char *path)
{
    uint64_t *map = NULL;
    int rc = offset_map (path, PROT_READ, &map);
    if (rc)
        return rc;
    uint64_t *expected = NULL;
    if (!atomic_compare_exchange_strong (&attached, &expected, map)) {
        munmap (map, OFFSET_SIZE);
        return -EALREADY;
    }
    return 0;
}

int clock_advance (const char *path, int64_t delta_ms)
{
    uint64_t *offset = NULL;
    int rc = offset_map (path, PROT_READ | PROT_WRITE, &offset);
    if (rc)
        return rc;
    uint64_t before = __atomic_load_n (offset, __ATOMIC_ACQUIRE);
    uint64_t after;
    do {
        after = htole64 (le64toh (before) + (uint64_t) delta_ms);
    } while (!__atomic_compare_exchange_n (offset, &before, after, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE));
    munmap (offset, OFFSET_SIZE);
    return 0;
}

/* Days since 1970-01-01 of a Gregorian date. Years are counted from March, so that the leap day is
 * the last of its year; 400 years are 146097 days. */
static int64_t days_of_date (int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_days (int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    *day = (int) (day_of_year - (153 * from_march + 2) / 5 + 1);
    *month = (int) (from_march < 10 ? from_march + 3 : from_march - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void digits_write (char *out, int64_t value, int count)
{
    while (count-- > 0) {
        out[count] = (char) ('0' + value % 10);
        value /= 10;
    }
}

void clock_write_iso (int64_t ms, char out[CLOCK_ISO_SIZE])
{
    if (ms < YEAR_0000_MS)
        ms = YEAR_0000_MS;
    if (ms > YEAR_9999_MS)
        ms = YEAR_9999_MS;
    int64_t in_day = ms % DAY_MS;
    if (in_day < 0)
        in_day += DAY_MS;
    int64_t year;
    int month, day;
    date_of_days ((ms - in_day) / DAY_MS, &year, &month, &day);

    memcpy (out, "0000-00-00T00:00:00.000Z", CLOCK_ISO_SIZE);
    digits_write (out, year, 4);
    digits_write (out + 5, month, 2);
    digits_write (out + 8, day, 2);
    digits_write (out + 11, in_day / 3600000, 2);
    digits_write (out + 14, in_day / 60000 % 60, 2);
    digits_write (out + 17, in_day / 1000 % 60, 2);
    digits_write (out + 20, in_day % 1000, 3);
}

typedef struct cursor {
    const char *at;
    const char *end;
    bool failed;
} cursor_t;

static int read_digits (cursor_t *in, int count, int min, int max)
{
    int value = 0;
    for (; count > 0 && !in->failed; count--) {
        if (in->at == in->end || *in->at < '0' || *in->at > '9')
            in->failed = true;
        else
            value = value * 10 + (*in->at++ - '0');
    }
    if (value < min || value > max)
        in->failed = true;
    return in->failed ? min : value;
}

/* One character of `set`; 0 and failed if it is another. */
static char read_one_of (cursor_t *in, const char *set)
{
    if (in->failed || in->at == in->end || *in->at == 0 || !strchr (set, *in->at)) {
        in->failed = true;
        return 0;
    }
    return *in->at++;
}

/* ".218" as milliseconds, cut after the third of at most nine digits; 0 if there is none. */
static int read_fraction_ms (cursor_t *in)
{
    if (in->failed || in->at == in->end || *in->at != '.')
        return 0;
    in->at++;
    int value = 0;
    int count = 0;
    for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++, count++)
        if (count < 3)
            value = value * 10 + (*in->at - '0');
    if (count < 1 || count > 9)
        in->failed = true;
    for (; count < 3; count++)
        value *= 10;
    return value;
}

static int read_offset_minutes (cursor_t *in)
{
    char sign = read_one_of (in, "Zz+-");
    if (sign != '+' && sign != '-')
        return 0;
    int hours = read_digits (in, 2, 0, 23);
    read_one_of (in, ":");
    int minutes = hours * 60 + read_digits (in, 2, 0, 59);
    return sign == '-' ? -minutes : minutes;
}

static int month_days (int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int clock_read_iso (const char *text, size_t length, int64_t *out)
{
    if (!text)
        return -1;
    cursor_t in = {text, text + length, false};
    int year = read_digits (&in, 4, 0, 9999);
    read_one_of (&in, "-");
    int month = read_digits (&in, 2, 1, 12);
    read_one_of (&in, "-");
    int day = read_digits (&in, 2, 1, month_days (year, month));
    read_one_of (&in, "Tt ");
    int hour = read_digits (&in, 2, 0, 23);
    read_one_of (&in, ":");
    int minute = read_digits (&in, 2, 0, 59);
    read_one_of (&in, ":");
    int second = read_digits (&in, 2, 0, 60);
    int fraction_ms = read_fraction_ms (&in);
    int offset = read_offset_minutes (&in);
    if (in.failed || in.at != in.end)
        return -1;

    int64_t total_s = days_of_date (year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
                      (int64_t) offset * 60;
    /* A leap second exists only as the last of a UTC day; it is the same moment as the next second.
     */
    if (second == 60 && total_s % 86400 != 0)
        return -1;
    *out = total_s * 1000 + fraction_ms;
    return 0;
}
