/* test.h - what the unit tests of this folder share. */
#ifndef AVIARY_SIM_TEST_H
#define AVIARY_SIM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <string.h>

#define COUNT_OF(array) (sizeof (array) / sizeof (array)[0])

#endif
