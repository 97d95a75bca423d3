/* templates.c - the templates service.
 *
 * Owns the message templates of WhatsApp accounts as Meta has them. Follows accounts for the accounts and messaging for Meta's word that a template changed.
 *
 * How it fails: with Meta away everybody goes on with the templates that were read last; a reading that fails is tried again and says why in `aviary templates
 * list`. A reading is complete or it deletes nothing. */
#include "templates.h"

int main (int argc, char **argv)
{
    return svc_main (&templates_tables, argc, argv);
}
