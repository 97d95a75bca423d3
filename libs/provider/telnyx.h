/* telnyx.h - what the parts of Telnyx's adapter share: telnyx.c talks to it, telnyx_callback.c listens, telnyx_numbers.c buys. */
#ifndef AVIARY_PROVIDER_TELNYX_H
#define AVIARY_PROVIDER_TELNYX_H

#include "provider/provider.h"

/* The fault of errors[0] in `holder` (an answer, or a callback's payload) and Telnyx's own words for it; NULL if it has no errors. A code without a row
 * keeps its number. `words` may be NULL. */
const provider_fault_t *telnyx_fault (arena_t *arena, bytes_t holder, const char **words);

int telnyx_verify (turn_t *t, const provider_account_t *account,
                   const provider_callback_t *callback, provider_verdict_t *out);
int telnyx_parse (turn_t *t, bytes_t raw,
                  int (*each) (turn_t *t, const provider_event_t *event, void *context),
                  void *context);

const char *const *telnyx_headers (turn_t *t, const provider_account_t *account, bool has_body);

int telnyx_numbers_search (turn_t *t, const provider_account_t *account,
                           const provider_wanted_t *wanted, outbound_t *out);
int telnyx_numbers_found (turn_t *t, const outcome_t *outcome, provider_offer_t *out, size_t most,
                          size_t *count);
int telnyx_number_order (turn_t *t, const provider_account_t *account, const char *number,
                         const char *reference, outbound_t *out);
int telnyx_number_order_look (turn_t *t, const provider_account_t *account, const char *reference,
                              outbound_t *out);
provider_order_t telnyx_number_ordered (turn_t *t, const outcome_t *outcome, const char **id);
int telnyx_number_look (turn_t *t, const provider_account_t *account, const char *number,
                        outbound_t *out);
provider_held_t telnyx_number_looked (turn_t *t, const outcome_t *outcome, const char *number,
                                      const char **id);
int telnyx_number_release (turn_t *t, const provider_account_t *account, const char *id,
                           outbound_t *out);
provider_held_t telnyx_number_released (turn_t *t, const outcome_t *outcome);

#endif
