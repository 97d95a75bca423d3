/* rules.c - see rules.h. How it fails: a rule with an unknown or unsound member is not added. */
#include "rules.h"
#include "alloc.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *provider_name (provider_t provider)
{
    static const char *const names[] = {"", "meta", "telnyx", "sim"};
    return names[provider];
}

provider_t provider_read (const char *name)
{
    if (name != NULL && strcmp (name, "meta") == 0)
        return PROVIDER_META;
    return name != NULL && strcmp (name, "telnyx") == 0 ? PROVIDER_TELNYX : PROVIDER_NONE;
}

void rules_init (rules_t *self)
{
    memset (self, 0, sizeof *self);
    self->last = &self->first;
}

void rules_clear (rules_t *self)
{
    int64_t last_id = self->last_id;
    while (self->first != NULL) {
        rule_t *rule = self->first;
        self->first = rule->next;
        free (rule);
    }
    rules_init (self);
    self->last_id = last_id;
}

static bool wrong (char *error, size_t size, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

static bool wrong (char *error, size_t size, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (error, size, format, args);
    va_end (args);
    return false;
}

/* ---- reading ---- */

typedef enum member_kind {
    MEMBER_STATUS,
    MEMBER_CODE,
    MEMBER_FAIL_CODE,
    MEMBER_DELAY,
    MEMBER_DROP,
    MEMBER_NO_CALLBACKS,
    MEMBER_DUPLICATE,
    MEMBER_REORDER
} member_kind_t;

static const struct {
    const char *name;
    member_kind_t kind;
} action_members[] = {
    {"status", MEMBER_STATUS},
    {"error_code", MEMBER_CODE},
    {"delay_ms", MEMBER_DELAY},
    {"drop_answer", MEMBER_DROP},
    {"no_callbacks", MEMBER_NO_CALLBACKS},
    {"duplicate_callbacks", MEMBER_DUPLICATE},
    {"reorder_callbacks", MEMBER_REORDER},
    {"fail_with_code", MEMBER_FAIL_CODE},
};

/* A whole number from `least` to `most`. */
static bool whole_read (const cJSON *value, double least, double most, int64_t *out)
{
    if (!cJSON_IsNumber (value) || value->valuedouble < least || value->valuedouble > most ||
        value->valuedouble != (double) (int64_t) value->valuedouble)
        return false;
    *out = (int64_t) value->valuedouble;
    return true;
}

/* A code is digits, given as number or text. */
static bool code_read (const cJSON *value, char out[RULE_CODE_SIZE])
{
    int64_t number;
    if (whole_read (value, 0, 1e12, &number)) {
        snprintf (out, RULE_CODE_SIZE, "%lld", (long long) number);
        return true;
    }
    const char *text = cJSON_GetStringValue (value);
    if (text == NULL || *text == '\0' || strlen (text) >= RULE_CODE_SIZE ||
        text[strspn (text, "0123456789")] != '\0')
        return false;
    strcpy (out, text);
    return true;
}

static bool flag_read (const cJSON *value, bool *out)
{
    *out = cJSON_IsTrue (value);
    return cJSON_IsBool (value);
}

static bool action_member_read (member_kind_t kind, const cJSON *value, rule_action_t *out)
{
    int64_t number = 0;
    bool flag = false, fits = false;
    switch (kind) {
    case MEMBER_STATUS:
        fits = whole_read (value, 200, 599, &number);
        out->status = (int) number;
        return fits;
    case MEMBER_CODE:
        return code_read (value, out->error_code);
    case MEMBER_FAIL_CODE:
        return code_read (value, out->fail_with_code);
    case MEMBER_DELAY:
        return whole_read (value, 0, 600000, &out->delay_ms);
    case MEMBER_DROP:
        return flag_read (value, &out->drop_answer);
    case MEMBER_NO_CALLBACKS:
        return flag_read (value, &out->no_callbacks);
    case MEMBER_REORDER:
        return flag_read (value, &out->reorder_callbacks);
    case MEMBER_DUPLICATE:
        fits = flag_read (value, &flag) || whole_read (value, 0, 10, &number);
        out->duplicate_callbacks = flag ? 1 : (unsigned) number;
        return fits;
    }
    return false;
}

static bool action_read (const cJSON *in, rule_action_t *out, char *error, size_t size)
{
    if (!cJSON_IsObject (in) || in->child == NULL)
        return wrong (error, size, "action: must be an object that says what happens");
    const cJSON *member;
    cJSON_ArrayForEach (member, in)
    {
        size_t count = sizeof action_members / sizeof action_members[0], i = 0;
        while (i < count && strcmp (action_members[i].name, member->string) != 0)
            i++;
        if (i == count)
            return wrong (error, size, "action.%.64s: there is no such field", member->string);
        if (!action_member_read (action_members[i].kind, member, out))
            return wrong (error, size, "action.%s: is not a value of this field", member->string);
    }
    return true;
}

static bool text_read (const cJSON *in, const char *name, char out[RULE_TEXT_SIZE], char *error,
                       size_t size)
{
    const cJSON *value = json_get (in, name);
    if (value == NULL)
        return true;
    const char *text = cJSON_GetStringValue (value);
    if (text == NULL || *text == '\0' || strlen (text) >= RULE_TEXT_SIZE)
        return wrong (error, size, "%s: must be a text of 1 to %d characters", name,
                      RULE_TEXT_SIZE - 1);
    strcpy (out, text);
    return true;
}

static bool rule_read (const cJSON *in, rule_t *out, char *error, size_t size)
{
    if (!cJSON_IsObject (in))
        return wrong (error, size, "body: must be a JSON object");
    const cJSON *unknown = json_unknown (in, "provider path to times action");
    if (unknown != NULL)
        return wrong (error, size, "%.64s: there is no such field", unknown->string);
    const cJSON *provider = json_get (in, "provider"), *times = json_get (in, "times");
    out->provider = provider_read (cJSON_GetStringValue (provider));
    if (provider != NULL && out->provider == PROVIDER_NONE)
        return wrong (error, size, "provider: must be meta or telnyx");
    if (times != NULL && !whole_read (times, 1, 1e9, &out->times))
        return wrong (error, size, "times: must be a whole number from 1");
    return text_read (in, "path", out->path, error, size) &&
           text_read (in, "to", out->to, error, size) &&
           action_read (json_get (in, "action"), &out->action, error, size);
}

const rule_t *rules_add (rules_t *self, const cJSON *in, char *error, size_t size)
{
    rule_t *rule = must_alloc (sizeof *rule);
    bool sound = self->count < RULES_MAX ? rule_read (in, rule, error, size)
                                         : wrong (error, size, "there are %d rules", RULES_MAX);
    if (!sound) {
        free (rule);
        return NULL;
    }
    rule->id = ++self->last_id;
    *self->last = rule;
    self->last = &rule->next;
    self->count++;
    return rule;
}

bool rules_drop (rules_t *self, int64_t id)
{
    for (rule_t **slot = &self->first; *slot != NULL; slot = &(*slot)->next) {
        rule_t *rule = *slot;
        if (rule->id != id)
            continue;
        *slot = rule->next;
        if (rule->next == NULL)
            self->last = slot;
        self->count--;
        free (rule);
        return true;
    }
    return false;
}

/* ---- matching ---- */

bool rule_refuses (const rule_action_t *action)
{
    return action->status >= 300 || (action->status == 0 && action->error_code[0] != '\0');
}

/* What only happens after a send was taken, so that it says nothing about other requests. */
static bool action_is_of_sends (const rule_action_t *action)
{
    bool of_callbacks = action->no_callbacks || action->duplicate_callbacks > 0 ||
                        action->reorder_callbacks || action->fail_with_code[0] != '\0';
    return of_callbacks && !rule_refuses (action) && action->status == 0 && action->delay_ms == 0 &&
           !action->drop_answer;
}

bool rule_to_matches (const char *pattern, const char *digits)
{
    char plain[RULE_TEXT_SIZE];
    size_t size = 0;
    bool is_number = pattern[strspn (pattern, "+0123456789*()-. ")] == '\0';
    for (const char *at = pattern; *at != '\0' && size < sizeof plain - 1; at++)
        if (!is_number || strchr ("0123456789*", *at) != NULL)
            plain[size++] = *at;
    plain[size] = '\0';
    return fnmatch (plain, digits, 0) == 0;
}

static bool path_matches (const char *pattern, const char *path)
{
    if (strchr (pattern, '*') != NULL)
        return fnmatch (pattern, path, 0) == 0;
    return strstr (path, pattern) != NULL;
}

static bool rule_matches (const rule_t *self, const rule_subject_t *subject)
{
    if (self->times > 0 && self->matches >= self->times)
        return false;
    if (self->provider != PROVIDER_NONE && self->provider != subject->provider)
        return false;
    if (self->path[0] != '\0' && !path_matches (self->path, subject->path))
        return false;
    if (subject->to_count == 0 && action_is_of_sends (&self->action))
        return false;
    if (self->to[0] == '\0')
        return true;
    for (size_t i = 0; i < subject->to_count; i++)
        if (rule_to_matches (self->to, subject->to[i]))
            return true;
    return false;
}

const rule_t *rules_match (rules_t *self, const rule_subject_t *subject)
{
    for (rule_t *rule = self->first; rule != NULL; rule = rule->next)
        if (rule_matches (rule, subject)) {
            rule->matches++;
            return rule;
        }
    return NULL;
}

/* ---- showing ---- */

static void code_show (cJSON *out, const char *name, const char *code)
{
    if (code[0] != '\0')
        json_add_number (out, name, (double) strtoll (code, NULL, 10));
}

static cJSON *action_show (const rule_action_t *action)
{
    cJSON *out = cJSON_CreateObject ();
    if (action->status != 0)
        json_add_number (out, "status", action->status);
    code_show (out, "error_code", action->error_code);
    if (action->delay_ms != 0)
        json_add_number (out, "delay_ms", (double) action->delay_ms);
    if (action->drop_answer)
        json_add_bool (out, "drop_answer", true);
    if (action->no_callbacks)
        json_add_bool (out, "no_callbacks", true);
    if (action->duplicate_callbacks == 1)
        json_add_bool (out, "duplicate_callbacks", true);
    else if (action->duplicate_callbacks > 1)
        json_add_number (out, "duplicate_callbacks", action->duplicate_callbacks);
    if (action->reorder_callbacks)
        json_add_bool (out, "reorder_callbacks", true);
    code_show (out, "fail_with_code", action->fail_with_code);
    return out;
}

cJSON *rule_show (const rule_t *self)
{
    cJSON *out = cJSON_CreateObject ();
    json_add_number (out, "id", (double) self->id);
    if (self->provider != PROVIDER_NONE)
        json_add_text (out, "provider", provider_name (self->provider));
    if (self->path[0] != '\0')
        json_add_text (out, "path", self->path);
    if (self->to[0] != '\0')
        json_add_text (out, "to", self->to);
    if (self->times > 0)
        json_add_number (out, "times", (double) self->times);
    json_add_number (out, "matches", (double) self->matches);
    json_add (out, "action", action_show (&self->action));
    return out;
}

cJSON *rules_show (const rules_t *self)
{
    cJSON *out = cJSON_CreateArray ();
    for (const rule_t *rule = self->first; rule != NULL; rule = rule->next)
        cJSON_AddItemToArray (out, rule_show (rule));
    return out;
}
