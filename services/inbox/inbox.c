/* inbox.c - the inbox service: the people side.
 *
 * Owns contacts, conversations and labels. Follows messaging, whose threads it adopts with their ids, and accounts for numbers, teams and users.
 *
 * How it fails: while it is away its own routes answer 503 and everything else goes on, sends with the conversation's id too; when it is back it reads
 * messaging's journal from where it stopped, or its snapshot if that was too long ago. */
#include "inbox.h"

int main (int argc, char **argv)
{
    return svc_main (&inbox_tables, argc, argv);
}
