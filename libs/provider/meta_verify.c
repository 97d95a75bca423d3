/* meta_verify.c - is this callback Meta's? Fails closed: what cannot be checked is refused, with the reason.
 *
 * GET is the handshake (hub.mode, hub.verify_token, hub.challenge), POST carries X-Hub-Signature-256: HMAC-SHA256 with the app secret over the body as it
 * came. Both secrets are compared in constant time. */
#include "provider/meta.h"

#include "base/text.h"

enum { CHALLENGE_MAX = 1024 };

static const char *map_get (const schema_map_t *map, const char *name)
{
    for (size_t i = 0; i < map->count; i++)
        if (map->pairs[i].key && strcmp (map->pairs[i].key, name) == 0)
            return map->pairs[i].value;
    return NULL;
}

/* Equal texts, without telling by time how much of them or how long they are. */
static bool equal_secrets (const char *a, const char *b)
{
    uint8_t x[SIGN_SHA256_SIZE], y[SIGN_SHA256_SIZE];
    sign_sha256 (bytes_of_str (a), x);
    sign_sha256 (bytes_of_str (b), y);
    return sign_equal (x, y, sizeof x);
}

static int refuse (provider_verdict_t *out, int status, const char *reason)
{
    *out = (provider_verdict_t){
        .status = status, .content_type = "text/plain", .answer = "", .reason = reason};
    return 0;
}

static int verify_handshake (turn_t *t, const provider_account_t *account,
                             const schema_map_t *query, provider_verdict_t *out)
{
    const char *mode = map_get (query, "hub.mode");
    const char *token = map_get (query, "hub.verify_token");
    const char *challenge = map_get (query, "hub.challenge");
    if (!account->verify_token || !*account->verify_token)
        return refuse (out, 403, "handshake, but the account has no verify token");
    if (!mode || strcmp (mode, "subscribe") != 0)
        return refuse (out, 403, "handshake with another hub.mode than subscribe");
    if (!token || !equal_secrets (token, account->verify_token))
        return refuse (out, 403, "handshake with a wrong hub.verify_token");
    if (!challenge || !*challenge || strlen (challenge) > CHALLENGE_MAX)
        return refuse (out, 403, "handshake without a proper hub.challenge");
    const char *answer = arena_strdup (t->arena, challenge);
    if (!answer)
        return fail (t, E_NO_MEMORY, NULL, "No memory for a handshake");
    *out = (provider_verdict_t){.status = 200, .content_type = "text/plain", .answer = answer};
    return 0;
}

static int verify_event (const provider_account_t *account, const provider_callback_t *callback,
                         provider_verdict_t *out)
{
    static const char prefix[] = "sha256=";
    uint8_t said[SIGN_SHA256_SIZE], right[SIGN_SHA256_SIZE];
    const char *header = map_get (&callback->headers, "x-hub-signature-256");
    if (!account->app_secret || !*account->app_secret)
        return refuse (out, 401, "the account has no app secret");
    if (!header)
        return refuse (out, 401, "no X-Hub-Signature-256");
    size_t length = strlen (header);
    if (length != sizeof prefix - 1 + 2 * sizeof said ||
        strncmp (header, prefix, sizeof prefix - 1) != 0 ||
        text_read_hex (header + sizeof prefix - 1, 2 * sizeof said, said, sizeof said) !=
            (long) sizeof said)
        return refuse (out, 401, "X-Hub-Signature-256 is not sha256= and 64 hex digits");
    sign_hmac_sha256 (bytes_of_str (account->app_secret), callback->body, right);
    if (!sign_equal (said, right, sizeof said))
        return refuse (out, 401, "X-Hub-Signature-256 does not match the body");
    *out = (provider_verdict_t){
        .status = 200, .content_type = "text/plain", .answer = "", .take = true};
    return 0;
}

int meta_verify (turn_t *t, const provider_account_t *account, const provider_callback_t *callback,
                 provider_verdict_t *out)
{
    if (callback->method && strcmp (callback->method, "GET") == 0)
        return verify_handshake (t, account, &callback->query, out);
    if (callback->method && strcmp (callback->method, "POST") == 0)
        return verify_event (account, callback, out);
    return refuse (out, 405, "neither GET nor POST");
}
