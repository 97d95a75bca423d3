/* stop.c - signals as a descriptor. */
#include "stop.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int stop_open (void)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    sigemptyset (&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        sigaddset (&set, wanted[i]);
    if (sigprocmask (SIG_BLOCK, &set, NULL))
        return -1;
    signal (SIGPIPE, SIG_IGN);
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool stop_asked (int fd)
{
    struct signalfd_siginfo info;
    return fd >= 0 && read (fd, &info, sizeof info) == sizeof info;
}
