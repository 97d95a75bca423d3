/* tally_main.c - the process of the test service `tally`. */
#include "tally.h"

int main (int argc, char **argv)
{
    return svc_main (&tally, argc, argv);
}
