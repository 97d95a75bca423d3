/* provider_test.c - the error maps and what the loopback carrier makes of numbers. */
#include "provider/provider.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_faults_map (void **state)
{
    (void) state;
    static const struct {
        bool whatsapp;
        const char *native;
        int want;
    } rows[] = {
        {false, "40008", E_MESSAGE_UNDELIVERABLE},
        {false, "40001", E_INVALID_PHONE_NUMBER},
        {false, "40013", E_PHONE_NUMBER_NOT_ASSIGNED},
        {false, "40011", E_CARRIER_RATE_LIMITED},
        {false, "49999", E_MESSAGE_UNDELIVERABLE},
        {false, "10007", E_TELNYX_API_ERROR},
        {false, "503", E_TELNYX_API_UNAVAILABLE},
        {false, "", E_TELNYX_API_ERROR},
        {true, "131026", E_MESSAGE_UNDELIVERABLE},
        {true, "131047", E_CONVERSATION_WINDOW_EXPIRED},
        {true, "368", E_ACCOUNT_RESTRICTED},
        {true, "131056", E_WHATSAPP_RATE_LIMITED},
        {true, "999999", E_META_API_ERROR},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const provider_fault_t *fault = provider_fault (rows[i].whatsapp, rows[i].native);
        assert_int_equal (fault->code, rows[i].want);
        assert_string_equal (fault->source, rows[i].whatsapp ? "meta" : "telnyx");
        assert_true (strlen (fault->text) > 0);
    }
}

static void test_every_fault_has_a_number (void **state)
{
    (void) state;
    size_t count = 0;
    const provider_fault_t *faults = provider_faults (&count);
    for (size_t i = 0; i < count; i++) {
        char number[24];
        bool whatsapp = strcmp (faults[i].source, "meta") == 0;
        loopback_number (&faults[i], number);
        loopback_rule_t rule = loopback_rule (whatsapp, number);
        assert_ptr_equal (rule.fault, &faults[i]);
        assert_int_not_equal (rule.magic, MAGIC_NONE);
        assert_int_equal (loopback_rule (!whatsapp, number).magic, MAGIC_NONE);
    }
}

static void test_other_numbers_are_delivered (void **state)
{
    (void) state;
    static const char *const numbers[] = {"+15551234567", "+999",      "+9991", "+99917",
                                          "+99999999",    "+99930009", ""};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal (loopback_rule (false, numbers[i]).magic, MAGIC_NONE);
        assert_int_equal (loopback_rule (true, numbers[i]).magic, MAGIC_NONE);
    }
}

static void test_special_numbers (void **state)
{
    (void) state;
    assert_int_equal (loopback_rule (true, "+9992131047").magic, MAGIC_WINDOW_CLOSED);
    assert_int_equal (loopback_rule (true, "+99930001").fault->code, E_RECIPIENT_NOT_ON_WHATSAPP);
    assert_int_equal (loopback_rule (false, "+99930001").magic, MAGIC_NONE);
    assert_int_equal (loopback_rule (false, "+99930002").magic, MAGIC_ANSWER_LOST);
    assert_int_equal (loopback_rule (false, "+99930003").magic, MAGIC_SILENT);
    assert_int_equal (loopback_rule (true, "+99930004").magic, MAGIC_EARLY_RECEIPT);
    assert_int_equal (loopback_rule (true, "+99930005").magic, MAGIC_SENT_ONLY);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_faults_map),
        cmocka_unit_test (test_every_fault_has_a_number),
        cmocka_unit_test (test_other_numbers_are_delivered),
        cmocka_unit_test (test_special_numbers),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
