/* tool_fuzz.c - libFuzzer target: what the command line reads: requests to its listener, deliveries, recordings and messages of the tap, files of a house, backups, flags and addresses;
 * and the broker's flags and environment. First byte: which; the rest: the bytes.
 *
 * What is read lies within what came; what is shown on a terminal has no control characters; a recording that is taken becomes JSON; a backup that nobody made is no backup. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "copying.h"
#include "port.h"
#include "run_file.h"
#include "settings.h"
#include "spelling.h"
#include "tap_replay.h"
#include "tap_view.h"
#include "webhook.h"
#include "fuzz.h"

#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { WORDS_MAX = 16 };

static char folder[] = "/dev/shm/fuzz-tool-XXXXXX";
static const char *const files[] = {
    "run/supervisor.json", "credentials.json", "manifest.json", "media.sums", "run", ""};

static const char *inside (const char *name, char out[128])
{
    snprintf (out, 128, "%s/%s", folder, name);
    return out;
}

static void folder_remove (void)
{
    char path[128];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        (void) remove (inside (files[i], path));
}

/* The tool's messages would drown the fuzzer's; sanitizers write to the descriptor itself. */
int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    char path[128];
    (void) argc;
    (void) argv;
    must (mkdtemp (folder) != NULL && atexit (folder_remove) == 0);
    must (mkdir (inside ("run", path), 0700) == 0);
    return 0;
}

static void file_put (const char *name, bytes_t text)
{
    char path[128];
    FILE *file = fopen (inside (name, path), "w");
    must (file != NULL);
    must (text.size == 0 || fwrite (text.data, 1, text.size, file) == text.size);
    must (fclose (file) == 0);
}

/* ---- the listener ---- */

static void check_within (bytes_t part, bytes_t whole)
{
    must (part.size == 0 ||
          (part.data >= whole.data && part.data + part.size <= whole.data + whole.size));
}

static void check_plain (const char *text, size_t capacity)
{
    must (strlen (text) < capacity);
    for (; *text; text++)
        must ((unsigned char) *text >= ' ' && *text != 127);
}

static void check_hook (bytes_t in)
{
    hook_t hook = {0};
    char value[40], why[WEBHOOK_TEXT];
    webhook_told_t told;
    long used = hook_read (in, &hook);
    must (used >= -1 && used <= (long) in.size);
    if (used > 0) {
        must (hook.method.size && hook.path.size);
        check_within (hook.method, in);
        check_within (hook.path, in);
        check_within (hook.headers, in);
        check_within (hook.body, in);
        must (hook_header (&hook, "webhook-id", value, sizeof value) || !value[0]);
        must (!webhook_check (&hook, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                              1760000000000, why) &&
              why[0]);
    }
    webhook_read (used > 0 ? hook.body : in, &told);
    check_plain (told.event, sizeof told.event);
    check_plain (told.id, sizeof told.id);
    check_plain (told.from, sizeof told.from);
    check_plain (told.to, sizeof told.to);
    check_plain (told.text, sizeof told.text);
}

/* ---- the tap ---- */

static void check_recording (bytes_t in)
{
    const char *path = NULL;
    buf_t body = {0}, packed = {0};
    failure_t failure = {0};
    int code = tap_request (in, &path, &body, &failure);
    must (code == failure.code && (code == 0) == (path != NULL));
    must (code || schema_any_read (buf_bytes (&body), &packed, NULL) == 0);
    buf_free (&body);
    buf_free (&packed);
}

/* The broker tells the tap only what it routed, and says itself who sent it. */
static bool is_routed (const envelope_t *envelope)
{
    envelope_target_t target;
    return envelope_target_read (bytes_of_str (envelope->target), &target) &&
           (!*envelope->sender || envelope_name_is (bytes_of_str (envelope->sender)));
}

/* The header's length in two bytes, the header, the body: as it passed on the bus. */
static void check_tapped (bytes_t in)
{
    tap_message_t message = {.meta = {.time_ms = 1760000000000}};
    static tap_filter_t filter;
    failure_t failure;
    arena_t *arena = arena_new (16 << 20);
    size_t length = in.size < 2 ? in.size : (size_t) in.data[0] << 8 | in.data[1];
    if (arena && in.size >= 2 && length <= in.size - 2 &&
        envelope_read (bytes_of (in.data + 2, length), arena, &message.envelope, &failure) == 0 &&
        is_routed (&message.envelope)) {
        buf_t line = {0}, json = {0}, packed = {0};
        message.target = message.envelope.target;
        message.body = bytes_of (in.data + 2 + length, in.size - 2 - length);
        filter.subject = in.size & 1 ? "+14155550142" : NULL;
        (void) tap_wanted (&filter, &message);
        for (int reveal = 0; reveal < 2; reveal++) {
            buf_clear (&line);
            buf_clear (&json);
            buf_clear (&packed);
            tap_json (&message, reveal, &json);
            must (schema_any_read (buf_bytes (&json), &packed, &failure) == 0 ||
                  strstr (failure.text, "nested too deeply") ||
                  strstr (failure.text, "given twice"));
            tap_line (&message, reveal, &line);
            for (size_t i = 0; i < line.size; i++)
                must (line.data[i] >= ' ');
        }
        buf_free (&line);
        buf_free (&json);
        buf_free (&packed);
    }
    arena_destroy (&arena);
}

/* ---- files of a house ---- */

static void check_house (bytes_t in)
{
    run_list_t list;
    credentials_t credentials;
    failure_t failure = {0};
    arena_t *arena = arena_new (8 << 20);
    must (arena != NULL);
    file_put ("run/supervisor.json", in);
    int rc = run_list_read (folder, &list);
    must (list.count <= RUN_LIST_MAX && (rc == 0 || list.supervisor == 0));
    for (size_t i = 0; i < list.count; i++)
        must (strlen (list.entries[i].service) < sizeof list.entries[i].service);
    file_put ("credentials.json", in);
    int code = credentials_read (folder, arena, &credentials, &failure);
    must (code == failure.code);
    must (code || (credentials.base_url && credentials.test_key && credentials.admin_key));
    arena_destroy (&arena);
}

/* The manifest, a zero byte, the sums of media. */
static void check_backup (bytes_t in)
{
    char path[128], target[160],
        *argv[] = {(char *) "restore", (char *) "--from", folder, (char *) "--data", target, NULL};
    bytes_t manifest = cut (&in, 0);
    snprintf (target, sizeof target, "%s/new", folder);
    file_put ("manifest.json", manifest);
    file_put (media_sums, in);
    must (cmd_restore (5, argv) != EX_OK);
    must (access (inside ("new", path), F_OK) != 0);
}

/* ---- words ---- */

static size_t words_of (bytes_t in, char **out)
{
    size_t count = 0;
    for (; in.size && count < WORDS_MAX; count++)
        out[count] = text_of (cut (&in, '\n'));
    return count;
}

static void check_flags (char **words, size_t count)
{
    char *argv[WORDS_MAX + 2] = {(char *) "x"};
    const char *text = NULL;
    bool flag = false;
    int64_t number = 5, wait = 5;
    cli_list_t list = {0};
    const cli_option_t options[] = {{"--data", "DIR", "", CLI_TEXT, (void *) &text, 0, 0},
                                    {"--json", NULL, "", CLI_SWITCH, &flag, 0, 0},
                                    {"--count", "N", "", CLI_NUMBER, &number, 1, 100},
                                    {"--wait", "MS", "", CLI_MILLIS, &wait, 0, 60000},
                                    {"--to", "NUMBER", "", CLI_LIST, &list, 0, 0}};
    cli_form_t form = {.command = "fuzz",
                       .about = "",
                       .options = options,
                       .option_count = sizeof options / sizeof *options,
                       .operands = "[X...]",
                       .operand_max = 3};
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = words[i];
    int code = cli_read (&form, (int) count + 1, argv);
    must (code == -1 || code == EX_OK || code == EX_USAGE);
    must (number >= 1 && number <= 100 && wait >= 0 && wait <= 60000);
    must (form.given.count <= 3 && list.count <= CLI_LIST_MAX);
}

static void check_broker (char **words, size_t count)
{
    char *argv[WORDS_MAX + 2] = {(char *) "x"}, *nothing[] = {NULL}, **was = environ;
    broker_settings_t settings;
    settings_action_t action;
    environ = nothing;
    for (size_t i = 0; i < count; i++)
        argv[i + 1] = words[i];
    int code = settings_read ((int) count + 1, argv, &settings, &action);
    must (code == 0 || code == EX_USAGE);
    words[count] = NULL;
    environ = words;
    code = settings_read (1, argv, &settings, &action);
    must (code == 0 || code == EX_USAGE);
    environ = was;
}

static void check_words (bytes_t in)
{
    char *words[WORDS_MAX + 1] = {NULL}, host[64];
    uint16_t port = 0;
    id16_t id;
    buf_t masked = {0};
    size_t count = words_of (in, words);
    if (count && port_read (words[0], host, sizeof host, &port))
        must (port > 0 && strspn (host, "0123456789.") == strlen (host));
    if (count && spelling_read (words[0], &id))
        must (id_is_v7 (id));
    if (count) {
        spelling_mask (words[0], &masked);
        must (masked.size == strlen (words[0]));
    }
    buf_free (&masked);
    check_flags (words, count);
    check_broker (words, count);
    for (size_t i = 0; i < count; i++)
        free (words[i]);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static void (*const checks[]) (bytes_t in) = {check_hook,  check_recording, check_tapped,
                                                  check_house, check_backup,    check_words};
    if (size == 0 || size > 1 << 16)
        return 0;
    FILE *was_out = stdout, *was_err = stderr, *null = fopen ("/dev/null", "w");
    must (null != NULL);
    stdout = stderr = null;
    checks[data[0] % (sizeof checks / sizeof *checks)](bytes_of (data + 1, size - 1));
    stdout = was_out;
    stderr = was_err;
    fclose (null);
    return 0;
}
