/* chirp.c - the Chirp dialect: camelCase JSON, KSUID ids, one error envelope (the project's notes on Chirp hold the facts). */
#include "dialect/chirp.h"

#include "gen/chirp.h"

const dialect_t dialect_chirp = {
    .name = "chirp",
    .schema = &schema_chirp_dialect,
    .idempotency_header = "Idempotency-Key",
    .scope = SCOPE_KEY,
    .auth_scheme = "Bearer",
    .root = "/v1",
    .events = chirp_event_names,
    .id_read = chirp_id_read,
    .id_write = chirp_id_write,
    .request_id = chirp_request_id,
    .error_render = chirp_error_render,
    .event_render = chirp_event_render,
    .delivery = &chirp_delivery,
};
