/* mirror.h - the service `mirror` of the runtime's tests. */
#ifndef AVIARY_TESTS_MIRROR_H
#define AVIARY_TESTS_MIRROR_H

#include "svc/svc.h"
#include "testgen/mirror.h"
#include "testgen/tally.h"

extern const svc_service_t mirror;

#endif
