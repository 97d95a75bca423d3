/* check_test.c - what the simulated Meta refuses: one row per rule of spec sections 2.2 to 2.4. */
#include "meta.h"
#include "test.h"

#include "sign/sign.h"
#include <stdio.h>

#define INTERACTIVE(rest) "{\"type\":\"interactive\",\"interactive\":{" rest "}}"
#define BODY              "\"body\":{\"text\":\"b\"},"
#define BUTTON(id, title) \
    "{\"type\":\"reply\",\"reply\":{\"id\":\"" id "\",\"title\":\"" title "\"}}"
#define ROW(id) "{\"id\":\"" id "\",\"title\":\"t\"}"
#define CARD(index)                                                                             \
    "{\"card_index\":" index ",\"type\":\"cta_url\",\"header\":{\"type\":\"image\",\"image\":{" \
    "\"link\":\"https://example.org/a\"}},\"body\":{\"text\":\"b\"},\"action\":{\"name\":"      \
    "\"cta_url\",\"parameters\":{\"display_text\":\"V\",\"url\":\"https://example.org\"}}}"

/* clang-format off */
static const struct {
    const char *body;
    int want;
} message_rows[] = {
    {"{\"text\":{\"body\":\"x\"}}", 0},
    {"{\"type\":\"text\",\"text\":{\"body\":\"\"}}", 131009},
    {"{\"type\":\"text\",\"text\":\"x\"}", 100},
    {"{\"type\":\"text\",\"text\":{\"body\":\"x\",\"preview_url\":\"yes\"}}", 100},
    {"{\"type\":\"text\",\"text\":{\"body\":\"x\"},\"image\":{}}", 100},
    {"{\"type\":\"text\",\"text\":{\"body\":\"x\"},\"context\":{}}", 131008},
    {"{\"type\":\"text\",\"text\":{\"body\":\"x\"},\"context\":{\"message_id\":\"w\"}}", 0},
    {"{\"type\":\"fax\",\"fax\":{}}", 100},
    {"{\"type\":\"image\",\"image\":{\"link\":\"https://example.org/a\",\"caption\":\"c\"}}", 0},
    {"{\"type\":\"image\",\"image\":{\"link\":\"example.org\"}}", 131009},
    {"{\"type\":\"audio\",\"audio\":{\"link\":\"https://example.org/a\",\"caption\":\"c\"}}", 100},
    {"{\"type\":\"sticker\",\"sticker\":{\"id\":\"none\"}}", 100},
    {"{\"type\":\"document\",\"document\":{\"link\":\"https://example.org/a\",\"filename\":\"f\"}}", 0},
    {"{\"type\":\"location\",\"location\":{\"latitude\":\"51.5\",\"longitude\":-0.1}}", 0},
    {"{\"type\":\"location\",\"location\":{\"latitude\":\"north\",\"longitude\":0}}", 100},
    {"{\"type\":\"location\",\"location\":{\"latitude\":0,\"longitude\":181}}", 131009},
    {"{\"type\":\"location\",\"location\":{\"latitude\":0}}", 131008},
    {"{\"type\":\"contacts\",\"contacts\":{}}", 100},
    {"{\"type\":\"contacts\",\"contacts\":[]}", 131009},
    {"{\"type\":\"contacts\",\"contacts\":[{\"name\":{\"formatted_name\":\"A\"}}]}", 131009},
    {"{\"type\":\"contacts\",\"contacts\":[{\"name\":{\"first_name\":\"A\"}}]}", 131008},
    {"{\"type\":\"contacts\",\"contacts\":[{\"name\":{\"formatted_name\":\"A\",\"first_name\":\"A\"},\"emails\":[{\"mail\":\"x\"}]}]}", 100},
    {"{\"type\":\"contacts\",\"contacts\":[{\"name\":{\"formatted_name\":\"A\",\"first_name\":\"A\"},\"org\":{\"company\":\"C\"}}]}", 0},
    {"{\"type\":\"reaction\",\"reaction\":{\"message_id\":\"known\",\"emoji\":\"\"}}", 0},
    {"{\"type\":\"reaction\",\"reaction\":{\"message_id\":\"known\",\"emoji\":\"ok\"}}", 131009},
    {"{\"type\":\"reaction\",\"reaction\":{\"message_id\":\"known\"}}", 131008},
    {"{\"type\":\"reaction\",\"reaction\":{\"message_id\":\"other\",\"emoji\":\"\"}}", 131009},
    {"{\"type\":\"template\",\"template\":{\"name\":\"n\"}}", 131008},
    {"{\"type\":\"template\",\"template\":{\"name\":\"n\",\"language\":{\"code\":\"en\"}}}", 0},
    {INTERACTIVE ("\"type\":\"button\"," BODY "\"action\":{\"buttons\":[" BUTTON ("a", "A") "," BUTTON ("b", "B") "]}"), 0},
    {INTERACTIVE ("\"type\":\"button\"," BODY "\"action\":{\"buttons\":[" BUTTON ("a", "A") "," BUTTON ("a", "B") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"button\"," BODY "\"action\":{\"buttons\":[" BUTTON ("a", "A") "," BUTTON ("b", "A") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"button\"," BODY "\"action\":{\"buttons\":[" BUTTON ("a", "title that is far too long") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"button\"," BODY "\"action\":{\"buttons\":[" BUTTON ("1", "A") "," BUTTON ("2", "B") "," BUTTON ("3", "C") "," BUTTON ("4", "D") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"button\",\"action\":{\"buttons\":[" BUTTON ("a", "A") "]}"), 131008},
    {INTERACTIVE ("\"type\":\"button\"," BODY "\"header\":{\"type\":\"sticker\"},\"action\":{\"buttons\":[" BUTTON ("a", "A") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"button\"," BODY "\"header\":{\"type\":\"image\",\"image\":{\"link\":\"https://example.org/a\"}},\"action\":{\"buttons\":[" BUTTON ("a", "A") "]}"), 0},
    {INTERACTIVE ("\"type\":\"list\"," BODY "\"action\":{\"button\":\"C\",\"sections\":[{\"rows\":[" ROW ("1") "]}]}"), 0},
    {INTERACTIVE ("\"type\":\"list\"," BODY "\"action\":{\"button\":\"C\",\"sections\":[{\"rows\":[" ROW ("1") "]},{\"title\":\"T\",\"rows\":[" ROW ("2") "]}]}"), 131008},
    {INTERACTIVE ("\"type\":\"list\"," BODY "\"header\":{\"type\":\"image\",\"image\":{\"link\":\"https://example.org/a\"}},\"action\":{\"button\":\"C\",\"sections\":[{\"rows\":[" ROW ("1") "]}]}"), 131009},
    {INTERACTIVE ("\"type\":\"cta_url\"," BODY "\"action\":{\"name\":\"cta_url\",\"parameters\":{\"display_text\":\"V\",\"url\":\"https://example.org\"}}"), 0},
    {INTERACTIVE ("\"type\":\"cta_url\"," BODY "\"action\":{\"name\":\"cta\",\"parameters\":{\"display_text\":\"V\",\"url\":\"https://example.org\"}}"), 131009},
    {INTERACTIVE ("\"type\":\"flow\"," BODY "\"action\":{\"name\":\"flow\",\"parameters\":{\"flow_message_version\":\"3\",\"flow_id\":\"1\",\"flow_cta\":\"O\"}}"), 0},
    {INTERACTIVE ("\"type\":\"flow\"," BODY "\"action\":{\"name\":\"flow\",\"parameters\":{\"flow_message_version\":\"3\",\"flow_id\":\"1\",\"flow_name\":\"n\",\"flow_cta\":\"O\"}}"), 131009},
    {INTERACTIVE ("\"type\":\"flow\"," BODY "\"action\":{\"name\":\"flow\",\"parameters\":{\"flow_message_version\":\"3\",\"flow_id\":\"1\",\"flow_cta\":\"O\",\"flow_action_payload\":{\"screen\":\"S\",\"data\":{}}}}"), 131009},
    {INTERACTIVE ("\"type\":\"location_request_message\"," BODY "\"action\":{\"name\":\"send_location\"}"), 0},
    {INTERACTIVE ("\"type\":\"carousel\"," BODY "\"action\":{\"cards\":[" CARD ("0") "," CARD ("1") "]}"), 0},
    {INTERACTIVE ("\"type\":\"carousel\"," BODY "\"action\":{\"cards\":[" CARD ("0") "," CARD ("2") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"carousel\"," BODY "\"action\":{\"cards\":[" CARD ("0") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"carousel\"," BODY "\"footer\":{\"text\":\"f\"},\"action\":{\"cards\":[" CARD ("0") "," CARD ("1") "]}"), 131009},
    {INTERACTIVE ("\"type\":\"dance\"," BODY "\"action\":{}"), 131009},
};

#define COMPONENTS                                                                                              \
    "[{\"type\":\"HEADER\",\"format\":\"TEXT\",\"text\":\"Order {{1}}\"},{\"type\":\"BODY\",\"text\":"           \
    "\"{{1}} and {{2}}, {{1}}\"},{\"type\":\"BUTTONS\",\"buttons\":[{\"type\":\"URL\",\"url\":\"https://e/{{1}}\"}," \
    "{\"type\":\"QUICK_REPLY\",\"text\":\"Q\"}]}]"
#define PLAIN "{\"status\":\"APPROVED\",\"components\":" COMPONENTS "}"
#define IMAGE "{\"status\":\"APPROVED\",\"components\":[{\"type\":\"HEADER\",\"format\":\"IMAGE\"},{\"type\":\"BODY\",\"text\":\"x\"}]}"
#define NAMED "{\"status\":\"APPROVED\",\"parameter_format\":\"NAMED\",\"components\":[{\"type\":\"BODY\",\"text\":\"{{first}} {{last}}\"}]}"
#define CODE  "{\"status\":\"APPROVED\",\"components\":[{\"type\":\"BODY\",\"text\":\"{{1}}\"},{\"type\":\"BUTTONS\",\"buttons\":[{\"type\":\"OTP\"}]}]}"
#define TEXT  "{\"type\":\"text\",\"text\":\"t\"}"
#define HEAD  "{\"type\":\"header\",\"parameters\":[" TEXT "]}"
#define TWO   "{\"type\":\"body\",\"parameters\":[" TEXT "," TEXT "]}"
#define URL   "{\"type\":\"button\",\"sub_type\":\"url\",\"index\":\"0\",\"parameters\":[" TEXT "]}"

static const struct {
    const char *node, *components;
    int want;
} template_rows[] = {
    {PLAIN, "[" HEAD "," TWO "," URL "]", 0},
    {PLAIN, "[" TWO "," URL "]", 132000},
    {PLAIN, "[" HEAD "," URL "]", 132000},
    {PLAIN, "[" HEAD "," TWO "]", 132000},
    {PLAIN, "[" HEAD "," TWO "," URL ",{\"type\":\"button\",\"sub_type\":\"quick_reply\",\"index\":1,\"parameters\":[{\"type\":\"payload\",\"payload\":\"p\"}]}]", 0},
    {PLAIN, "[" HEAD "," TWO "," URL ",{\"type\":\"button\",\"sub_type\":\"url\",\"index\":1,\"parameters\":[" TEXT "]}]", 132012},
    {PLAIN, "[" HEAD ",{\"type\":\"body\",\"parameters\":[" TEXT ",{\"type\":\"image\"}]}," URL "]", 132012},
    {PLAIN, "[" HEAD "," TWO "," URL ",{\"type\":\"carousel\",\"parameters\":[" TEXT "]}]", 132000},
    {IMAGE, "[{\"type\":\"header\",\"parameters\":[{\"type\":\"image\",\"image\":{\"id\":\"1\"}}]}]", 0},
    {IMAGE, "[{\"type\":\"header\",\"parameters\":[" TEXT "]}]", 132012},
    {IMAGE, "[]", 132000},
    {NAMED, "[{\"type\":\"body\",\"parameters\":[{\"type\":\"text\",\"text\":\"a\",\"parameter_name\":\"first\"},{\"type\":\"text\",\"text\":\"b\",\"parameter_name\":\"last\"}]}]", 0},
    {NAMED, "[" TWO "]", 132012},
    {CODE, "[{\"type\":\"body\",\"parameters\":[" TEXT "]}," URL "]", 0},
    {CODE, "[{\"type\":\"body\",\"parameters\":[" TEXT "]}]", 132000},
    {"{\"status\":\"PAUSED\"}", "[]", 132015},
    {"{\"status\":\"DISABLED\"}", "[]", 132016},
    {"{\"status\":\"PENDING\"}", "[]", 132001},
    {"{}", "[]", 132001},
};
/* clang-format on */

static void checks_messages (void **state)
{
    sim_t *sim = sim_new ();
    (void) state;
    table_put (sim->meta_messages, "known", must_alloc (sizeof (meta_seen_t)));
    for (size_t i = 0; i < COUNT_OF (message_rows); i++) {
        check_t check = {0};
        cJSON *body = json_of (message_rows[i].body);
        bool sound = meta_message_check (sim, &check, body);
        if (check.code != message_rows[i].want)
            print_message ("%s: %s\n", message_rows[i].body, check.details);
        assert_int_equal (check.code, message_rows[i].want);
        assert_int_equal (sound, check.code == 0);
        cJSON_Delete (body);
    }
    sim_destroy (&sim);
}

static void checks_templates (void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT_OF (template_rows); i++) {
        check_t check = {0};
        cJSON *node = json_of (template_rows[i].node), *template = cJSON_CreateObject ();
        json_add (template, "components", json_of (template_rows[i].components));
        meta_template_check (&check, node, template);
        if (check.code != template_rows[i].want)
            print_message ("row %zu: %s\n", i, check.details);
        assert_int_equal (check.code, template_rows[i].want);
        cJSON_Delete (node);
        cJSON_Delete (template);
    }
}

static void counts_placeholders (void **state)
{
    (void) state;
    assert_int_equal (template_placeholders (NULL), 0);
    assert_int_equal (template_placeholders ("{{1}} {{ 2 }} {{1}}"), 2);
    assert_int_equal (template_placeholders ("{{name}} {{} {{a b}} {{"), 1);
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (checks_messages),
                                       cmocka_unit_test (checks_templates),
                                       cmocka_unit_test (counts_placeholders)};
    return sign_init () != 0 ? 1 : cmocka_run_group_tests (tests, NULL, NULL);
}
