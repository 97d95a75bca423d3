/* cmd_doctor.c - `aviary doctor`: what on this machine would keep a house from running well, and the mend.
 *
 * A table of checks; each says fine, a warning or a fault with the command or setting that mends it. Exit EX_OK, or EX_CONFIG if there is a
 * fault. */
#include "cli.h"
#include "commands.h"
#include "json.h"
#include "port.h"
#include "run_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

typedef struct doctor {
    const char *data;
    const char *listen;
    const char *bin;
    bool json;
} doctor_t;

typedef enum verdict { FINE, WARNING, FAULT } verdict_t;

typedef struct finding {
    char what[256]; /* what was seen */
    char mend[512]; /* "" = nothing to mend */
} finding_t;

static verdict_t say (finding_t *f, verdict_t verdict, const char *what, const char *mend)
{
    snprintf (f->what, sizeof f->what, "%s", what);
    snprintf (f->mend, sizeof f->mend, "%s", mend);
    return verdict;
}

static verdict_t check_programs (const doctor_t *d, finding_t *f)
{
    static const char *const names[] = {"broker",    "edge",     "accounts", "messaging",
                                        "templates", "webhooks", "inbox"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf (path, sizeof path, "%s/aviary-%s", d->bin, names[i]);
        if (access (path, X_OK)) {
            snprintf (f->what, sizeof f->what, "aviary-%s is not beside aviary", names[i]);
            snprintf (f->mend, sizeof f->mend, "build the whole tree: tools/up does");
            return FAULT;
        }
    }
    return say (f, FINE, "all are there", "");
}

static verdict_t check_libraries (const doctor_t *d, finding_t *f)
{
    static const struct {
        const char *file, *package;
    } wanted[] = {
        {"libzmq.so.5", "libzmq5"},         {"libczmq.so.4", "libczmq4"},
        {"liblmdb.so.0", "liblmdb0"},       {"libcurl.so.4", "libcurl4"},
        {"libsodium.so.23", "libsodium23"}, {"libcrypto.so.3", "libssl3"},
    };
    (void) d;
    size_t missing = 0;
    snprintf (f->mend, sizeof f->mend, "sudo apt-get install -y");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *handle = dlopen (wanted[i].file, RTLD_LAZY | RTLD_LOCAL);
        if (handle)
            dlclose (handle);
        else {
            size_t at = strlen (f->mend);
            snprintf (f->mend + at, sizeof f->mend - at, " %s", wanted[i].package);
            missing++;
        }
    }
    if (!missing)
        return say (f, FINE, "all load", "");
    snprintf (f->what, sizeof f->what, "%zu missing", missing);
    return FAULT;
}

static verdict_t check_files (const doctor_t *d, finding_t *f)
{
    struct rlimit limit;
    (void) d;
    getrlimit (RLIMIT_NOFILE, &limit);
    snprintf (f->what, sizeof f->what, "%llu open files allowed",
              (unsigned long long) limit.rlim_cur);
    if (limit.rlim_cur >= 1024)
        return FINE;
    snprintf (f->mend, sizeof f->mend, "ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit");
    return limit.rlim_cur < 256 ? FAULT : WARNING;
}

static verdict_t check_address_space (const doctor_t *d, finding_t *f)
{
    struct rlimit limit;
    (void) d;
    getrlimit (RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        return say (f, FINE, "not limited", "");
    snprintf (f->what, sizeof f->what, "limited to %llu bytes",
              (unsigned long long) limit.rlim_cur);
    snprintf (f->mend, sizeof f->mend,
              "ulimit -v unlimited: each store maps 1 TiB of address space (not of memory)");
    return limit.rlim_cur < (rlim_t) 2 << 40 ? FAULT : WARNING;
}

static verdict_t check_port (const doctor_t *d, finding_t *f)
{
    char host[64], holder[96];
    uint16_t port;
    run_list_t list;
    if (!port_read (d->listen, host, sizeof host, &port))
        return say (f, FAULT, "--listen is not HOST:PORT",
                    "give an IPv4 address and a port, 127.0.0.1:8080");
    int rc = port_try (host, port);
    if (!rc)
        return say (f, FINE, "free", "");
    port_holder (port, holder, sizeof holder);
    if (rc == EADDRINUSE && !run_list_read (d->data, &list) && !strncmp (holder, "aviary-edge", 11))
        return say (f, FINE, "held by the house itself, which runs", "");
    snprintf (f->what, sizeof f->what, "%s: %s", strerror (rc), rc == EADDRINUSE ? holder : "");
    snprintf (f->mend, sizeof f->mend, "%s",
              rc == EACCES ? "choose a port from 1024 up" : "stop it, or choose another --listen");
    return FAULT;
}

/* The folder itself, or the one it will be made in. */
static void folder_or_parent (const char *data, char out[PATH_MAX])
{
    cli_absolute (data, out, PATH_MAX);
    while (access (out, F_OK) && strrchr (out, '/') > out)
        *strrchr (out, '/') = '\0';
}

static verdict_t check_disk (const doctor_t *d, finding_t *f)
{
    char folder[PATH_MAX];
    struct statvfs st;
    folder_or_parent (d->data, folder);
    if (statvfs (folder, &st))
        return say (f, FAULT, strerror (errno), "choose another --data");
    unsigned long long free_mb = (unsigned long long) st.f_bavail * st.f_frsize >> 20;
    snprintf (f->what, sizeof f->what, "%llu MiB free", free_mb);
    if (free_mb >= 1024)
        return FINE;
    snprintf (
        f->mend, sizeof f->mend,
        "make room or move --data: under 256 MiB (setting disk_low) new messages are refused");
    return free_mb < 256 ? FAULT : WARNING;
}

static verdict_t check_filesystem (const doctor_t *d, finding_t *f)
{
    enum {
        NFS = 0x6969,
        SMB = 0x517b,
        SMB2 = (int) 0xfe534d42,
        CIFS = (int) 0xff534d42,
        FUSE = 0x65735546,
        NINE_P = 0x01021997
    };
    char folder[PATH_MAX];
    struct statfs st;
    folder_or_parent (d->data, folder);
    if (statfs (folder, &st))
        return say (f, FAULT, strerror (errno), "choose another --data");
    switch ((int) st.f_type) {
    case NFS:
    case SMB:
    case SMB2:
    case CIFS:
    case FUSE:
    case NINE_P:
        return say (f, WARNING, "a network or user-space file system",
                    "stores need working locks and flushes: use a local disk for --data");
    default:
        return say (f, FINE, "local", "");
    }
}

static verdict_t check_permissions (const doctor_t *d, finding_t *f)
{
    char folder[PATH_MAX], credentials[PATH_MAX + 32];
    struct stat st;
    folder_or_parent (d->data, folder);
    if (access (folder, R_OK | W_OK | X_OK)) {
        snprintf (f->what, sizeof f->what, "cannot write %.200s", folder);
        snprintf (f->mend, sizeof f->mend, "sudo chown -R %u %.400s", (unsigned) getuid (), folder);
        return FAULT;
    }
    snprintf (credentials, sizeof credentials, "%s/credentials.json", d->data);
    if (!stat (credentials, &st) && (st.st_mode & 077)) {
        snprintf (f->what, sizeof f->what, "others may read credentials.json");
        snprintf (f->mend, sizeof f->mend, "chmod 600 %.480s", credentials);
        return FAULT;
    }
    if (!stat (d->data, &st) && (st.st_mode & 022)) {
        snprintf (f->what, sizeof f->what, "others may write %.200s", d->data);
        snprintf (f->mend, sizeof f->mend, "chmod 700 %.480s", d->data);
        return FAULT;
    }
    return say (f, FINE, "fine", "");
}

static verdict_t check_path (const doctor_t *d, finding_t *f)
{
    char folder[PATH_MAX];
    if (cli_absolute (d->data, folder, sizeof folder) && strlen (folder) <= 80)
        return say (f, FINE, "short enough", "");
    return say (f, FAULT, "over 80 bytes: the sockets in it would not open",
                "choose a shorter --data");
}

static verdict_t check_clock (const doctor_t *d, finding_t *f)
{
    struct timespec now;
    (void) d;
    clock_gettime (CLOCK_REALTIME, &now);
    if (now.tv_sec > 1767225600) /* 2026 */
        return say (f, FINE, "plausible", "");
    return say (f, FAULT, "the system clock is before 2026",
                "set it: timedatectl set-ntp true; ids and signatures carry the time");
}

static const struct {
    const char *name;
    verdict_t (*run) (const doctor_t *, finding_t *);
} checks[] = {
    {"programs", check_programs},
    {"libraries", check_libraries},
    {"open files", check_files},
    {"address space", check_address_space},
    {"port", check_port},
    {"data path", check_path},
    {"disk space", check_disk},
    {"file system", check_filesystem},
    {"permissions", check_permissions},
    {"clock", check_clock},
};

static void tell (const doctor_t *d, const char *name, verdict_t verdict, const finding_t *f,
                  bool first)
{
    static const char *const words[] = {"ok", "warning", "fault"};
    if (!d->json) {
        printf ("%-8s %-14s %s\n", words[verdict], name, f->what);
        if (f->mend[0] && verdict != FINE)
            printf ("         mend: %s\n", f->mend);
        return;
    }
    buf_t line = {0};
    buf_printf (&line, "%s{\"check\": \"%s\", \"verdict\": \"%s\", \"what\": ", first ? "" : ",\n ",
                name, words[verdict]);
    json_text (&line, f->what);
    buf_add_str (&line, ", \"mend\": ");
    json_text (&line, verdict == FINE ? "" : f->mend);
    printf ("%s}", buf_text (&line));
    buf_free (&line);
}

int cmd_doctor (int argc, char **argv)
{
    char bin[PATH_MAX];
    doctor_t d = {.data = "./var", .listen = "127.0.0.1:8080"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the folder to check (default ./var)", CLI_TEXT, &d.data, 0, 0},
        {"--listen", "HOST:PORT", "the address to check (default 127.0.0.1:8080)", CLI_TEXT,
         &d.listen, 0, 0},
        {"--json", NULL, "an array of {check, verdict, what, mend}", CLI_SWITCH, &d.json, 0, 0},
    };
    cli_form_t form = {
        .command = "doctor",
        .about =
            "Checks packages, limits, port, disk and permissions, and says the mend of what is wrong.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    ssize_t n = readlink ("/proc/self/exe", bin, sizeof bin - 1);
    bin[n > 0 ? n : 0] = '\0';
    if (strrchr (bin, '/'))
        *strrchr (bin, '/') = '\0';
    d.bin = bin;
    verdict_t worst = FINE;
    if (d.json)
        printf ("[");
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        finding_t f = {.mend = ""};
        verdict_t verdict = checks[i].run (&d, &f);
        tell (&d, checks[i].name, verdict, &f, i == 0);
        worst = verdict > worst ? verdict : worst;
    }
    if (d.json)
        printf ("]\n");
    return worst == FAULT ? EX_CONFIG : EX_OK;
}
