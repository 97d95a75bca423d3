/* cmd_people.c - `aviary team ...` and `aviary user ...`: who conversations are assigned to, and the teams that numbers and labels belong to. */
#include "cli.h"
#include "client.h"
#include "commands.h"
#include "gen/accounts.h"
#include "spelling.h"
#include "verbs.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { TEAMS_MAX = CLI_LIST_MAX };

typedef struct people {
    const char *org_text, *name, *email;
    cli_list_t teams;
    bool json;
    verb_means_t means;
    id16_t org;
} people_t;

/* ---- telling ---- */

static cJSON *team_json (const accounts_team_t *team)
{
    char id[SPELLING_SIZE], org[SPELLING_SIZE];
    spelling_write_plain ("team", team->id, id);
    spelling_write_plain ("org", team->org, org);
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "id", id);
    cJSON_AddStringToObject (row, "organization_id", org);
    cJSON_AddStringToObject (row, "name", team->name ? team->name : "");
    return row;
}

static cJSON *user_json (const accounts_user_t *user)
{
    char id[SPELLING_SIZE], org[SPELLING_SIZE];
    const id16_t *teams = user->teams.items;
    spelling_write_plain ("usr", user->id, id);
    spelling_write_plain ("org", user->org, org);
    cJSON *row = cJSON_CreateObject ();
    cJSON_AddStringToObject (row, "id", id);
    cJSON_AddStringToObject (row, "organization_id", org);
    cJSON_AddStringToObject (row, "name", user->name ? user->name : "");
    cJSON_AddStringToObject (row, "email", user->email ? user->email : "");
    cJSON *list = cJSON_AddArrayToObject (row, "team_ids");
    for (size_t i = 0; i < user->teams.count; i++) {
        spelling_write_plain ("team", teams[i], id);
        cJSON_AddItemToArray (list, cJSON_CreateString (id));
    }
    return row;
}

/* One record: an object, or its id, name and what else there is. */
static void told (const people_t *self, cJSON *row)
{
    if (self->json) {
        json_print (row);
        return;
    }
    const cJSON *email = cJSON_GetObjectItem (row, "email");
    printf ("%-31s  %-24s  %s\n", cJSON_GetObjectItem (row, "id")->valuestring,
            cJSON_GetObjectItem (row, "name")->valuestring, email ? email->valuestring : "");
    cJSON_Delete (row);
}

static void told_all (const people_t *self, cJSON *rows)
{
    if (self->json) {
        json_print (rows);
        return;
    }
    for (cJSON *row = rows->child; row;) {
        cJSON *next = row->next;
        told (self, cJSON_DetachItemViaPointer (rows, row));
        row = next;
    }
    cJSON_Delete (rows);
}

/* ---- asking ---- */

static int ask (people_t *self, const char *op, const void *in, void *out, failure_t *failure)
{
    return client_ask (self->means.client, op, NULL, in, out, self->means.arena, VERB_ASK_MS,
                       failure);
}

static int id_read (const char *text, const char *field, id16_t *out, failure_t *failure)
{
    return !text || spelling_read (text, out)
               ? 0
               : failure_set (failure, E_NOT_FOUND, field, "'%s' is no id in any spelling", text);
}

static int teams_read (people_t *self, schema_list_t *out, failure_t *failure)
{
    id16_t *ids = arena_array_of (self->means.arena, id16_t, TEAMS_MAX);
    int rc = 0;
    for (size_t i = 0; i < self->teams.count && !rc; i++)
        rc = id_read (self->teams.items[i], "--team", &ids[i], failure);
    *out = (schema_list_t){ids, self->teams.count};
    return rc;
}

static int name_needed (const people_t *self, failure_t *failure)
{
    return self->name ? 0 : failure_set (failure, E_BAD_REQUEST, "--name", "--name NAME is needed");
}

static int team_create (void *context, const char *operand, failure_t *failure)
{
    people_t *self = context;
    (void) operand;
    accounts_team_create_in_t in = {.org = self->org, .name = self->name};
    accounts_team_t out = {0};
    int rc = name_needed (self, failure);
    if (!rc)
        rc = ask (self, "accounts.team_create", &in, &out, failure);
    if (!rc)
        told (self, team_json (&out));
    return rc;
}

static int team_list (void *context, const char *operand, failure_t *failure)
{
    people_t *self = context;
    (void) operand;
    accounts_team_list_in_t in = {.org = self->org};
    accounts_team_list_out_t out = {0};
    int rc = ask (self, "accounts.team_list", &in, &out, failure);
    cJSON *rows = cJSON_CreateArray ();
    for (size_t i = 0; !rc && i < out.teams.count; i++)
        cJSON_AddItemToArray (rows, team_json ((const accounts_team_t *) out.teams.items + i));
    if (rc)
        cJSON_Delete (rows);
    else
        told_all (self, rows);
    return rc;
}

static int deleted (const people_t *self, const char *id)
{
    printf (self->json ? "{\"deleted\": \"%s\"}\n" : "%s is deleted\n", id);
    return 0;
}

static int team_delete (void *context, const char *operand, failure_t *failure)
{
    people_t *self = context;
    accounts_team_delete_in_t in = {0};
    accounts_team_delete_out_t out = {0};
    int rc = id_read (operand, "", &in.id, failure);
    if (!rc)
        rc = ask (self, "accounts.team_delete", &in, &out, failure);
    return rc ? rc : deleted (self, operand);
}

static int user_create (void *context, const char *operand, failure_t *failure)
{
    people_t *self = context;
    (void) operand;
    accounts_user_create_in_t in = {.org = self->org, .name = self->name, .email = self->email};
    accounts_user_t out = {0};
    int rc = name_needed (self, failure);
    if (!rc && !self->email)
        rc = failure_set (failure, E_BAD_REQUEST, "--email", "--email ADDRESS is needed");
    if (!rc)
        rc = teams_read (self, &in.teams, failure);
    if (!rc)
        rc = ask (self, "accounts.user_create", &in, &out, failure);
    if (!rc)
        told (self, user_json (&out));
    return rc;
}

static int user_list (void *context, const char *operand, failure_t *failure)
{
    people_t *self = context;
    (void) operand;
    accounts_user_list_in_t in = {.org = self->org};
    accounts_user_list_out_t out = {0};
    int rc = ask (self, "accounts.user_list", &in, &out, failure);
    cJSON *rows = cJSON_CreateArray ();
    for (size_t i = 0; !rc && i < out.users.count; i++)
        cJSON_AddItemToArray (rows, user_json ((const accounts_user_t *) out.users.items + i));
    if (rc)
        cJSON_Delete (rows);
    else
        told_all (self, rows);
    return rc;
}

static int user_teams (void *context, const char *operand, failure_t *failure)
{
    people_t *self = context;
    accounts_user_teams_set_in_t in = {0};
    accounts_user_t out = {0};
    int rc = id_read (operand, "", &in.id, failure);
    if (!rc)
        rc = teams_read (self, &in.teams, failure);
    if (!rc)
        rc = ask (self, "accounts.user_teams_set", &in, &out, failure);
    if (!rc)
        told (self, user_json (&out));
    return rc;
}

static int user_delete (void *context, const char *operand, failure_t *failure)
{
    people_t *self = context;
    accounts_user_delete_in_t in = {0};
    accounts_user_delete_out_t out = {0};
    int rc = id_read (operand, "", &in.id, failure);
    if (!rc)
        rc = ask (self, "accounts.user_delete", &in, &out, failure);
    return rc ? rc : deleted (self, operand);
}

/* ---- the two commands ---- */

static int org_read (void *context, failure_t *failure)
{
    people_t *self = context;
    return id_read (self->org_text, "--org", &self->org, failure);
}

int cmd_team (int argc, char **argv)
{
    static const verb_t verbs[] = {{"create", 0, team_create, false},
                                   {"list", 0, team_list, false},
                                   {"delete", 1, team_delete, false}};
    people_t self = {.means.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.means.data, 0, 0},
        {"--org", "ID", "the organization (create: default the only one)", CLI_TEXT, &self.org_text,
         0, 0},
        {"--name", "NAME", "create: the team's", CLI_TEXT, &self.name, 0, 0},
        {"--json", NULL, "objects instead of lines", CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "team",
        .about =
            "Teams of an organization. Every number belongs to one (aviary number set), and so do its contacts, conversations and labels.\n"
            "An organization has a first team from the start; one that numbers or users belong to cannot be deleted.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "create | list | delete ID",
    };
    return verbs_main (
        &form, argc, argv,
        &(verbs_t){verbs, sizeof verbs / sizeof *verbs, &self.means, &self, org_read});
}

int cmd_user (int argc, char **argv)
{
    static const verb_t verbs[] = {{"create", 0, user_create, false},
                                   {"list", 0, user_list, false},
                                   {"teams", 1, user_teams, false},
                                   {"delete", 1, user_delete, false}};
    people_t self = {.means.data = "./var"};
    const cli_option_t options[] = {
        {"--data", "DIR", "the house's folder (default ./var)", CLI_TEXT, &self.means.data, 0, 0},
        {"--org", "ID", "the organization (create: default the only one)", CLI_TEXT, &self.org_text,
         0, 0},
        {"--name", "NAME", "create: the person's", CLI_TEXT, &self.name, 0, 0},
        {"--email", "ADDRESS", "create: theirs, once in an organization", CLI_TEXT, &self.email, 0,
         0},
        {"--team", "ID", "create, teams: of this team; may be repeated (default the first)",
         CLI_LIST, &self.teams, 0, 0},
        {"--json", NULL, "objects instead of lines", CLI_SWITCH, &self.json, 0, 0},
    };
    cli_form_t form = {
        .command = "user",
        .about =
            "People of an organization, to whom conversations are assigned by the id that is printed here. They do not sign in anywhere.",
        .options = options,
        .option_count = sizeof options / sizeof options[0],
        .operands = "create | list | teams ID | delete ID",
    };
    return verbs_main (
        &form, argc, argv,
        &(verbs_t){verbs, sizeof verbs / sizeof *verbs, &self.means, &self, org_read});
}
