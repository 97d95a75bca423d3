/* settings.h - the broker's settings, from AVIARY_BROKER_NAME in the environment and from flags, the latter winning. Names, defaults
 * and limits are those of schemas/broker.toml. */
#ifndef AVIARY_BROKER_SETTINGS_H
#define AVIARY_BROKER_SETTINGS_H

#include "gen/broker.h"

typedef enum settings_action { SETTINGS_RUN, SETTINGS_CHECK, SETTINGS_SHOWN } settings_action_t;

/* Strings borrow from argv and the environment. 0, or EX_USAGE with the reason on stderr. --help and --version are answered here. */
int settings_read (int argc, char **argv, broker_settings_t *out, settings_action_t *action);

#endif
