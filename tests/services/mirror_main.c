/* mirror_main.c - the process of the test service `mirror`. */
#include "mirror.h"

int main (int argc, char **argv)
{
    return svc_main (&mirror, argc, argv);
}
