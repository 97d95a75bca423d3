/* messaging.c - the messaging service.
 *
 * Owns messages, their recipients, conversation windows, the playground's users and what carriers called back with. Follows accounts for apps, assignments and
 * carrier accounts, and templates for what a template send must give.
 *
 * How it fails: an accepted message is on disk before the answer; a send whose answer got lost is `unknown` until a receipt or a settable time settles it; a
 * receipt that comes before its send's answer waits for it. With accounts away it goes on with what it last heard. */
#include "messaging.h"

int main (int argc, char **argv)
{
    return svc_main (&messaging_tables, argc, argv);
}
