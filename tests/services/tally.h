/* tally.h - the service `tally` of the runtime's tests. */
#ifndef AVIARY_TESTS_TALLY_H
#define AVIARY_TESTS_TALLY_H

#include "svc/svc.h"
#include "testgen/tally.h"

extern const svc_service_t tally;

#endif
