/* notify.c - sd_notify by hand: one datagram to $NOTIFY_SOCKET; without systemd it does nothing. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "svc/inner.h"

void notify_systemd (const char *text)
{
    const char *path = getenv ("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (*path != '/' && *path != '@') || strlen (path) >= sizeof to.sun_path)
        return;
    memcpy (to.sun_path, path, strlen (path));
    if (*path == '@')
        to.sun_path[0] = 0;
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path));
    (void) sendto (fd, text, strlen (text), MSG_NOSIGNAL, (const struct sockaddr *) &to, size);
    close (fd);
}
