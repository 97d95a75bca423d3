/* text.h - checks of text from outside. */
#ifndef AVIARY_BASE_TEXT_H
#define AVIARY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool text_is_utf8 (const char *text,
                   size_t length); /* strict: no surrogates, no overlong, no NUL */
size_t text_code_points (const char *text, size_t length); /* of valid UTF-8 */
/* Bytes of the one UTF-8 sequence that `text` starts with, 1 to 4; 0 if it is not valid, cut short,
 * NUL or nothing. */
size_t text_utf8_step (const char *text, size_t length);
bool text_is_visible (const char *text, size_t length); /* visible ASCII, not empty */
bool text_is_e164 (const char *text);                   /* ^\+[1-9]\d{1,14}$ */
bool text_is_token (const char *text);        /* RFC 9110 token (header names), not empty */
bool text_is_header_value (const char *text); /* visible ASCII, space, tab; no CR, LF, NUL */
/* A decimal number and its NUL; the length. */
enum { TEXT_NUMBER_SIZE = 24 };
size_t text_write_int (int64_t value, char out[TEXT_NUMBER_SIZE]);
/* Bytes <-> text. Writers add the NUL. Readers: bytes written, or -1 if anything is not of the
 * alphabet or too long. */
void text_write_hex (const uint8_t *data, size_t size, char *out /* 2 * size + 1 */);
long text_read_hex (const char *text, size_t length, uint8_t *out, size_t capacity);
void text_write_base64 (const uint8_t *data, size_t size, char *out /* (size + 2) / 3 * 4 + 1 */);
long text_read_base64 (const char *text, size_t length, uint8_t *out, size_t capacity);
/* The URL alphabet without padding; returns the length. Readers take nothing that the writer would not have written. */
size_t text_write_base64url (const uint8_t *data, size_t size, char *out /* as of base64 */);
long text_read_base64url (const char *text, size_t length, uint8_t *out, size_t capacity);
/* "10m", "2h", "250ms", "7d", "30s", plain number = seconds; to milliseconds. false if not a
 * duration. */
bool text_read_duration (const char *text, int64_t *out_ms);

#endif
