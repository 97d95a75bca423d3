/* setup.h - the hooks that edge.c gives to the runtime (svc.h). */
#ifndef AVIARY_EDGE_SETUP_H
#define AVIARY_EDGE_SETUP_H

#include "edge.h"

int edge_start (svc_t *svc, void **context, failure_t *failure);
int edge_ready (svc_t *svc, void *context, failure_t *failure);
void edge_drain (svc_t *svc, void *context);
void edge_stop (void **context);
bool edge_healthy (svc_t *svc, void *context, char *reason, size_t size);
void edge_metrics (svc_t *svc, void *context, buf_t *out);

#endif
