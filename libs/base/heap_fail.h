/* heap_fail.h - tests: a heap whose n-th allocation fails. What links it has malloc, calloc and realloc of the objects of this project wrapped; libraries of others
 * (LMDB, OpenSSL, libzmq) keep theirs. */
#ifndef AVIARY_BASE_HEAP_FAIL_H
#define AVIARY_BASE_HEAP_FAIL_H

/* The n-th allocation from now, of this thread, fails; 0 = none. Returns what was left of the one set before: 0 when it has failed. */
unsigned heap_fail_nth (unsigned n);

#endif
