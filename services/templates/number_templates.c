/* number_templates.c - templates of a number's account for those who send them, newest first, and one by its name.
 *
 * Meta's many states fold into three: what may be sent, what may come or come back without anybody doing anything, and what will not. Templates that Meta no longer
 * has are not shown. A page looks at no more than LOOK_MOST rows. */
#include "base/msgpack.h"
#include "templates.h"
#include <string.h>

enum { LOOK_MOST = 500, BATCH = 50, LANGUAGES_MOST = 200 };

/* ---- the number ---- */

static int number_take (void *context, const void *row)
{
    const templates_number_t *number = row;
    if (number->deleted)
        return 0;
    *(templates_number_t *) context = *number;
    return E_ALREADY_EXISTS; /* found: no further */
}

static int number_of_ref (turn_t *t, const char *ref, templates_number_t *out)
{
    store_key_t keys[] = {{.id = t->ask->org}, {.str = ref}};
    store_page_t page = {.index = "by_ref", .keys = keys, .key_count = 2, .limit = 1000};
    int code =
        ref && *ref && !id_is_nil (t->ask->org)
            ? store_list (t->txn, &templates_number_record, &page, t->arena, number_take, out, NULL)
            : 0;
    if (code == E_ALREADY_EXISTS)
        return 0;
    return code ? code : fail (t, E_NOT_FOUND, "number_ref", "There is no such number");
}

/* ---- one template ---- */

static int32_t status_shown (int32_t status)
{
    switch (status) {
    case TEMPLATES_STATUS_APPROVED:
        return TEMPLATES_SHOWN_STATUS_APPROVED;
    case TEMPLATES_STATUS_DELETED:
        return 0;
    case TEMPLATES_STATUS_REJECTED:
    case TEMPLATES_STATUS_DISABLED:
    case TEMPLATES_STATUS_PENDING_DELETION:
    case TEMPLATES_STATUS_ARCHIVED:
        return TEMPLATES_SHOWN_STATUS_REJECTED;
    default:
        return TEMPLATES_SHOWN_STATUS_PENDING;
    }
}

static int template_show (turn_t *t, const templates_number_t *number,
                          const templates_template_t *row, templates_template_shown_t *out)
{
    templates_content_t content = {0};
    int code = store_get_any (t->txn, &templates_content_record, row->id, t->arena, &content);
    const char *body = template_body (t->arena, content.components);
    *out = (templates_template_shown_t){.id = row->id,
                                        .name = row->name,
                                        .language = row->language,
                                        .status = status_shown (row->status),
                                        .content = body ? body : "",
                                        .variables = template_variables (t->arena, body),
                                        .components = content.components,
                                        .number = number->number,
                                        .provider_id = row->provider_id,
                                        .created_at = row->created_at,
                                        .updated_at = row->updated_at};
    return code == E_NOT_FOUND ? 0 : code;
}

static void sample_show (turn_t *t, const templates_number_t *number,
                         const provider_sample_t *sample, templates_template_shown_t *out)
{
    buf_t components = buf_in (t->arena);
    mp_array (&components, 1);
    mp_map (&components, 2);
    mp_str (&components, "type");
    mp_str (&components, "BODY");
    mp_str (&components, "text");
    mp_str (&components, sample->body);
    *out = (templates_template_shown_t){.id = sample->id,
                                        .name = sample->name,
                                        .language = sample->language,
                                        .status = TEMPLATES_SHOWN_STATUS_APPROVED,
                                        .content = sample->body,
                                        .variables = template_variables (t->arena, sample->body),
                                        .components = buf_bytes (&components),
                                        .number = number->number,
                                        .created_at = number->created_at,
                                        .updated_at = number->created_at};
}

/* ---- a page ---- */

typedef struct listing {
    turn_t *t;
    const templates_number_page_in_t *in;
    const templates_number_t *number;
    templates_template_shown_t *items;
    size_t count, looked;
    id16_t last;
    bool full;
} listing_t;

static bool fits (const templates_number_page_in_t *in, int32_t status, const char *language)
{
    bool all = !in->status || in->status == TEMPLATES_STATUS_FILTER_ALL;
    return status && (all || in->status == status) &&
           (!in->language || !*in->language || strcmp (in->language, language) == 0);
}

static int listing_add (void *context, const void *row)
{
    listing_t *self = context;
    const templates_template_t *template = row;
    self->full = self->count == (size_t) self->in->limit || self->looked == LOOK_MOST;
    if (self->full)
        return E_ALREADY_EXISTS; /* no further */
    self->looked++;
    self->last = template->id;
    return fits (self->in, status_shown (template->status), template->language)
               ? template_show (self->t, self->number, template, &self->items[self->count++])
               : 0;
}

static int rows_list (listing_t *self)
{
    store_key_t key = {.id = self->number->account};
    bool more = true;
    int code = 0;
    while (more && code == 0) {
        store_page_t page = {.index = "by_account",
                             .keys = &key,
                             .key_count = 1,
                             .newest_first = true,
                             .after = self->last,
                             .limit = BATCH};
        code = store_list (self->t->txn, &templates_template_record, &page, self->t->arena,
                           listing_add, self, &more);
    }
    return self->full ? 0 : code;
}

static void samples_list (listing_t *self)
{
    size_t count = 0;
    const provider_sample_t *samples = provider_samples (&count);
    for (size_t i = count; i-- > 0;) {
        if (!id_is_nil (self->last) && id_compare (samples[i].id, self->last) >= 0)
            continue;
        if (!fits (self->in, TEMPLATES_SHOWN_STATUS_APPROVED, samples[i].language))
            continue;
        self->full = self->count == (size_t) self->in->limit;
        if (self->full)
            return;
        self->last = samples[i].id;
        sample_show (self->t, self->number, &samples[i], &self->items[self->count++]);
    }
}

int templates_number_page (turn_t *t, const templates_number_page_in_t *in,
                           templates_number_page_out_t *out)
{
    templates_number_t number = {0};
    listing_t self = {.t = t, .in = in, .number = &number};
    int code = number_of_ref (t, in->number_ref, &number);
    if (code == 0 && in->after.size && in->after.size != sizeof self.last.b)
        return fail (t, E_BAD_CURSOR, "after", "No such place in this list");
    if (code)
        return code;
    if (in->after.size)
        memcpy (self.last.b, in->after.data, sizeof self.last.b);
    self.items = arena_array_of (t->arena, templates_template_shown_t, (size_t) in->limit);
    if (id_is_nil (number.account))
        samples_list (&self);
    else
        code = rows_list (&self);
    out->templates = (schema_list_t){self.items, self.count};
    if (self.full)
        out->next =
            bytes_of (arena_memdup (t->arena, self.last.b, sizeof self.last.b), sizeof self.last.b);
    return code;
}

/* ---- by name ---- */

typedef struct choice {
    const char *language;
    templates_template_t best;
    bool found;
} choice_t;

/* Rows come newest first: the first approved one, else the first. */
static int choice_look (void *context, const void *row)
{
    choice_t *self = context;
    const templates_template_t *template = row;
    if (!status_shown (template->status) ||
        (self->language && *self->language && strcmp (self->language, template->language) != 0))
        return 0;
    bool approved = template->status == TEMPLATES_STATUS_APPROVED;
    if (!self->found || (approved && self->best.status != TEMPLATES_STATUS_APPROVED))
        self->best = *template;
    self->found = true;
    return 0;
}

static int row_choose (turn_t *t, const templates_number_t *number,
                       const templates_number_template_in_t *in, templates_template_shown_t *out)
{
    choice_t choice = {.language = in->language};
    store_key_t keys[] = {{.id = number->account}, {.str = in->name}};
    store_page_t page = {.index = "by_name",
                         .keys = keys,
                         .key_count = 2,
                         .newest_first = true,
                         .limit = LANGUAGES_MOST};
    int code = store_list (t->txn, &templates_template_record, &page, t->arena, choice_look,
                           &choice, NULL);
    if (code)
        return code;
    return choice.found ? template_show (t, number, &choice.best, out) : E_NOT_FOUND;
}

static int sample_choose (turn_t *t, const templates_number_t *number,
                          const templates_number_template_in_t *in, templates_template_shown_t *out)
{
    size_t count = 0;
    const provider_sample_t *samples = provider_samples (&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp (samples[i].name, in->name) == 0 &&
            (!in->language || !*in->language || strcmp (samples[i].language, in->language) == 0)) {
            sample_show (t, number, &samples[i], out);
            return 0;
        }
    return E_NOT_FOUND;
}

int templates_number_template (turn_t *t, const templates_number_template_in_t *in,
                               templates_template_shown_t *out)
{
    templates_number_t number = {0};
    int code = number_of_ref (t, in->number_ref, &number);
    if (code)
        return code;
    code = id_is_nil (number.account) ? sample_choose (t, &number, in, out)
                                      : row_choose (t, &number, in, out);
    return code == E_NOT_FOUND ? fail (t, code, "name", "There is no such template") : code;
}
