/* edge.c - aviary-edge: HTTP, keys, limits, validation and the dialects.
 *
 * Owns nothing durable: cached keys under a lease, counters of rate limits in a mapped file that all edges of a host share. Any number of edges may run; each can be killed at any
 * time and costs its callers the answers under way, which a repeat with the same Idempotency-Key gets. When a service is away its routes answer 503 in
 * the dialect's envelope and the others work. */
#include "setup.h"

static const svc_service_t service = {
    .schema = &edge_service,
    .stateless = true,
    .start = edge_start,
    .ready = edge_ready,
    .drain = edge_drain,
    .stop = edge_stop,
    .healthy = edge_healthy,
    .metrics = edge_metrics,
};

int main (int argc, char **argv)
{
    return svc_main (&service, argc, argv);
}
