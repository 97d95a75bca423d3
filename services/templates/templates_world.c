/* templates_world.c - see templates_world.h. */
#include "templates_world.h"

const id16_t world_org = {{1}};
const id16_t world_account = {{21}};

accounts_carrier_changed_t world_carrier (optest_t *test, const char *waba, bool deleted)
{
    accounts_carrier_secrets_t secrets = {.token = "token"};
    buf_t clear = buf_in (optest_arena (test)), sealed = buf_in (optest_arena (test));
    schema_pack (&accounts_carrier_secrets_type, &secrets, &clear);
    keyring_seal (optest_keyring (test), world_account, "carrier account", buf_bytes (&clear),
                  &sealed);
    return (accounts_carrier_changed_t){.id = world_account,
                                        .org = world_org,
                                        .carrier = ACCOUNTS_CARRIER_META,
                                        .name = "main",
                                        .base_url = "https://carrier.example/v23.0",
                                        .waba = waba,
                                        .sealed = buf_bytes (&sealed),
                                        .deleted = deleted};
}

int world_carrier_tell (optest_t *test, uint64_t version, const char *waba, bool deleted)
{
    accounts_carrier_changed_t body = world_carrier (test, waba, deleted);
    event_about_t about = {.record = world_account, .version = version, .org = world_org};
    return optest_follow (test, &accounts_carrier_changed_event, &about, &body, NULL);
}
