/* content_interactive.c - what buttons, lists, links, location requests and flows must hold.
 *
 * Lengths are the schema's; here is what WhatsApp says about the whole: ids and titles that repeat, ten rows in all, which header goes with what. Headers
 * with a file are checked as a message of that kind would be. */
#include "messaging.h"
#include <string.h>

enum { ROWS_MAX = 10, BUTTONS_MAX = 3, SECTIONS_MAX = 10, CARDS_MAX = 10 };

static bool is_given (const char *text)
{
    return text && *text;
}

static int missing (turn_t *t, const char *field)
{
    return fail (t, E_BAD_REQUEST, arena_printf (t->arena, "interactive.%s", field),
                 "%s is missing", field);
}

static int buttons_check (turn_t *t, const messaging_interactive_content_t *in)
{
    const messaging_interactive_button_t *buttons = in->buttons.items;
    if (!in->buttons.count || in->buttons.count > BUTTONS_MAX)
        return fail (t, E_BAD_REQUEST, "interactive.buttons", "There must be 1 to %d buttons",
                     BUTTONS_MAX);
    for (size_t i = 0; i < in->buttons.count; i++) {
        if (!is_given (buttons[i].id) || !is_given (buttons[i].title))
            return fail (t, E_BAD_REQUEST, arena_printf (t->arena, "interactive.buttons[%zu]", i),
                         "A button needs id and title");
        for (size_t k = 0; k < i; k++)
            if (strcmp (buttons[k].id, buttons[i].id) == 0 ||
                strcmp (buttons[k].title, buttons[i].title) == 0)
                return fail (t, E_BAD_REQUEST,
                             arena_printf (t->arena, "interactive.buttons[%zu]", i),
                             "Ids and titles of buttons must differ");
    }
    return 0;
}

typedef struct row_check {
    const char *ids[ROWS_MAX];
    size_t count;
} row_check_t;

static int row_check (turn_t *t, row_check_t *self, const messaging_interactive_row_t *row,
                      const char *field)
{
    if (!is_given (row->id) || !is_given (row->title))
        return fail (t, E_BAD_REQUEST, field, "A row needs id and title");
    if (self->count == ROWS_MAX)
        return fail (t, E_BAD_REQUEST, "interactive.sections", "A list has at most %d rows in all",
                     ROWS_MAX);
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->ids[i], row->id) == 0)
            return fail (t, E_BAD_REQUEST, field, "Ids of rows must differ");
    self->ids[self->count++] = row->id;
    return 0;
}

static int list_check (turn_t *t, const messaging_interactive_content_t *in)
{
    const messaging_interactive_section_t *sections = in->sections.items;
    row_check_t rows = {.count = 0};
    if (!is_given (in->button_text))
        return missing (t, "buttonText");
    if (!in->sections.count || in->sections.count > SECTIONS_MAX)
        return fail (t, E_BAD_REQUEST, "interactive.sections", "There must be 1 to %d sections",
                     SECTIONS_MAX);
    for (size_t i = 0; i < in->sections.count; i++) {
        const char *field = arena_printf (t->arena, "interactive.sections[%zu]", i);
        if (in->sections.count > 1 && !is_given (sections[i].title))
            return fail (t, E_BAD_REQUEST, field, "Each of several sections needs a title");
        if (!sections[i].rows.count)
            return fail (t, E_BAD_REQUEST, field, "A section needs rows");
        const messaging_interactive_row_t *row = sections[i].rows.items;
        int code = 0;
        for (size_t k = 0; k < sections[i].rows.count && code == 0; k++)
            code = row_check (t, &rows, row + k, arena_printf (t->arena, "%s.rows[%zu]", field, k));
        if (code)
            return code;
    }
    return 0;
}

static int link_check (turn_t *t, const messaging_interactive_content_t *in)
{
    if (!is_given (in->button_text))
        return missing (t, "buttonText");
    if (!is_given (in->url))
        return missing (t, "url");
    if (strncmp (in->url, "https://", 8) != 0 && strncmp (in->url, "http://", 7) != 0)
        return fail (t, E_BAD_REQUEST, "interactive.url",
                     "url must begin with https:// or http://");
    return 0;
}

static int location_request_check (turn_t *t, const messaging_interactive_content_t *in)
{
    if (in->header || in->footer)
        return fail (t, E_BAD_REQUEST, in->header ? "interactive.header" : "interactive.footer",
                     "A location request has a body only");
    return 0;
}

static int flow_check (turn_t *t, const messaging_interactive_content_t *in)
{
    if (!is_given (in->flow_id))
        return missing (t, "flowId");
    if (!is_given (in->button_text))
        return missing (t, "buttonText");
    bool exchange = in->flow_action == MESSAGING_FLOW_ACTION_DATA_EXCHANGE;
    if (exchange && (in->flow_screen || in->flow_data.size))
        return fail (
            t, E_BAD_REQUEST, "interactive.flowActionPayload",
            "The flow's own server gives the first screen: no payload goes with data_exchange");
    if (in->flow_data.size && !in->flow_screen)
        return missing (t, "flowActionPayload.screen");
    return 0;
}

/* ---- carousels ---- */

static int card_action_check (turn_t *t, const messaging_interactive_card_t *card,
                              const char *field)
{
    const messaging_interactive_button_t *buttons = card->buttons.items;
    bool link = is_given (card->url) && is_given (card->button_text);
    if (link == (card->buttons.count > 0))
        return fail (t, E_BAD_REQUEST, field, "A card needs a link or buttons, and not both");
    for (size_t i = 0; i < card->buttons.count; i++)
        if (!is_given (buttons[i].id) || !is_given (buttons[i].title))
            return fail (t, E_BAD_REQUEST, field, "A button needs id and title");
    return 0;
}

static int card_check (turn_t *t, const messaging_interactive_card_t *card, size_t nth)
{
    const char *field = arena_printf (t->arena, "interactive.cards[%zu]", nth);
    if (card->index != (int64_t) nth)
        return fail (t, E_BAD_REQUEST, field, "card_index must count from 0");
    if (!card->header || (card->header->kind != MESSAGING_HEADER_KIND_IMAGE &&
                          card->header->kind != MESSAGING_HEADER_KIND_VIDEO))
        return fail (t, E_BAD_REQUEST, field, "A card's header must be an image or a video");
    if (!is_given (card->header->link) && !is_given (card->header->provider_id))
        return fail (t, E_BAD_REQUEST, field, "A card's header needs a link");
    return card_action_check (t, card, field);
}

static int carousel_check (turn_t *t, const messaging_interactive_content_t *in)
{
    const messaging_interactive_card_t *cards = in->cards.items;
    if (in->header || in->footer)
        return fail (t, E_BAD_REQUEST, in->header ? "interactive.header" : "interactive.footer",
                     "A carousel has neither header nor footer");
    if (in->cards.count < 2 || in->cards.count > CARDS_MAX)
        return fail (t, E_BAD_REQUEST, "interactive.cards", "There must be 2 to %d cards",
                     CARDS_MAX);
    int code = 0;
    for (size_t i = 0; i < in->cards.count && code == 0; i++)
        code = card_check (t, &cards[i], i);
    return code;
}

static const struct {
    int32_t kind;
    int (*check) (turn_t *t, const messaging_interactive_content_t *in);
} checks[] = {
    {MESSAGING_INTERACTIVE_KIND_BUTTONS, buttons_check},
    {MESSAGING_INTERACTIVE_KIND_LIST, list_check},
    {MESSAGING_INTERACTIVE_KIND_CTA_URL, link_check},
    {MESSAGING_INTERACTIVE_KIND_LOCATION_REQUEST, location_request_check},
    {MESSAGING_INTERACTIVE_KIND_FLOW, flow_check},
    {MESSAGING_INTERACTIVE_KIND_CAROUSEL, carousel_check},
};

static int header_file_check (turn_t *t, id16_t app, const messaging_interactive_header_t *in,
                              messaging_interactive_header_t *out)
{
    static const int32_t kinds[] = {[MESSAGING_HEADER_KIND_IMAGE] = MESSAGING_KIND_IMAGE,
                                    [MESSAGING_HEADER_KIND_VIDEO] = MESSAGING_KIND_VIDEO,
                                    [MESSAGING_HEADER_KIND_DOCUMENT] = MESSAGING_KIND_DOCUMENT};
    messaging_media_content_t file = {0};
    if (in->kind < MESSAGING_HEADER_KIND_IMAGE || in->kind > MESSAGING_HEADER_KIND_DOCUMENT)
        return fail (t, E_BAD_REQUEST, "interactive.header.type", "There is no such header");
    if (id_is_nil (in->media) && (in->link || in->provider_id))
        return 0; /* the carrier has it, or fetches it */
    if (id_is_nil (in->media))
        return missing (t, "header.mediaId");
    int code = media_find (t, app, in->media, kinds[in->kind], &file);
    if (code == 0 && in->kind == MESSAGING_HEADER_KIND_DOCUMENT && !in->filename)
        out->filename = file.filename;
    return code ? fail (t, code, "interactive.header.mediaId", "%s", t->failure.text) : 0;
}

static int header_check (turn_t *t, id16_t app, const messaging_interactive_content_t *in,
                         messaging_interactive_content_t *out)
{
    if (!in->header)
        return 0;
    messaging_interactive_header_t *header =
        arena_new_of (t->arena, messaging_interactive_header_t);
    *header = *in->header;
    out->header = header;
    if (in->header->kind == MESSAGING_HEADER_KIND_TEXT)
        return is_given (in->header->text) ? 0 : missing (t, "header.text");
    if (in->kind == MESSAGING_INTERACTIVE_KIND_LIST)
        return fail (t, E_BAD_REQUEST, "interactive.header.type", "The header of a list is text");
    return header_file_check (t, app, in->header, header);
}

int interactive_content_check (turn_t *t, id16_t app, const messaging_interactive_content_t *in,
                               const messaging_interactive_content_t **out)
{
    if (!in || !is_given (in->body))
        return missing (t, "body");
    messaging_interactive_content_t *content =
        arena_new_of (t->arena, messaging_interactive_content_t);
    *content = *in;
    *out = content;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i].kind == in->kind) {
            int code = checks[i].check (t, in);
            return code ? code : header_check (t, app, in, content);
        }
    return fail (t, E_BAD_REQUEST, "interactive.type",
                 "There is no such kind of interactive message");
}
