/* run_file.h - DIR/run/supervisor.json: which processes the supervisor runs, for `aviary status` and the watcher. */
#ifndef AVIARY_RUN_FILE_H
#define AVIARY_RUN_FILE_H

#include <stddef.h>
#include <sys/types.h>

enum { RUN_LIST_MAX = 96 };

typedef struct run_entry {
    char service[24];
    unsigned replica;
    pid_t pid; /* 0 = down */
} run_entry_t;

typedef struct run_list {
    pid_t supervisor; /* 0 = none runs */
    run_entry_t entries[RUN_LIST_MAX];
    size_t count;
} run_list_t;

/* Replaces the file whole. 0 or an errno. */
int run_list_write (const char *data, const run_list_t *list);
/* 0; ENOENT and an empty list if there is no supervisor; else an errno. Pids of processes that are gone read as 0. */
int run_list_read (const char *data, run_list_t *list);
void run_list_remove (const char *data);

#endif
