/* cmd_clock.c - `aviary clock +DURATION`: advance the test clock in all processes at once.
 *
 * Only where it was started for it: without DIR/run/clock it fails with EX_UNAVAILABLE. */
#include "cli.h"
#include "commands.h"

#include "base/clock.h"
#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cmd_clock (int argc, char **argv)
{
    const char *data = "./var";
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &data, 0, 0}};
    cli_form_t form = {
        .command = "clock",
        .about = "Advances the clock of a house started with --test-clock: +90s, +10m, +2h, +1d.",
        .options = options,
        .option_count = 1,
        .operands = "+DURATION",
        .operand_min = 1,
        .operand_max = 1,
    };
    int rc = cli_read (&form, argc, argv);
    if (rc >= 0)
        return rc;
    int64_t ms;
    const char *text = form.given.items[0];
    if (!text_read_duration (text + (*text == '+'), &ms) || ms <= 0)
        return cli_fail (EX_USAGE, "clock: '%s' is no duration; +10m is one", text);
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/run/clock", data);
    if (access (path, R_OK | W_OK))
        return cli_fail (EX_UNAVAILABLE,
                         "clock: %s is not there: start with `aviary up --test-clock`", path);
    rc = clock_advance (path, ms);
    if (rc)
        return cli_fail (EX_IOERR, "clock: %s: %s", path, strerror (-rc));
    return EX_OK;
}
