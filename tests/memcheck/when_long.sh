#!/bin/sh
# when_long.sh COMMAND...: run it with AVIARY_LONG only, and then without what belongs to this build; else exit 77 (skipped).
[ -n "$AVIARY_LONG" ] || exit 77
unset AVIARY_LONG ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
exec "$@"
