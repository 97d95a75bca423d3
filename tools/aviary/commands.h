/* commands.h - the entry points of all subcommands; main.c has the table. */
#ifndef AVIARY_COMMANDS_H
#define AVIARY_COMMANDS_H

int cmd_up (int argc, char **argv);
int cmd_status (int argc, char **argv);
int cmd_watch (int argc, char **argv);
int cmd_clock (int argc, char **argv);
int cmd_doctor (int argc, char **argv);
int cmd_send (int argc, char **argv);
int cmd_trigger (int argc, char **argv);
int cmd_listen (int argc, char **argv);
int cmd_explain (int argc, char **argv);
int cmd_tap (int argc, char **argv);
int cmd_deliveries (int argc, char **argv);
int cmd_webhook (int argc, char **argv);
int cmd_key (int argc, char **argv);
int cmd_app (int argc, char **argv);
int cmd_org (int argc, char **argv);
int cmd_team (int argc, char **argv);
int cmd_user (int argc, char **argv);
int cmd_carrier (int argc, char **argv);
int cmd_number (int argc, char **argv);
int cmd_messages (int argc, char **argv);
int cmd_optout (int argc, char **argv);
int cmd_templates (int argc, char **argv);
int cmd_errors (int argc, char **argv);
int cmd_backup (int argc, char **argv);
int cmd_restore (int argc, char **argv);
int cmd_resume (int argc, char **argv);
int cmd_jobs (int argc, char **argv);
int cmd_compact (int argc, char **argv);
int cmd_bootstrap (int argc, char **argv);
int cmd_health (int argc, char **argv);
int cmd_demo (int argc, char **argv);

#endif
