/* sim_fuzz.c - libFuzzer target: what the simulated carriers read beside HTTP itself: JSON of requests, rules of faults, lists of fields, texts to be cut into parts. First byte: which; the
 * rest: the bytes, for rules and fields with a first line of their own.
 *
 * JSON that is taken is written as JSON that is taken and says the same; a rule that is taken can be shown and matched. */
#include "json.h"
#include "rules.h"
#include "segments.h"
#include "fuzz.h"

static void check_json (bytes_t in)
{
    cJSON *read = json_parse (in);
    if (!read)
        return;
    char *plain = json_print (read), *ascii = json_print_ascii (read);
    cJSON *again = json_parse (bytes_of_str (plain)), *other = json_parse (bytes_of_str (ascii));
    must (again && other);
    char *twice = json_print (again);
    must (strcmp (plain, twice) == 0);
    for (const char *at = ascii; *at; at++)
        must (*at > 0);
    if (cJSON_IsObject (read))
        (void) json_unknown (read, "a to type");
    (void) json_at (read, "a.b.c");
    free (plain);
    free (ascii);
    free (twice);
    cJSON_Delete (read);
    cJSON_Delete (again);
    cJSON_Delete (other);
}

/* The recipient, then the rule. */
static void check_rule (bytes_t in)
{
    char error[200] = "";
    char *to = text_of (cut (&in, '\n'));
    cJSON *json = json_parse (in);
    rules_t rules;
    rules_init (&rules);
    const rule_t *rule = json ? rules_add (&rules, json, error, sizeof error) : NULL;
    must (!json || (rule != NULL) == (error[0] == 0));
    if (rule) {
        const rule_subject_t subject = {
            .provider = PROVIDER_META, .path = "/v23.0/1/messages", .to = &to, .to_count = 1};
        cJSON *shown = rules_show (&rules);
        must (shown && rules.count == 1 && rule->times >= 0 && rule->action.delay_ms >= 0);
        cJSON_Delete (shown);
        const rule_t *match = rules_match (&rules, &subject);
        must (!match || (match == rule && rule->matches == 1));
        must (rules_drop (&rules, rule->id) && rules.count == 0);
    }
    rules_clear (&rules);
    cJSON_Delete (json);
    free (to);
}

/* The fields, then the object. */
static void check_fields (bytes_t in)
{
    char *fields = text_of (cut (&in, '\n'));
    cJSON *json = json_parse (in);
    (void) word_in (fields, "id");
    if (cJSON_IsObject (json)) {
        cJSON *some = json_fields (json, fields);
        must (some && cJSON_GetArraySize (some) <= cJSON_GetArraySize (json));
        cJSON_Delete (some);
    }
    cJSON_Delete (json);
    free (fields);
}

static void check_segments (bytes_t in)
{
    char *text = text_of (in);
    segments_t narrow = segments_of (text, false), wide = segments_of (text, true);
    must (narrow.parts >= 1 && wide.ucs2 && wide.parts >= 1);
    must (narrow.units <= 2 * strlen (text) && wide.units <= strlen (text));
    must (narrow.ucs2 ? narrow.units == wide.units : narrow.units >= wide.units);
    free (text);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static void (*const checks[]) (bytes_t in) = {check_json, check_rule, check_fields,
                                                  check_segments};
    if (size > 0 && size <= 1 << 16)
        checks[data[0] % (sizeof checks / sizeof *checks)](bytes_of (data + 1, size - 1));
    return 0;
}
