/* guard_test.c - every form of address against the guard, with and without an allow list. */
#include "fetch/fetch.h"
#include "fetch/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

typedef struct address_row {
    const char *address;
    guard_class_t want;
} address_row_t;

static const address_row_t address_rows[] = {
    {"8.8.8.8", GUARD_PUBLIC},
    {"1.1.1.1", GUARD_PUBLIC},
    {"172.32.0.1", GUARD_PUBLIC},
    {"100.128.0.1", GUARD_PUBLIC},
    {"127.0.0.1", GUARD_PRIVATE},
    {"127.255.255.254", GUARD_PRIVATE},
    {"10.1.2.3", GUARD_PRIVATE},
    {"172.16.0.1", GUARD_PRIVATE},
    {"172.31.255.255", GUARD_PRIVATE},
    {"192.168.1.1", GUARD_PRIVATE},
    {"100.64.0.1", GUARD_PRIVATE},
    {"100.100.100.200", GUARD_NEVER},
    {"192.0.0.192", GUARD_NEVER},
    {"168.63.129.16", GUARD_NEVER},
    {"0.0.0.0", GUARD_NEVER},
    {"0.1.2.3", GUARD_NEVER},
    {"169.254.169.254", GUARD_NEVER},
    {"224.0.0.1", GUARD_NEVER},
    {"239.255.255.250", GUARD_NEVER},
    {"255.255.255.255", GUARD_NEVER},
    {"198.18.0.1", GUARD_PRIVATE},
    {"192.0.2.7", GUARD_PRIVATE},
    {"2606:4700::1111", GUARD_PUBLIC},
    {"::1", GUARD_PRIVATE},
    {"::", GUARD_NEVER},
    {"fe80::1", GUARD_NEVER},
    {"febf::1", GUARD_NEVER},
    {"ff02::1", GUARD_NEVER},
    {"fd00:ec2::254", GUARD_NEVER},
    {"fd20:ce::254", GUARD_NEVER},
    {"fd00:1::1", GUARD_PRIVATE},
    {"fec0::1", GUARD_PRIVATE},
    {"2001:db8::1", GUARD_PRIVATE},
    {"2001::1", GUARD_PRIVATE},
    {"::ffff:8.8.8.8", GUARD_PUBLIC},
    {"::ffff:127.0.0.1", GUARD_PRIVATE},
    {"::ffff:169.254.169.254", GUARD_NEVER},
    {"::127.0.0.1", GUARD_PRIVATE},
    {"::169.254.169.254", GUARD_NEVER},
    {"64:ff9b::8.8.8.8", GUARD_PUBLIC},
    {"64:ff9b::10.0.0.1", GUARD_PRIVATE},
    {"64:ff9b::169.254.169.254", GUARD_NEVER},
    {"64:ff9b:1::8.8.8.8", GUARD_PRIVATE},
    {"2002:808:808::1", GUARD_PUBLIC},
    {"2002:7f00:1::1", GUARD_PRIVATE},
    {"2002:a9fe:a9fe::1", GUARD_NEVER},
};

static void classify_follows_table (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof address_rows / sizeof address_rows[0]; i++) {
        const address_row_t *row = &address_rows[i];
        guard_address_t address;
        assert_true (guard_address_read (row->address, &address));
        if (guard_classify (&address) != row->want)
            fail_msg ("%s is class %d", row->address, (int) guard_classify (&address));
    }
}

static void sockaddr_and_text_agree (void **state)
{
    (void) state;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (0x7f000001)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr local = {.sa_family = AF_UNIX};
    guard_address_t a, b;
    assert_true (guard_address_of ((struct sockaddr *) &v4, &a));
    assert_true (guard_address_read ("127.0.0.1", &b));
    assert_memory_equal (&a, &b, sizeof a);
    assert_true (guard_address_of ((struct sockaddr *) &v6, &a));
    assert_true (guard_address_read ("::1", &b));
    assert_memory_equal (&a, &b, sizeof a);
    assert_false (guard_address_of (&local, &a));
}

typedef struct allow_row {
    const char *allow;
    const char *address;
    bool want;
} allow_row_t;

static const allow_row_t allow_rows[] = {
    {NULL, "8.8.8.8", true},
    {NULL, "127.0.0.1", false},
    {"127.0.0.0/8", "127.0.0.1", true},
    {"127.0.0.0/8", "::ffff:127.0.0.1", true},
    {"127.0.0.0/8", "64:ff9b::127.0.0.1", true},
    {"127.0.0.0/8", "10.0.0.1", false},
    {" 10.0.0.0/9 , ::1", "10.127.0.1", true},
    {"10.0.0.0/9", "10.128.0.1", false},
    {"10.0.0.0/9 ::1 127.0.0.1\t192.168.0.0/16", "192.168.0.1", true},
    {"::1/128", "::1", true},
    {"fd00::/8", "fd12::1", true},
    {"fd00::/8", "fd00:ec2::254", false},
    {"0.0.0.0/0,::/0", "169.254.169.254", false},
    {"0.0.0.0/0,::/0", "0.0.0.0", false},
    {"0.0.0.0/0,::/0", "fe80::1", false},
    {"0.0.0.0/0,::/0", "192.168.0.1", true},
};

static void allow_list_opens_private_only (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof allow_rows / sizeof allow_rows[0]; i++) {
        const allow_row_t *row = &allow_rows[i];
        guard_t guard;
        char bad[64] = "";
        guard_address_t address;
        assert_int_equal (guard_read (row->allow, &guard, bad, sizeof bad), E_OK);
        assert_true (guard_address_read (row->address, &address));
        if (guard_allows (&guard, &address) != row->want)
            fail_msg ("%s under %s", row->address, row->allow != NULL ? row->allow : "nothing");
        guard_free (&guard);
    }
}

static void bad_lists_are_refused (void **state)
{
    (void) state;
    const char *lists[] = {"10.0.0.0/33", "10.0.0/8",    "::1/129", "x",           "10.0.0.0/",
                           "10.0.0.0/-1", "10.0.0.0/8x", "/8",      "fe80::1%eth0"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        guard_t guard;
        char bad[64] = "";
        assert_int_equal (guard_read (lists[i], &guard, bad, sizeof bad), E_BAD_REQUEST);
        assert_string_equal (bad, lists[i]);
    }
}

typedef struct url_row {
    const char *url;
    bool allow_http;
    const char *allow;
    int want;
} url_row_t;

static const url_row_t url_rows[] = {
    {"https://example.com/hook?a=b", false, NULL, E_OK},
    {"https://example.com:8443/", false, NULL, E_OK},
    {"http://example.com/", true, NULL, E_OK},
    {"http://example.com/", false, NULL, E_BAD_REQUEST},
    {"HTTPS://EXAMPLE.com", false, NULL, E_OK},
    {"ftp://example.com/", true, NULL, E_BAD_REQUEST},
    {"file:///etc/passwd", true, NULL, E_BAD_REQUEST},
    {"gopher://example.com/", true, NULL, E_BAD_REQUEST},
    {"javascript:alert(1)", true, NULL, E_BAD_REQUEST},
    {"example.com", true, NULL, E_BAD_REQUEST},
    {"//example.com/x", true, NULL, E_BAD_REQUEST},
    {"", true, NULL, E_BAD_REQUEST},
    {"https://", false, NULL, E_BAD_REQUEST},
    {"https:///path", false, NULL, E_BAD_REQUEST},
    {"https://user@example.com/", false, NULL, E_BAD_REQUEST},
    {"https://user:pw@example.com/", false, NULL, E_BAD_REQUEST},
    {"https://@example.com/", false, NULL, E_BAD_REQUEST},
    {"https://example.com/\r\nX: y", false, NULL, E_BAD_REQUEST},
    {"https://example.com/a b", false, NULL, E_BAD_REQUEST},
    {"https://exam\x7fple.com/", false, NULL, E_BAD_REQUEST},
    {"https://example.com:0/", false, NULL, E_BAD_REQUEST},
    {"https://example.com:65536/", false, NULL, E_BAD_REQUEST},
    {"https://example.com:x/", false, NULL, E_BAD_REQUEST},
    {"https://[fe80::1%25eth0]/", false, NULL, E_BAD_REQUEST},
    {"https://127.0.0.1/", false, NULL, E_BLOCKED_TARGET},
    {"https://127.0.0.1/", false, "127.0.0.0/8", E_OK},
    {"https://2130706433/", false, NULL, E_BLOCKED_TARGET},
    {"https://0x7f.1/", false, NULL, E_BLOCKED_TARGET},
    {"https://0177.0.0.1/", false, NULL, E_BLOCKED_TARGET},
    {"https://[::1]/", false, NULL, E_BLOCKED_TARGET},
    {"https://[::ffff:10.0.0.1]:80/", false, NULL, E_BLOCKED_TARGET},
    {"https://169.254.169.254/latest", false, "0.0.0.0/0", E_BLOCKED_TARGET},
    {"https://localhost/", false, NULL, E_BLOCKED_TARGET},
    {"https://LOCALHOST./", false, NULL, E_BLOCKED_TARGET},
    {"https://api.localhost/", false, NULL, E_BLOCKED_TARGET},
    {"https://localhost/", false, "127.0.0.0/8", E_OK},
    {"https://notlocalhost/", false, NULL, E_OK},
    {"https://8.8.8.8/", false, NULL, E_OK},
};

static void urls_are_checked_as_text (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof url_rows / sizeof url_rows[0]; i++) {
        const url_row_t *row = &url_rows[i];
        fetch_config_t config = {.allow = row->allow, .allow_http = row->allow_http};
        failure_t failure = {0};
        int code = fetch_check_url (&config, row->url, &failure);
        if (code != row->want)
            fail_msg ("%s gives %d: %s", row->url, code, failure.text);
        assert_int_equal (failure.code, row->want);
    }
}

static void long_and_missing_urls_are_refused (void **state)
{
    (void) state;
    fetch_config_t config = {0};
    failure_t failure = {0};
    char url[4096] = "https://example.com/";
    memset (url + 20, 'a', sizeof url - 21);
    url[sizeof url - 1] = '\0';
    assert_int_equal (fetch_check_url (&config, url, &failure), E_BAD_REQUEST);
    assert_int_equal (fetch_check_url (&config, NULL, &failure), E_BAD_REQUEST);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (classify_follows_table),
        cmocka_unit_test (sockaddr_and_text_agree),
        cmocka_unit_test (allow_list_opens_private_only),
        cmocka_unit_test (bad_lists_are_refused),
        cmocka_unit_test (urls_are_checked_as_text),
        cmocka_unit_test (long_and_missing_urls_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
