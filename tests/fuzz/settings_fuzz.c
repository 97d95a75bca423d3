/* settings_fuzz.c - libFuzzer target: what the runtime reads of files and of its own store's rows (which a restore brings from outside). First byte: which; for settings the second
 * byte chooses the service; the rest: the bytes.
 *
 * Settings that are taken print as a file that is taken and says the same. A row that is read writes the same bytes again. */
#include "svc/erase_match.h"
#include "svc/inner.h"
#include "svc/job_row.h"
#include "svc/lanes_state.h"
#include "svc/started.h"
#include "fuzz.h"

#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { WORDS_MAX = 32 };

/* ---- settings ---- */

static char folder[] = "/dev/shm/fuzz-settings-XXXXXX";

static void path_of (const char *name, char out[128])
{
    snprintf (out, 128, "%s/%s", folder, name);
}

static void folder_remove (void)
{
    static const char *const names[] = {"aviary.conf", "started", ""};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_of (names[i], path);
        (void) remove (path);
    }
}

/* The folder of this process: made once. */
int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    must (mkdtemp (folder) != NULL && atexit (folder_remove) == 0);
    return 0;
}

static void file_put (const char *name, bytes_t text)
{
    char path[128];
    path_of (name, path);
    FILE *file = fopen (path, "w");
    must (file &&
          fwrite (text.data ? text.data : (const uint8_t *) "", 1, text.size, file) == text.size);
    must (fclose (file) == 0);
}

/* Lines as words; what names a file (AVIARY_X_FILE) is left out, for it would be read. */
static size_t words_of (bytes_t in, char **out)
{
    size_t count = 0;
    while (in.size && count < WORDS_MAX) {
        bytes_t line = cut (&in, '\n');
        char *word = text_of (line);
        if (strcasestr (word, "_file"))
            free (word);
        else
            out[count++] = word;
    }
    return count;
}

static int settings_try (const schema_service_t *schema, char **flags, size_t flag_count,
                         char **variables, buf_t *printed)
{
    char data[96], *argv[WORDS_MAX + 3] = {(char *) "fuzz"}, **was = environ;
    snprintf (data, sizeof data, "--data=%s", folder);
    for (size_t i = 0; i < flag_count; i++)
        argv[i + 1] = flags[i];
    argv[flag_count + 1] = data; /* the last one said holds */
    svc_t *svc = calloc (1, sizeof *svc);
    settings_t *settings = NULL;
    failure_t failure = {0};
    must (svc != NULL);
    svc->schema = schema;
    svc->argc = (int) flag_count + 2;
    svc->argv = argv;
    environ = variables;
    int code = settings_read (svc, &settings, &failure);
    environ = was;
    must (code == failure.code && (code == 0) == (settings != NULL));
    must (code == 0 || failure.text[0] != 0);
    if (settings) {
        settings_print (svc, settings, printed);
        must (log_level_read (settings->common.log_level) >= 0);
        settings_free (svc, settings);
    }
    free (svc);
    return code;
}

static void check_file (const schema_service_t *schema, bytes_t in)
{
    char *nothing[] = {NULL};
    buf_t one = {0}, two = {0};
    file_put ("aviary.conf", in);
    if (settings_try (schema, NULL, 0, nothing, &one) == 0) {
        file_put ("aviary.conf", buf_bytes (&one));
        must (settings_try (schema, NULL, 0, nothing, &two) == 0);
        must (bytes_equal (buf_bytes (&one), buf_bytes (&two)));
    }
    buf_free (&one);
    buf_free (&two);
}

static void check_words (const schema_service_t *schema, bytes_t in, bool flags)
{
    char *words[WORDS_MAX + 1] = {NULL}, *nothing[] = {NULL};
    size_t count = words_of (in, words);
    buf_t printed = {0};
    file_put ("aviary.conf", bytes_of_str ("# nothing\n"));
    (void) settings_try (schema, flags ? words : nothing, flags ? count : 0,
                         flags ? nothing : words, &printed);
    buf_free (&printed);
    for (size_t i = 0; i < count; i++)
        free (words[i]);
}

static void check_settings (uint8_t which, bytes_t in)
{
    if (!in.size)
        return;
    const schema_service_t *schema = schema_all_services[in.data[0] % schema_all_service_count];
    in = bytes_of (in.data + 1, in.size - 1);
    if (which == 0)
        check_file (schema, in);
    else
        check_words (schema, in, which == 1);
}

/* ---- rows ---- */

static void check_rows (bytes_t in)
{
    job_row_t row;
    kept_job_t job;
    cursor_t cursor;
    uint8_t space[CURSOR_SIZE], claim[CLAIM_SIZE];
    buf_t again = {0};
    if (job_row_read (in, &row)) {
        job_row_write (&row, &again);
        must (bytes_equal (buf_bytes (&again), in));
    }
    if (cursor_read (in, &cursor)) {
        cursor_write (&cursor, space);
        must (bytes_equal (bytes_of (space, sizeof space), in));
    }
    if (in.size == CLAIM_SIZE) {
        job_claim_t read = job_claim_read (in.data);
        job_claim_write (&read, claim);
        must (memcmp (claim, in.data, sizeof claim) == 0);
    }
    if (kept_job_read (in, &job))
        must (job.packed.size <= in.size && job.reason.size <= in.size);
    buf_free (&again);
}

/* The key's length, the key, the row. */
static void check_kept (bytes_t in)
{
    arena_t *arena = arena_new (16 << 20);
    size_t length = in.size && in.data[0] < in.size ? in.data[0] : 0;
    kept_event_t event;
    kept_t kept = {0};
    svc_t *svc = calloc (1, sizeof *svc);
    jmp_buf trap;
    must (arena && svc);
    if (in.size && setjmp (trap) == 0) {
        arena_trap (arena, &trap);
        bytes_t key = bytes_of (in.data + 1, length);
        bytes_t row = bytes_of (in.data + 1 + length, in.size - 1 - length);
        int code = kept_event_read (key, row, arena, &event);
        must (code == 0 || code == E_CORRUPT);
        must (code || strlen (event.service) + 17 <= key.size);
        code = kept_read (svc, id_nil (), row, arena, &kept);
        must (code == 0 || code == E_CORRUPT);
        must (code || kept.answer.size <= row.size);
    }
    free (svc);
    arena_destroy (&arena);
}

static void check_started (bytes_t in)
{
    char path[128];
    started_t *started = NULL;
    failure_t failure = {0};
    id16_t epoch = {{0}};
    if (in.size >= sizeof epoch) /* any epoch that the file may name */
        memcpy (epoch.b, in.data, sizeof epoch.b);
    file_put ("started", in);
    path_of ("started", path);
    must (started_open (path, epoch, &started, &failure) == 0);
    must (started_trusted (started) || !started_was (started, epoch));
    started_close (&started);
}

/* A text to erase, a new line, and what may tell of it. */
static void check_erased (bytes_t in)
{
    static const id16_t id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    bytes_t line = cut (&in, '\n');
    char *text = text_of (line);
    erase_match_t *match = erase_match_new ();
    const erase_text_t what = {.text = text, .until = 100};
    must (match != NULL);
    must (erase_match_add_id (match, id, 100) == 0 && erase_match_add_text (match, &what) == 0);
    const uint8_t *found = in.size ? memmem (in.data, in.size, id.b, sizeof id.b) : NULL;
    bool tells = erase_match_tells (match, in, 50);
    must (!found || tells);
    must (strlen (text) < 5 || !*text || tells || !erase_match_text (match, in, 50));
    erase_match_free (&match);
    free (text);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0 || size > 1 << 16)
        return 0;
    bytes_t in = bytes_of (data + 1, size - 1);
    switch (data[0] % 8) {
    case 0:
    case 1:
    case 2:
        check_settings (data[0] % 8, in);
        break;
    case 3:
        check_rows (in);
        break;
    case 4:
        check_kept (in);
        break;
    case 5:
        check_started (in);
        break;
    default:
        check_erased (in);
    }
    return 0;
}
