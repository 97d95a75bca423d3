/* outcome.c - what a repeat gets: the first outcome of an idempotency key, or of an envelope id.
 *
 * Keyed asks have a record under SHA-256 of (dialect, scope, route, key) for 24 hours (keyed.c); other writing asks have one under their
 * envelope id for a minute, so that the edge may repeat after replica_lost. Records are written in the savepoint of the handler whose
 * outcome they tell, or in its place when it failed. Answers that show a secret are sealed. */
#include <stdlib.h>
#include <string.h>

#include "svc/inner.h"

static const char *const purpose = "svc.outcome";

/* Half of a key would be the key of others: without memory there is none. */
static int idem_key (arena_t *arena, const idempotency_t *idem, uint8_t out[32])
{
    buf_t text = buf_in (arena);
    buf_add_str (&text, idem->dialect ? idem->dialect : "");
    buf_add_byte (&text, 0);
    buf_add (&text, idem->scope.b, sizeof idem->scope.b);
    buf_add_str (&text, idem->route ? idem->route : "");
    buf_add_byte (&text, 0);
    buf_add_str (&text, idem->key ? idem->key : "");
    if (buf_failed (&text))
        return E_NO_MEMORY;
    sign_sha256 (buf_bytes (&text), out);
    return 0;
}

/* Looked up and stored in one turn: hashed once. */
static int idem_key_of (turn_t *t, const envelope_t *header, uint8_t out[32])
{
    turn_inner_t *inner = t->inner;
    int rc = inner->hashed == header ? 0 : idem_key (t->arena, &header->idem, inner->idem_hash);
    if (rc)
        return rc;
    inner->hashed = header;
    memcpy (out, inner->idem_hash, sizeof inner->idem_hash);
    return 0;
}

bool idem_is_keyed (const schema_op_t *op, const envelope_t *header)
{
    return (op->flags & OP_KEYED) && header->idem.key && *header->idem.key;
}

bool idem_keeps (const idempotency_t *idem, int code)
{
    if (idem->forgets && code > 0 && code < IDEM_FORGETS)
        return !(idem->forgets[code / 8] >> code % 8 & 1);
    switch (error_class (code)) {
    case EC_INTERNAL:
    case EC_UNAVAILABLE:
    case EC_AUTH:
    case EC_LIMITED:
    case EC_SIGNAL:
        return false;
    default:
        return true;
    }
}

/* ---- rows ---- */

int kept_write (svc_t *svc, const schema_op_t *op, id16_t owner, const kept_t *in, buf_t *out)
{
    buf_t told = {0};
    if (in->state == KEPT_FAILED)
        envelope_failure_write (&in->failure, &told);
    bool sealed = op->secret_answer && in->state == KEPT_DONE;
    if (sealed && !svc->keyring)
        return E_INTERNAL; /* a clear secret never reaches the disk */
    if (sealed)
        keyring_seal (svc->keyring, owner, purpose, in->answer, &told);
    mp_array (out, 7);
    mp_int (out, in->state);
    mp_bin (out, in->fingerprint, sizeof in->fingerprint);
    mp_id (out, in->ask);
    mp_int (out, in->at);
    mp_str (out, in->request_id);
    mp_bool (out, sealed);
    bytes_t rest = in->state == KEPT_DONE && !sealed ? in->answer : buf_bytes (&told);
    mp_bin (out, rest.data, rest.size);
    int rc = buf_failed (out) || buf_failed (&told) ? E_NO_MEMORY : 0;
    buf_free (&told);
    return rc;
}

int kept_read (svc_t *svc, id16_t owner, bytes_t packed, arena_t *arena, kept_t *out)
{
    mp_reader_t in = mp_read (packed);
    mp_read_array (&in);
    int64_t state = mp_read_int (&in);
    bytes_t print = mp_read_bin (&in);
    out->ask = mp_read_id (&in);
    out->at = mp_read_int (&in);
    bytes_t request = mp_read_nil (&in) ? (bytes_t){0} : mp_read_str (&in);
    bool sealed = mp_read_bool (&in);
    bytes_t rest = mp_read_bin (&in);
    if (in.failed || print.size != sizeof out->fingerprint || state < KEPT_RUNNING ||
        state > KEPT_FAILED)
        return E_CORRUPT;
    out->state = (kept_state_t) state;
    memcpy (out->fingerprint, print.data, print.size);
    out->request_id =
        request.size ? arena_strndup (arena, (const char *) request.data, request.size) : NULL;
    if (out->state == KEPT_FAILED)
        return envelope_failure_read (rest, &out->failure) ? E_CORRUPT : 0;
    if (!sealed) {
        out->answer = bytes_of (arena_memdup (arena, rest.data, rest.size), rest.size);
        return 0;
    }
    buf_t clear = buf_in (arena);
    if (!svc->keyring || keyring_open_sealed (svc->keyring, owner, purpose, rest, &clear))
        return E_CORRUPT;
    out->answer = buf_bytes (&clear);
    return 0;
}

/* ---- keeping ---- */

static id16_t half_of (const uint8_t key[32])
{
    id16_t id;
    memcpy (id.b, key, sizeof id.b);
    return id;
}

int outcome_keep (turn_t *t, const schema_op_t *op, const envelope_t *header, kept_state_t state,
                  bytes_t answer, const failure_t *failure)
{
    svc_t *svc = t->svc;
    bool keyed = idem_is_keyed (op, header);
    uint8_t key[32];
    int rc = keyed ? idem_key_of (t, header, key) : 0;
    if (rc || (!keyed && state == KEPT_RUNNING))
        return rc; /* the parked row itself tells */
    kept_t kept = {.state = state,
                   .ask = header->id,
                   .at = t->now,
                   .answer = answer,
                   .request_id =
                       header->idem.request_id ? header->idem.request_id : header->request_id};
    memcpy (kept.fingerprint, header->idem.fingerprint, sizeof kept.fingerprint);
    if (failure)
        kept.failure = *failure;
    buf_t row = {0};
    id16_t owner = keyed ? half_of (key) : header->id;
    if (keyed)
        buf_add (&row, key, sizeof key);
    rc = kept_write (svc, op, owner, &kept, &row);
    if (!rc && keyed)
        rc = keyed_put (&svc->writer.keyed, t->txn, buf_bytes (&row));
    else if (!rc)
        rc = turned_put (&svc->writer.repeat, t->txn, bytes_of (header->id.b, sizeof header->id.b),
                         buf_bytes (&row));
    buf_free (&row);
    return rc;
}

/* ---- finding ---- */

static void kept_tell (ask_t *ask, const kept_t *kept)
{
    ask->failed = kept->state == KEPT_FAILED;
    ask->failure = kept->failure;
    ask->answer = kept->answer;
}

static int keyed_find (turn_t *t, ask_t *ask)
{
    uint8_t key[32];
    bytes_t row;
    kept_t kept = {0};
    int rc = idem_key_of (t, &ask->header, key);
    if (!rc)
        rc = keyed_get (&t->svc->writer.keyed, t->txn, key, &row);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    rc = kept_read (t->svc, half_of (key), row, ask->arena, &kept);
    if (rc)
        return rc;
    if (kept.state != KEPT_RUNNING && t->now >= kept.at + IDEM_MS)
        return 0;
    if (!sign_equal (kept.fingerprint, ask->header.idem.fingerprint, sizeof kept.fingerprint))
        return fail (t, E_IDEMPOTENCY_MISMATCH, NULL, "%s", error_doc (E_IDEMPOTENCY_MISMATCH));
    if (kept.state == KEPT_RUNNING) {
        if (!parked_has (t, kept.ask)) {
            ask->parked = kept.ask;
            ask->twin = !id_equal (kept.ask, ask->header.id);
            ask->first_request_id = ask->twin ? kept.request_id : NULL;
            return E_PARKED;
        }
        return 0; /* what it waited for is gone: run it anew */
    }
    kept_tell (ask, &kept);
    ask->replayed = !id_equal (kept.ask, ask->header.id);
    ask->first_request_id = ask->replayed ? kept.request_id : NULL;
    return E_ALREADY_EXISTS;
}

int outcome_find (turn_t *t, ask_t *ask)
{
    if (idem_is_keyed (ask->op, &ask->header))
        return keyed_find (t, ask);
    bytes_t row;
    kept_t kept = {0};
    id16_t id = ask->header.id;
    if ((ask->op->flags & OP_PARKS) && parked_has (t, id) == 0) {
        ask->parked = id;
        return E_PARKED;
    }
    int rc = turned_get (&t->svc->writer.repeat, t->txn, bytes_of (id.b, sizeof id.b), &row);
    if (rc)
        return rc == E_NOT_FOUND ? 0 : rc;
    rc = kept_read (t->svc, id, row, ask->arena, &kept);
    if (rc)
        return rc;
    kept_tell (ask, &kept);
    return E_ALREADY_EXISTS;
}
