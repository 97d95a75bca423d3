/* kirim.c - the Kirim dialect: snake_case JSON, Crockford ids, request_id in every body, keys of organizations. */
#include "dialect/kirim.h"

#include "gen/kirim.h"

const dialect_t dialect_kirim = {
    .name = "kirim",
    .schema = &schema_kirim_dialect,
    .idempotency_header = "Idempotency-Key",
    .scope = SCOPE_ORG,
    .idempotency_wait_ms = 30000,
    .auth_scheme = "Bearer",
    .root = "/v1",
    .key_prefix = "kdv_",
    .digits_first = true,
    .id_forms = true,
    .own_request_ids = true,
    .org_buckets = true,
    .events = kirim_event_names,
    .id_read = kirim_id_read,
    .id_write = kirim_id_write,
    .request_id = kirim_request_id,
    .error_render = kirim_error_render,
    .event_render = kirim_event_render,
    .delivery = &kirim_delivery,
};
