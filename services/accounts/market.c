/* market.c - numbers that a carrier offers, and buying them.
 *
 * The caller waits for the carrier: the ask is parked on a job. A number is held while it is on order, so that two purchases of it cannot both go out; an
 * order whose answer got lost is not repeated but looked for under our reference, until the carrier says what became of it. A caller who does not wait
 * that long finds the number in the organization's list. */
#include "accounts.h"
#include <string.h>

enum { MISSING_MOST = 3, OFFERS_MOST = 100 };

/* ---- the carrier ---- */

static int telnyx_first (void *context, const void *row)
{
    accounts_carrier_account_t *out = context;
    const accounts_carrier_account_t *account = row;
    if (id_is_nil (out->id) && account->carrier == ACCOUNTS_CARRIER_TELNYX)
        *out = *account;
    return 0;
}

/* Where the organization buys numbers; E_NOT_FOUND: nowhere. */
static int market_of (turn_t *t, accounts_carrier_account_t *out)
{
    store_key_t key = {.id = t->ask->org};
    store_page_t page = {.index = "by_org", .keys = &key, .key_count = 1, .limit = 100};
    *out = (accounts_carrier_account_t){0};
    int code = store_list (t->txn, &accounts_carrier_account_record, &page, t->arena, telnyx_first,
                           out, NULL);
    return code ? code : id_is_nil (out->id) ? E_NOT_FOUND : 0;
}

/* ---- searching ---- */

static bool only_of (const char *text, const char *set)
{
    return !text || text[strspn (text, set)] == 0;
}

static int wanted_check (turn_t *t, const accounts_number_search_in_t *in)
{
    static const char digits[] = "0123456789";
    if (in->country &&
        (strlen (in->country) != 2 || !only_of (in->country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")))
        return fail (t, E_BAD_REQUEST, "country", "must be two capital letters");
    if (!only_of (in->area_code, digits) || (in->area_code && !*in->area_code))
        return fail (t, E_BAD_REQUEST, "area_code", "must be 1 to 6 digits");
    if (!only_of (in->contains, digits) || (in->contains && !*in->contains))
        return fail (t, E_BAD_REQUEST, "contains", "must be digits");
    return 0;
}

int accounts_number_search (turn_t *t, const accounts_number_search_in_t *in,
                            accounts_number_search_out_t *out)
{
    (void) out;
    accounts_carrier_account_t account;
    int code = wanted_check (t, in);
    if (code)
        return code;
    code = market_of (t, &account);
    if (code)
        return code == E_NOT_FOUND ? 0 : code; /* nothing is on offer */
    accounts_search_job_t body = {.account = account.id,
                                  .country = in->country,
                                  .kind = in->kind,
                                  .area_code = in->area_code,
                                  .locality = in->locality,
                                  .contains = in->contains,
                                  .limit = in->limit ? in->limit : 20};
    job_new_t job = {.kind = &accounts_search_kind,
                     .tenant = t->ask->org,
                     .group = account.id,
                     .ask = turn_ask_id (t),
                     .body = &body};
    code = job_add (t, &job, NULL);
    return code ? code : park (t);
}

int accounts_number_search_resume (turn_t *t, const accounts_number_search_in_t *in,
                                   accounts_number_search_out_t *out)
{
    (void) in;
    const market_told_t *told = turn_result (t);
    if (!told)
        return fail (t, E_TELNYX_API_UNAVAILABLE, NULL, "The carrier's answer got lost");
    if (told->code)
        return fail (t, told->code, NULL, "%s", told->text);
    out->numbers = told->offers;
    out->total = (int64_t) told->offers.count;
    return 0;
}

static int search_begin (turn_t *t, job_t *job, outbound_t *out)
{
    const accounts_search_job_t *body = job->body;
    provider_account_t account;
    provider_wanted_t wanted = {.country = body->country,
                                .kind = body->kind,
                                .area_code = body->area_code,
                                .locality = body->locality,
                                .contains = body->contains,
                                .limit = body->limit};
    int code = market_account (t, body->account, &account);
    if (code == 0)
        code = provider_telnyx.numbers_search (t, &account, &wanted, out);
    out->request.timeout_ms = MARKET_TRY_MS;
    if (code == 0 || market_is_ours (code))
        return code;
    out->how = OUT_DROP;
    return market_tell (t, job,
                        &(market_told_t){.code = E_TELNYX_API_UNAVAILABLE,
                                         .text = "The carrier account cannot be used"});
}

static int search_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    const accounts_search_job_t *body = job->body;
    provider_offer_t *found = arena_array_of (t->arena, provider_offer_t, OFFERS_MOST);
    accounts_number_offer_t *offers =
        arena_array_of (t->arena, accounts_number_offer_t, OFFERS_MOST);
    size_t count = 0;
    if (provider_telnyx.numbers_found (t, outcome, found, (size_t) body->limit, &count)) {
        market_told_t refused = market_refusal (t, outcome);
        return market_tell (t, job, &refused);
    }
    for (size_t i = 0; i < count; i++)
        offers[i] = offer_told (t, &found[i], body->kind);
    int code = offers_keep (t, job->tenant, offers, count);
    return code ? code : market_tell (t, job, &(market_told_t){.offers = {offers, count}});
}

const job_kind_t accounts_search_kind = {
    .name = "number_search",
    .number = 60,
    .type = &accounts_search_job_type,
    .repeatable = true,
    .begin = search_begin,
    .finish = search_finish,
};

/* ---- buying ---- */

static int purchase_new (turn_t *t, const accounts_number_buy_in_t *in,
                         const accounts_carrier_account_t *account, accounts_purchase_t *out)
{
    accounts_number_t number = {0};
    int code = number_find (t, t->ask->org, false, ACCOUNTS_CHANNEL_SMS, in->number, &number);
    if (code != E_NOT_FOUND)
        return code ? code
                    : fail (t, E_ALREADY_EXISTS, "number", "%s is owned already", in->number);
    *out = (accounts_purchase_t){.id = turn_id (t),
                                 .org = t->ask->org,
                                 .app = in->app,
                                 .number = in->number,
                                 .kind = in->kind,
                                 .account = account->id,
                                 .state = ACCOUNTS_PURCHASE_STATE_ORDERED,
                                 .held = in->number,
                                 .created_at = t->now};
    accounts_number_offer_t offer;
    code = offer_find (t, t->ask->org, in->number, &offer);
    if (code && code != E_NOT_FOUND)
        return code;
    out->location = offer.location;
    out->features = offer.features;
    code = store_insert (t->txn, &accounts_purchase_record, out, NULL);
    return code == E_ALREADY_EXISTS ? fail (t, code, "number", "%s is on order already", in->number)
                                    : code;
}

int accounts_number_buy (turn_t *t, const accounts_number_buy_in_t *in,
                         accounts_number_buy_out_t *out)
{
    (void) out;
    accounts_app_t app = {0};
    accounts_carrier_account_t account;
    accounts_purchase_t purchase;
    int code = app_named (t, in->app, in->app_test, &app);
    if (code == 0 && app.test)
        return fail (t, E_BAD_REQUEST, "app", "A test app has the playground's numbers");
    if (code == 0 && app.status == ACCOUNTS_APP_STATUS_PAUSED)
        return fail (t, E_FORBIDDEN, NULL, "This app is paused and may not buy");
    if (code)
        return code;
    code = market_of (t, &account);
    if (code)
        return code == E_NOT_FOUND
                   ? fail (t, E_TELNYX_API_UNAVAILABLE, NULL, "No carrier account is configured")
                   : code;
    code = purchase_new (t, in, &account, &purchase);
    accounts_order_job_t body = {.purchase = purchase.id};
    job_new_t job = {.kind = &accounts_order_kind,
                     .tenant = t->ask->org,
                     .group = account.id,
                     .ask = turn_ask_id (t),
                     .body = &body};
    if (code == 0)
        code = job_add (t, &job, &purchase.job);
    if (code == 0)
        code = store_put (t->txn, &accounts_purchase_record, &purchase, NULL);
    return code ? code : park (t);
}

int accounts_number_buy_resume (turn_t *t, const accounts_number_buy_in_t *in,
                                accounts_number_buy_out_t *out)
{
    const market_told_t *told = turn_result (t);
    if (!told)
        return fail (t, E_TELNYX_API_UNAVAILABLE, NULL, "The carrier's answer got lost");
    if (told->code)
        return fail (t, told->code, told->code == E_CONFLICT ? "number" : NULL, "%s", told->text);
    *out = (accounts_number_buy_out_t){.number_id = told->bought->number_id,
                                       .app = in->app,
                                       .number = in->number,
                                       .purchase = told->bought->id,
                                       .created_at = told->bought->ended_at};
    return 0;
}

static int order_begin (turn_t *t, job_t *job, outbound_t *out)
{
    const accounts_order_job_t *body = job->body;
    accounts_purchase_t purchase = {0};
    provider_account_t account;
    char reference[ID_UUID_LENGTH + 1];
    int code =
        store_get_any (t->txn, &accounts_purchase_record, body->purchase, t->arena, &purchase);
    if (code == 0)
        code = market_account (t, purchase.account, &account);
    if (market_is_ours (code))
        return code;
    if (code) { /* finish ends the purchase */
        out->how = OUT_NOTHING;
        return 0;
    }
    id_write_uuid (purchase.id, reference);
    code = body->looking
               ? provider_telnyx.number_order_look (t, &account, reference, out)
               : provider_telnyx.number_order (t, &account, purchase.number, reference, out);
    out->request.timeout_ms = MARKET_TRY_MS;
    return code;
}

static int purchase_end (turn_t *t, accounts_purchase_t *purchase, int32_t state)
{
    purchase->state = state;
    purchase->held = NULL;
    purchase->ended_at = t->now;
    return store_put (t->txn, &accounts_purchase_record, purchase, NULL);
}

static int order_failed (turn_t *t, const job_t *job, accounts_purchase_t *purchase,
                         market_told_t why)
{
    int code = purchase_end (t, purchase, ACCOUNTS_PURCHASE_STATE_FAILED);
    return code ? code : market_tell (t, job, &why);
}

/* The number is the organization's; its app may be gone by now. */
static int order_done (turn_t *t, const job_t *job, accounts_purchase_t *purchase)
{
    accounts_carrier_account_t account = {0};
    accounts_number_t number = {0};
    accounts_app_t app = {0};
    accounts_assignment_t assignment = {0};
    int code = store_get_any (t->txn, &accounts_carrier_account_record, purchase->account, t->arena,
                              &account);
    if (code == 0)
        code = number_make (t, purchase->org, ACCOUNTS_CHANNEL_SMS, purchase->number, &account,
                            NULL, &number);
    if (code == E_ALREADY_EXISTS || code == E_NOT_FOUND)
        return order_failed (
            t, job, purchase,
            (market_told_t){.code = E_CONFLICT,
                            .text = "The number was added in another way meanwhile"});
    number.kind = purchase->kind;
    number.location = purchase->location;
    number.features = purchase->features;
    if (code == 0)
        code = store_put (t->txn, &accounts_number_record, &number, NULL);
    if (code == 0)
        code = store_get_any (t->txn, &accounts_app_record, purchase->app, t->arena, &app);
    if (code == 0)
        code = assignment_make (t, app.id, &number, &assignment);
    code = code == E_NOT_FOUND ? 0 : code;
    purchase->number_id = number.id;
    if (code == 0)
        code = purchase_end (t, purchase, ACCOUNTS_PURCHASE_STATE_BOUGHT);
    turn_count (t, ACCOUNTS_COUNTER_NUMBERS_BOUGHT_TOTAL, 1);
    return code ? code : market_tell (t, job, &(market_told_t){.bought = purchase});
}

/* Kept with the purchase: what was asked, what the carrier said, and the order's id there. */
static void answer_note (turn_t *t, const accounts_order_job_t *body, accounts_purchase_t *purchase,
                         const outcome_t *outcome, provider_order_t said, const char *order)
{
    static const char *const words[] = {[ORDER_NONE] = "there is no such order",
                                        [ORDER_PENDING] = "the order is pending",
                                        [ORDER_DONE] = "the order is done",
                                        [ORDER_FAILED] = "the order failed",
                                        [ORDER_UNSAID] = NULL};
    if (order)
        id_read_any_uuid (order, strlen (order), &purchase->order);
    market_note (t, &purchase->answers, body->looking ? "look for the order" : "order", outcome,
                 words[said]);
}

static int order_wait (turn_t *t, job_t *job, const accounts_purchase_t *purchase)
{
    accounts_order_job_t *body = job->body;
    body->looking = true;
    int code = store_put (t->txn, &accounts_purchase_record, purchase, NULL);
    return code ? code : market_look_later (t, job);
}

static int order_settle (turn_t *t, job_t *job, accounts_purchase_t *purchase,
                         const outcome_t *outcome)
{
    accounts_order_job_t *body = job->body;
    provider_result_t result = {0};
    const char *order;
    provider_order_t said = provider_telnyx.number_ordered (t, outcome, &order);
    answer_note (t, body, purchase, outcome, said, order);
    switch (said) {
    case ORDER_DONE:
        return order_done (t, job, purchase);
    case ORDER_FAILED:
        return order_failed (t, job, purchase,
                             (market_told_t){.code = E_TELNYX_API_ERROR,
                                             .text = "The carrier did not give the number"});
    case ORDER_NONE: /* it may take a moment to show */
        if (body->missing++ < MISSING_MOST)
            return order_wait (t, job, purchase);
        return order_failed (t, job, purchase,
                             (market_told_t){.code = E_TELNYX_API_UNAVAILABLE,
                                             .text = "The order did not reach the carrier"});
    default:
        break;
    }
    provider_telnyx.answer (t, outcome, &result);
    if (!body->looking && result.word == PROVIDER_REFUSED)
        return order_failed (t, job, purchase, market_refusal (t, outcome));
    return order_wait (t, job, purchase);
}

static int order_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    const accounts_order_job_t *body = job->body;
    accounts_purchase_t *purchase = arena_new_of (t->arena, accounts_purchase_t);
    provider_account_t account;
    int code =
        store_get_any (t->txn, &accounts_purchase_record, body->purchase, t->arena, purchase);
    if (code)
        return code == E_NOT_FOUND ? 0 : code;
    code = market_account (t, purchase->account, &account);
    if (market_is_ours (code))
        return code;
    if (code)
        return order_failed (t, job, purchase,
                             (market_told_t){.code = E_TELNYX_API_UNAVAILABLE,
                                             .text = "The carrier account cannot be used"});
    return order_settle (t, job, purchase, outcome);
}

static bool order_is_about (turn_t *t, const job_t *job, const char *number)
{
    const accounts_order_job_t *body = job->body;
    accounts_purchase_t purchase = {0};
    return store_get_any (t->txn, &accounts_purchase_record, body->purchase, t->arena, &purchase) ==
               0 &&
           purchase.number && strcmp (purchase.number, number) == 0;
}

const job_kind_t accounts_order_kind = {
    .name = "number_order",
    .number = 61,
    .type = &accounts_order_job_type,
    .repeatable = false,
    .begin = order_begin,
    .finish = order_finish,
    .is_about = order_is_about,
};
