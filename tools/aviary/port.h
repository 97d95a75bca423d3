/* port.h - is a listen address free, and if not, who has it. */
#ifndef AVIARY_PORT_H
#define AVIARY_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "HOST:PORT" into its halves; HOST is an IPv4 address or "localhost" (written as 127.0.0.1). false if it is neither. */
bool port_read (const char *text, char *host, size_t host_size, uint16_t *port);
/* 0 if it can be bound, else the errno of the attempt. */
int port_try (const char *host, uint16_t port);
/* "NAME (pid N)" of a process that listens on the port, or "another process" where /proc does not tell. */
void port_holder (uint16_t port, char *out, size_t size);
bool port_is_loopback (const char *host);

#endif
