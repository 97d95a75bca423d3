/* explain.c - what accounts keeps about an organization, app, key, number, carrier account, purchase or release. Purchases are known by the carrier's id of the
 * order too, and a number by what became of it. */
#include "accounts.h"

enum { TOLD_MOST = 50 };

typedef struct telling {
    turn_t *t;
    const svc_explain_t *out;
} telling_t;

static void tell (const telling_t *self, int64_t at, const char *what, const char *detail)
{
    self->out->line (self->out->context, at, what, detail ? detail : "");
}

static const char *uuid (const telling_t *self, id16_t id)
{
    char text[ID_UUID_LENGTH + 1];
    id_write_uuid (id, text);
    return arena_strdup (self->t->arena, text);
}

/* ---- purchases and releases ---- */

static void tell_job (const telling_t *self, int64_t at, id16_t job, const char *kind)
{
    if (!id_is_nil (job))
        tell (self, at, "job", arena_printf (self->t->arena, "%s %s", kind, uuid (self, job)));
}

static void tell_answers (const telling_t *self, const schema_list_t *answers)
{
    const accounts_carrier_answer_t *items = answers->items;
    arena_t *arena = self->t->arena;
    for (size_t i = 0; i < answers->count; i++) {
        const accounts_carrier_answer_t *a = &items[i];
        tell (self, a->at, "carrier answered",
              arena_printf (
                  arena, "%s: %s%s%s%s", a->what ? a->what : "?",
                  a->status ? arena_printf (arena, "HTTP %d", (int) a->status) : "no answer",
                  a->text ? ", " : "", a->text ? a->text : "",
                  a->count > 1 ? arena_printf (arena, ", %d times in %lld ms", (int) a->count,
                                               (long long) (a->last_at - a->at))
                               : ""));
    }
}

static int tell_purchase (void *context, const void *row)
{
    const telling_t *self = context;
    const accounts_purchase_t *p = row;
    arena_t *arena = self->t->arena;
    tell (self, p->created_at, "purchase accepted",
          arena_printf (arena, "%s, %s, for app %s through carrier account %s, id %s", p->number,
                        schema_enum_word (&accounts_number_kind_enum, p->kind), uuid (self, p->app),
                        uuid (self, p->account), uuid (self, p->id)));
    tell_job (self, p->created_at, p->job, "number_order");
    tell_answers (self, &p->answers);
    const char *order =
        id_is_nil (p->order) ? "" : arena_printf (arena, ", order %s", uuid (self, p->order));
    if (p->state == ACCOUNTS_PURCHASE_STATE_ORDERED)
        tell (self, self->t->now, "waiting",
              arena_printf (arena, "%s is on order%s", p->number, order));
    else if (p->state == ACCOUNTS_PURCHASE_STATE_BOUGHT)
        tell (self, p->ended_at, "bought",
              arena_printf (arena, "%s, number %s%s", p->number, uuid (self, p->number_id), order));
    else
        tell (self, p->ended_at, "purchase failed", arena_printf (arena, "%s%s", p->number, order));
    return 0;
}

static int tell_release (void *context, const void *row)
{
    const telling_t *self = context;
    const accounts_release_t *r = row;
    arena_t *arena = self->t->arena;
    bool asks = !id_is_nil (r->account);
    tell (self, r->created_at, "release accepted",
          arena_printf (arena, "%s%s%s, id %s", r->number,
                        asks ? ", at carrier account " : ", no carrier to ask",
                        asks ? uuid (self, r->account) : "", uuid (self, r->id)));
    tell_job (self, r->created_at, r->job, "number_release");
    tell_answers (self, &r->answers);
    if (r->state == ACCOUNTS_RELEASE_STATE_RELEASING)
        tell (self, self->t->now, "waiting",
              arena_printf (arena, "%s is being released", r->number));
    else if (r->state == ACCOUNTS_RELEASE_STATE_RELEASED)
        tell (self, r->ended_at, "released", r->number);
    else
        tell (self, r->ended_at, "release failed",
              arena_printf (arena, "%s stays as it was", r->number));
    return 0;
}

static int tell_all (const telling_t *self, const schema_record_t *record, const char *index,
                     id16_t id, int (*each) (void *context, const void *row))
{
    telling_t context = *self;
    store_key_t key = {.id = id};
    store_page_t page = {.index = index, .keys = &key, .key_count = 1, .limit = TOLD_MOST};
    bool more = false;
    return store_list (self->t->txn, record, &page, self->t->arena, each, &context, &more);
}

static int tell_market (const telling_t *self, id16_t id)
{
    accounts_purchase_t purchase = {0};
    accounts_release_t release = {0};
    turn_t *t = self->t;
    if (store_get_any (t->txn, &accounts_purchase_record, id, t->arena, &purchase) == 0)
        return tell_purchase (&(telling_t){t, self->out}, &purchase);
    if (store_get_any (t->txn, &accounts_release_record, id, t->arena, &release) == 0)
        return tell_release (&(telling_t){t, self->out}, &release);
    int code = tell_all (self, &accounts_purchase_record, "by_order", id, tell_purchase);
    if (code == 0)
        code = tell_all (self, &accounts_purchase_record, "by_number_id", id, tell_purchase);
    return code ? code
                : tell_all (self, &accounts_release_record, "by_number_id", id, tell_release);
}

/* ---- the others ---- */

static void tell_number (const telling_t *self, const accounts_number_t *number)
{
    bool live = !id_is_nil (number->account);
    schema_list_t apps = {0};
    number_apps (self->t, number, &apps);
    tell (self, number->created_at, "number",
          arena_printf (self->t->arena, "%s, %s, %s carrier%s%s%s%s, %zu apps", number->number,
                        schema_enum_word (&accounts_channel_enum, number->channel),
                        schema_enum_word (&accounts_carrier_enum, number->carrier),
                        live ? ", carrier account " : "", live ? uuid (self, number->account) : "",
                        number->ref ? ", carrier's id " : "", number->ref ? number->ref : "",
                        apps.count));
}

int accounts_explain (turn_t *t, id16_t id, const svc_explain_t *out)
{
    const telling_t self = {t, out};
    accounts_app_t app = {0};
    accounts_key_t key = {0};
    accounts_number_t number = {0};
    accounts_carrier_account_t account = {0};
    if (id_is_nil (id))
        return 0;
    if (store_get_any (t->txn, &accounts_app_record, id, t->arena, &app) == 0)
        tell (&self, app.created_at, "app",
              arena_printf (t->arena, "%s, %s", app.name, app.test ? "test" : "live"));
    if (store_get_any (t->txn, &accounts_key_record, id, t->arena, &key) == 0)
        tell (&self, key.created_at, "key",
              arena_printf (t->arena, "%s %s", key.preview, key.name));
    if (store_get_any (t->txn, &accounts_number_record, id, t->arena, &number) == 0)
        tell_number (&self, &number);
    if (store_get_any (t->txn, &accounts_carrier_account_record, id, t->arena, &account) == 0)
        tell (&self, account.created_at, "carrier account",
              arena_printf (t->arena, "%s at %s, %s", account.name ? account.name : "unnamed",
                            schema_enum_word (&accounts_carrier_enum, account.carrier),
                            account.base_url));
    return tell_market (&self, id);
}
