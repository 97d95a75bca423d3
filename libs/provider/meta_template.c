/* meta_template.c - the account's templates, page by page. Paged by cursor, never by the URL that an answer offers. */
#include "provider/meta.h"

enum { PAGE_MAX = 8 << 20, PAGE_ITEMS = 100 };

static const char fields[] =
    "id,name,language,status,category,parameter_format,sub_category,previous_category,"
    "correct_category,rejected_reason,quality_score,message_send_ttl_seconds,components";

int meta_templates_list (turn_t *t, const provider_account_t *account, const char *after,
                         outbound_t *out)
{
    buf_t rest = buf_in (t->arena);
    buf_printf (&rest, "/message_templates?limit=%d&fields=%s", PAGE_ITEMS, fields);
    if (after) {
        buf_add_str (&rest, "&after=");
        meta_escape (&rest, after);
    }
    const char *url =
        buf_failed (&rest) ? NULL : meta_url (t, account, account->waba, buf_text (&rest));
    int code = meta_request (t, account, "GET", url, NULL, (bytes_t){0}, out);
    out->request.answer_max = PAGE_MAX;
    return code;
}

/* Why there is no page. */
static int page_failed (turn_t *t, const outcome_t *outcome)
{
    provider_result_t result;
    meta_answer (t, outcome, &result);
    const provider_fault_t *fault = result.fault ? result.fault : provider_fault (true, "500");
    int code = fail (t, fault->code, NULL, "%s (%s)", fault->text, fault->native);
    t->failure.retry_after_ms = result.retry_after_ms;
    return code;
}

int meta_templates_read (turn_t *t, const outcome_t *outcome,
                         int (*each) (turn_t *t, bytes_t json, void *context), void *context,
                         const char **after)
{
    bytes_t root, item;
    int code = 0;
    *after = NULL;
    if (outcome->stage != FETCH_ANSWERED || outcome->status != 200 ||
        jval_read (t->arena, outcome->body, &root, NULL) || !jval_find (root, "data").size)
        return page_failed (t, outcome);
    jval_list_t items = jval_list (root, "data");
    while (code == 0 && jval_next (&items, &item)) {
        if (!jval_code (t->arena, item, "id"))
            continue;
        buf_t json = buf_in (t->arena);
        schema_any_write (item, &json);
        code = buf_failed (&json) ? fail (t, E_NO_MEMORY, NULL, "No memory for a template")
                                  : each (t, buf_bytes (&json), context);
    }
    if (code == 0 && jval_word (t->arena, root, "paging.next"))
        *after = jval_word (t->arena, root, "paging.cursors.after");
    return code;
}
