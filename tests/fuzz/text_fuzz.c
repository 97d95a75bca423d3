/* text_fuzz.c - libFuzzer target: the small readers of texts. First byte: which; the rest: the text.
 *
 * What a reader takes, its writer writes again; nothing outside the alphabet passes; a signature or a sealed value that nobody made is never good. */
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"
#include "sign/sign.h"
#include "sign/url.h"
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 };

static void check_encodings (bytes_t in)
{
    const char *text = (const char *) in.data;
    uint8_t bytes[TEXT_MAX];
    char again[2 * TEXT_MAX + 1];
    long size = text_read_hex (text, in.size, bytes, sizeof bytes);
    if (size >= 0) {
        text_write_hex (bytes, (size_t) size, again);
        must (strlen (again) == in.size && (size_t) size * 2 == in.size);
        for (size_t i = 0; i < in.size; i++)
            must (again[i] == (text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]));
    }
    size = text_read_base64 (text, in.size, bytes, sizeof bytes);
    if (size >= 0) {
        text_write_base64 (bytes, (size_t) size, again);
        must (strlen (again) == in.size && memcmp (again, text, in.size) == 0);
    }
    size = text_read_base64url (text, in.size, bytes, sizeof bytes);
    if (size >= 0)
        must (text_write_base64url (bytes, (size_t) size, again) == in.size &&
              memcmp (again, text, in.size) == 0);
    /* too little room is refused, never overrun: three bytes take at most four characters */
    uint8_t three[3];
    must (text_read_hex (text, in.size, three, sizeof three) <= 3);
    must (text_read_base64 (text, in.size, three, sizeof three) <= 3);
    must (text_read_base64url (text, in.size, three, sizeof three) <= 3);
}

static void check_written (bytes_t in)
{
    uint8_t bytes[TEXT_MAX];
    char text[2 * TEXT_MAX + 1];
    text_write_base64 (in.data, in.size, text);
    must (text_read_base64 (text, strlen (text), bytes, sizeof bytes) == (long) in.size);
    must (in.size == 0 || memcmp (bytes, in.data, in.size) == 0);
    size_t length = text_write_base64url (in.data, in.size, text);
    must (text_read_base64url (text, length, bytes, sizeof bytes) == (long) in.size);
    must (in.size == 0 || memcmp (bytes, in.data, in.size) == 0);
}

static void check_time (const char *text, size_t length)
{
    int64_t ms = -1, again = -2;
    char iso[CLOCK_ISO_SIZE];
    if (clock_read_iso (text, length, &ms) == 0) {
        clock_write_iso (ms, iso);
        must (clock_read_iso (iso, strlen (iso), &again) == 0);
        /* an offset may put the moment outside of the years that can be written */
        must (again == ms || strncmp (iso, "0000-01-01", 10) == 0 ||
              strncmp (iso, "9999-12-31", 10) == 0);
    }
    if (text_read_duration (text, &ms))
        must (ms >= 0 && text[0] >= '0' && text[0] <= '9');
}

static void check_words (const char *text)
{
    size_t length = strlen (text);
    if (text_is_e164 (text))
        must (text[0] == '+' && text[1] >= '1' && length >= 3 && length <= 16 &&
              strspn (text + 1, "0123456789") == length - 1);
    if (text_is_token (text))
        must (length > 0 && strcspn (text, " \t\r\n:;,\"()<>@/[]?={}\\") == length);
    if (text_is_header_value (text))
        must (strcspn (text, "\r\n") == length);
    int code = error_read (text);
    must (code == 0 || strcmp (error_name (code), text) == 0);
}

static void check_utf8 (const char *text, size_t length)
{
    size_t at = 0, points = 0, step;
    while (at < length && (step = text_utf8_step (text + at, length - at)) > 0) {
        at += step;
        points++;
    }
    must (text_is_utf8 (text, length) == (at == length));
    must (at < length || text_code_points (text, length) == points);
}

static keyring_t *keyring_of (bytes_t file)
{
    keyring_t *keyring = NULL;
    failure_t failure = {0};
    char path[64];
    int fd = memfd_create ("keyring", MFD_CLOEXEC);
    must (fd >= 0 && fchmod (fd, 0600) == 0);
    must (write (fd, file.data, file.size) == (ssize_t) file.size);
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    int code = keyring_open (path, &keyring, &failure);
    close (fd);
    must (code == failure.code && (code == 0) == (keyring != NULL));
    must (code == 0 || code == E_CORRUPT);
    return keyring;
}

static void check_keyring (bytes_t in)
{
    keyring_t *keyring = keyring_of (in);
    buf_t sealed = {0}, clear = {0};
    id16_t owner = {{1}};
    if (keyring) {
        keyring_seal (keyring, owner, "fuzz", in, &sealed);
        must (keyring_open_sealed (keyring, owner, "fuzz", buf_bytes (&sealed), &clear) == 0);
        must (bytes_equal (buf_bytes (&clear), in));
    }
    buf_free (&sealed);
    buf_free (&clear);
    keyring_close (&keyring);
}

/* A key file that is known, so that the corpus can name its key. */
static void check_sealed (bytes_t in)
{
    const char file[] =
        "aviary-keyring 1\nroot "
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\nseal 01020304\n";
    keyring_t *keyring = keyring_of (bytes_of_str (file));
    buf_t sealed = {0}, clear = {0};
    id16_t owner = {{1}}, other = {{2}};
    must (keyring_open_sealed (keyring, owner, "fuzz", in, &clear) == E_CORRUPT && !clear.size);
    keyring_seal (keyring, owner, "fuzz", in, &sealed);
    must (keyring_open_sealed (keyring, other, "fuzz", buf_bytes (&sealed), &clear) == E_CORRUPT);
    must (keyring_open_sealed (keyring, owner, "gulp", buf_bytes (&sealed), &clear) == E_CORRUPT);
    must (clear.size == 0);
    keyring_close (&keyring);
    buf_free (&sealed);
    buf_free (&clear);
}

/* "PATH?QUERY", as sent. */
static void check_link (char *text)
{
    static const uint8_t key[SIGN_KEY_SIZE] = {7};
    char *query = strchr (text, '?');
    if (query)
        *query++ = 0;
    must (sign_url_verify (key, text, query ? query : "", 1, NULL) == E_FORBIDDEN);
    buf_t link = {0};
    sign_url (key, text, 2000, &link);
    if (!buf_failed (&link)) {
        buf_add_byte (&link, 0);
        char *made = (char *) link.data, *mark = strchr (made, '?');
        must (mark != NULL);
        *mark = 0;
        must (sign_url_verify (key, made, mark + 1, 1999, NULL) == 0);
        must (sign_url_verify (key, made, mark + 1, 2000, NULL) == E_FORBIDDEN);
    }
    buf_free (&link);
}

static void check_webhook (const char *secret, size_t length)
{
    buf_t out = {0};
    int code = sign_webhook (secret, "msg_1", 1760000000, bytes_of_str ("{}"), &out);
    must (code == 0 || code == E_BAD_REQUEST);
    must (code ? out.size == 0 : out.size == 3 + 44 && length >= 6 + 32 && length <= 6 + 88);
    buf_free (&out);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0 || size > TEXT_MAX)
        return 0;
    bytes_t in = bytes_of (data + 1, size - 1);
    char *text = text_of (in);
    switch (data[0] % 8) {
    case 0:
        check_encodings (in);
        break;
    case 1:
        check_written (in);
        break;
    case 2:
        check_time (text, in.size);
        break;
    case 3:
        check_utf8 (text, in.size);
        check_words (text);
        break;
    case 4:
        check_keyring (in);
        break;
    case 5:
        check_sealed (in);
        break;
    case 6:
        check_link (text);
        break;
    default:
        check_webhook (text, strlen (text));
    }
    free (text);
    return 0;
}
