/* stop.h - being told to stop, for commands that stay. */
#ifndef AVIARY_STOP_H
#define AVIARY_STOP_H

#include <stdbool.h>

/* TERM, INT and HUP become readable at the descriptor returned; -1 if that fails. Call before any thread or ZeroMQ context is made. SIGPIPE is
 * ignored from then on. */
int stop_open (void);
/* Was one of them sent? Never blocks. */
bool stop_asked (int fd);

#endif
