/* port.c - tries a listen address, and finds its holder through /proc/net/tcp and /proc/PID/fd.
 *
 * Fails softly: processes of other users hide their descriptors, then the holder is "another process". */
#include "port.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool port_read (const char *text, char *host, size_t host_size, uint16_t *port)
{
    const char *colon = strrchr (text, ':');
    if (!colon || !isdigit ((unsigned char) colon[1]))
        return false;
    char *end;
    unsigned long number = strtoul (colon + 1, &end, 10);
    if (*end || number < 1 || number > 65535)
        return false;
    char name[64];
    if ((size_t) (colon - text) >= sizeof name)
        return false;
    snprintf (name, sizeof name, "%.*s", (int) (colon - text), text);
    const char *address = !strcmp (name, "localhost") ? "127.0.0.1" : name;
    struct in_addr parsed;
    if (inet_pton (AF_INET, address, &parsed) != 1 || strlen (address) >= host_size)
        return false;
    snprintf (host, host_size, "%s", address);
    *port = (uint16_t) number;
    return true;
}

bool port_is_loopback (const char *host)
{
    return !strncmp (host, "127.", 4);
}

int port_try (const char *host, uint16_t port)
{
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons (port)};
    inet_pton (AF_INET, host, &address.sin_addr);
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int rc =
        bind (fd, (const struct sockaddr *) &address, sizeof address) || listen (fd, 1) ? errno : 0;
    close (fd);
    return rc;
}

/* The inode of a socket that listens on `port`; 0 = none. */
static unsigned long listener_inode (const char *table, uint16_t port)
{
    FILE *file = fopen (table, "r");
    char line[512];
    unsigned long found = 0;
    while (file && !found && fgets (line, sizeof line, file)) {
        unsigned local, state;
        unsigned long inode;
        /* sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode; state 0A = listening */
        if (sscanf (line, "%*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu",
                    &local, &state, &inode) == 3 &&
            local == port && state == 0x0a)
            found = inode;
    }
    if (file)
        fclose (file);
    return found;
}

static bool process_has (const char *pid, const char *wanted)
{
    char path[300], link[64];
    snprintf (path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *dir = opendir (path);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir (dir));) {
        snprintf (path, sizeof path, "/proc/%.20s/fd/%.32s", pid, entry->d_name);
        ssize_t n = readlink (path, link, sizeof link - 1);
        if (n > 0) {
            link[n] = '\0';
            found = !strcmp (link, wanted);
        }
    }
    if (dir)
        closedir (dir);
    return found;
}

static void process_name (const char *pid, char *out, size_t size)
{
    char path[64], name[64] = "?";
    snprintf (path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *file = fopen (path, "r");
    if (file && fgets (name, sizeof name, file))
        name[strcspn (name, "\n")] = '\0';
    if (file)
        fclose (file);
    snprintf (out, size, "%s (pid %.20s)", name, pid);
}

void port_holder (uint16_t port, char *out, size_t size)
{
    unsigned long inode = listener_inode ("/proc/net/tcp", port);
    if (!inode)
        inode = listener_inode ("/proc/net/tcp6", port);
    char wanted[48];
    snprintf (wanted, sizeof wanted, "socket:[%lu]", inode);
    snprintf (out, size, "another process");
    DIR *dir = inode ? opendir ("/proc") : NULL;
    for (struct dirent *entry; dir && (entry = readdir (dir));)
        if (isdigit ((unsigned char) entry->d_name[0]) && process_has (entry->d_name, wanted)) {
            process_name (entry->d_name, out, size);
            break;
        }
    if (dir)
        closedir (dir);
}
