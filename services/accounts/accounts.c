/* accounts.c - the accounts service.
 *
 * Owns organizations, apps, API keys (as HMACs), phone numbers and assignments. Tells changes in its journal: messaging follows apps and assignments, webhooks apps,
 * edges the deletion of keys under their lease.
 *
 * How it fails: with accounts away, edges go on for a second with the keys they know, then answer 503; nothing can be revoked meanwhile. */
#include "accounts.h"

int main (int argc, char **argv)
{
    return svc_main (&accounts_tables, argc, argv);
}
