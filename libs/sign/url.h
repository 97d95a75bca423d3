/* url.h - signed URLs that end: PATH?expires=UNIX-SECONDS&signature=HEX.
 *
 * The signature is HMAC-SHA256 over the path as sent and the time, under a key that the installation's keyring derives for the purpose ("media-url"): who has
 * the URL may read what it names, until then, and nothing else. Each signed URL has exactly one spelling. */
#ifndef AVIARY_SIGN_URL_H
#define AVIARY_SIGN_URL_H

#include "base/buf.h"
#include "base/err.h"
#include "sign/sign.h"

enum { SIGN_URL_SECONDS = 3600 /* how long media links hold (spec/chirp) */ };

/* Append path and query to *out. `path` begins with "/" and has no "?", "#", blank or control character ("/media/org_1/app_2/med_3.jpg"), percent-encoded where
 * needed; expires_s > 0. Fails through the buf. */
void sign_url (const uint8_t key[SIGN_KEY_SIZE], const char *path, int64_t expires_s, buf_t *out);

/* Check a request: `path` as sent (web_raw_path), `query` after the "?" (web_query). 0, or E_FORBIDDEN: no signature, not ours, for another path, or (only told
 * where the signature is right) over at now_s. Compares in constant time. */
int sign_url_verify (const uint8_t key[SIGN_KEY_SIZE], const char *path, const char *query,
                     int64_t now_s, failure_t *failure);

#endif
