/* fuzz_replay.c - main of a fuzz target without libFuzzer: runs the target once on each file given, or in each folder given.
 *
 * So the corpus and the regressions run as normal tests, under gcc. Fails (exit 1) if a path cannot be read or there is no file;
 * a finding crashes as it does under libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
/* Of targets that have to make something first. */
int LLVMFuzzerInitialize (int *argc, char ***argv) __attribute__ ((weak));

static int replay_file (const char *path, size_t size)
{
    FILE *file = fopen (path, "rb");
    uint8_t *data =
        malloc (size ? size : 1); /* exact size, so that asan sees a read past the end */
    int bad = !file || !data || fread (data, 1, size, file) != size;
    if (!bad)
        LLVMFuzzerTestOneInput (data, size);
    else
        perror (path);
    free (data);
    if (file)
        fclose (file);
    return bad;
}

static int replay (const char *path, unsigned *count)
{
    struct stat st;
    if (stat (path, &st)) {
        perror (path);
        return 1;
    }
    if (!S_ISDIR (st.st_mode)) {
        (*count)++;
        return replay_file (path, (size_t) st.st_size);
    }
    DIR *dir = opendir (path);
    int bad = !dir;
    for (struct dirent *entry; dir && (entry = readdir (dir));) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        if ((size_t) snprintf (inner, sizeof inner, "%s/%s", path, entry->d_name) >= sizeof inner)
            bad = 1;
        else
            bad |= replay (inner, count);
    }
    if (dir)
        closedir (dir);
    return bad;
}

int main (int argc, char **argv)
{
    unsigned count = 0;
    int bad = LLVMFuzzerInitialize ? LLVMFuzzerInitialize (&argc, &argv) : 0;
    for (int i = 1; i < argc; i++)
        bad |= replay (argv[i], &count);
    printf ("%u inputs\n", count);
    return bad || !count;
}
