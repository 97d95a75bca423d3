/* link.c - labels on contacts and conversations: put on, taken off, in bulk; and the links of what is gone, removed page by page. */
#include "inbox.h"

enum { DROP_PAGE = 500 };

static int link_find (turn_t *t, id16_t label, id16_t target, inbox_link_t *out)
{
    store_key_t keys[] = {{.id = label}, {.id = target}};
    return store_find (t->txn, &inbox_link_record, "by_label", keys, 2, t->arena, out);
}

/* *changed: it was not so already. */
static int link_set (turn_t *t, id16_t label, id16_t target, int32_t kind, bool attached,
                     bool *changed)
{
    inbox_link_t link = {0};
    int code = link_find (t, label, target, &link);
    bool there = code == 0;
    if (code && code != E_NOT_FOUND)
        return code;
    *changed = there != attached;
    if (!*changed)
        return 0;
    if (!attached)
        return store_del (t->txn, &inbox_link_record, link.id);
    link = (inbox_link_t){.id = turn_id (t), .label = label, .target = target, .kind = kind};
    return store_insert (t->txn, &inbox_link_record, &link, NULL);
}

static int team_check (turn_t *t, const inbox_label_t *label, const inbox_number_t *number)
{
    return id_equal (label->team, number->team)
               ? 0
               : fail (t, E_TEAM_MISMATCH, "label_id", "The label belongs to another team");
}

/* ---- one ---- */

static int contact_tag (turn_t *t, const inbox_tag_in_t *in, bool attach, inbox_tag_out_t *out)
{
    inbox_number_t number;
    inbox_contact_t contact = {0};
    inbox_label_t label = {0};
    bool changed = false;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = contact_of (t, &number, in->id, &contact);
    if (code == 0)
        code = label_of (t, in->label_id, "label_id", &label);
    if (code == 0 && attach)
        code = team_check (t, &label, &number);
    if (code == 0)
        code = link_set (t, label.id, contact.id, INBOX_TAGGED_CONTACT, attach, &changed);
    if (code == 0 && changed)
        code = contact_labelled (t, &contact, number.number);
    *out = (inbox_tag_out_t){.id = in->id, .label_id = in->label_id, .attached = attach};
    return code;
}

static int conversation_tag (turn_t *t, const inbox_tag_in_t *in, bool attach, inbox_tag_out_t *out)
{
    inbox_number_t number;
    inbox_conversation_t conversation = {0};
    inbox_label_t label = {0};
    bool changed = false;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = conversation_of (t, &number, in->id, &conversation);
    if (code == 0)
        code = label_of (t, in->label_id, "label_id", &label);
    if (code == 0 && attach)
        code = team_check (t, &label, &number);
    if (code == 0)
        code = link_set (t, label.id, conversation.id, INBOX_TAGGED_CONVERSATION, attach, &changed);
    *out = (inbox_tag_out_t){.id = in->id, .label_id = in->label_id, .attached = attach};
    return code;
}

int inbox_contact_label (turn_t *t, const inbox_tag_in_t *in, inbox_tag_out_t *out)
{
    return contact_tag (t, in, true, out);
}

int inbox_contact_unlabel (turn_t *t, const inbox_tag_in_t *in, inbox_tag_out_t *out)
{
    return contact_tag (t, in, false, out);
}

int inbox_conversation_label (turn_t *t, const inbox_tag_in_t *in, inbox_tag_out_t *out)
{
    return conversation_tag (t, in, true, out);
}

int inbox_conversation_unlabel (turn_t *t, const inbox_tag_in_t *in, inbox_tag_out_t *out)
{
    return conversation_tag (t, in, false, out);
}

/* ---- in bulk ---- */

static int bulk_one (turn_t *t, const inbox_number_t *number, const inbox_label_t *label, id16_t id,
                     bool attach, inbox_bulk_label_out_t *out)
{
    inbox_contact_t contact = {0};
    bool changed = false;
    int code = store_get (t->txn, &inbox_contact_record, t->ask->org, id, t->arena, &contact);
    if (code && code != E_NOT_FOUND)
        return code;
    if (code || !id_equal (contact.number, number->id)) {
        out->skipped_unknown++;
        return 0;
    }
    if (!id_equal (label->team, number->team)) {
        out->skipped_team++;
        return 0;
    }
    code = link_set (t, label->id, contact.id, INBOX_TAGGED_CONTACT, attach, &changed);
    if (code == 0 && changed)
        code = contact_labelled (t, &contact, number->number);
    out->applied++;
    return code;
}

int inbox_bulk_label (turn_t *t, const inbox_bulk_label_in_t *in, inbox_bulk_label_out_t *out)
{
    inbox_number_t number;
    inbox_label_t label = {0};
    const id16_t *ids = in->contact_ids.items;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = label_of (t, in->label_id, "label_id", &label);
    if (code == 0 && (in->contact_ids.count < 1 || in->contact_ids.count > 1000))
        code = fail (t, E_BAD_REQUEST, "contact_ids", "contact_ids has 1 to 1000 ids");
    for (size_t i = 0; i < in->contact_ids.count && code == 0; i++)
        code = bulk_one (t, &number, &label, ids[i], in->operation == INBOX_LABEL_OPERATION_ATTACH,
                         out);
    return code;
}

/* ---- of what is gone ---- */

typedef struct drop {
    id16_t ids[DROP_PAGE];
    size_t count;
} drop_t;

static int drop_add (void *context, const void *row)
{
    drop_t *self = context;
    self->ids[self->count++] = ((const inbox_link_t *) row)->id;
    return 0;
}

static int drop_some (turn_t *t, const inbox_unlink_job_t *what, bool *more)
{
    drop_t *drop = arena_new_of (t->arena, drop_t);
    bool of_label = !id_is_nil (what->label);
    store_key_t key = {.id = of_label ? what->label : what->target};
    store_page_t page = {.index = of_label ? "by_label" : "by_target",
                         .keys = &key,
                         .key_count = 1,
                         .limit = DROP_PAGE};
    int code = store_list (t->txn, &inbox_link_record, &page, t->arena, drop_add, drop, more);
    for (size_t i = 0; i < drop->count && code == 0; i++)
        code = store_del (t->txn, &inbox_link_record, drop->ids[i]);
    return code;
}

int links_drop (turn_t *t, id16_t label, id16_t target)
{
    inbox_unlink_job_t body = {.label = label, .target = target};
    bool more = false;
    int code = drop_some (t, &body, &more);
    job_new_t job = {.kind = &inbox_unlink_kind,
                     .tenant = t->ask->org,
                     .group = id_is_nil (label) ? target : label,
                     .body = &body};
    return code || !more ? code : job_add (t, &job, NULL);
}

static int unlink_finish (turn_t *t, job_t *job, const outcome_t *outcome)
{
    (void) outcome;
    bool more = false;
    int code = drop_some (t, job->body, &more);
    return code || !more ? code : job_retry (t, job, t->now);
}

const job_kind_t inbox_unlink_kind = {
    .erases = true,
    .name = "inbox.unlink",
    .number = 1,
    .type = &inbox_unlink_job_type,
    .repeatable = true,
    .begin = job_begin_nothing,
    .finish = unlink_finish,
};
