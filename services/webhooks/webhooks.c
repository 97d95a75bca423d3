/* webhooks.c - the webhooks service.
 *
 * Owns subscriptions, their secrets (sealed), rendered payloads and every delivery with its attempts. Follows messaging for what happened.
 *
 * How it fails: a delivery is stored in the transaction that took its event, and is sent until a receiver takes it or its attempts are used up; a crash in between
 * repeats the request with the same id. A receiver that is down is put off by its breaker and costs the others nothing. */
#include "webhooks.h"

int main (int argc, char **argv)
{
    return svc_main (&webhooks_tables, argc, argv);
}
