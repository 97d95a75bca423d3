/* url_fuzz.c - a customer's URL as text, and an answer's headers: no bytes may crash the checks. */
#include "fetch/fetch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *text = malloc (size + 1);
    if (text == NULL)
        return 0;
    if (size > 0)
        memcpy (text, data, size);
    text[size] = '\0';
    fetch_config_t config = {.allow = "127.0.0.0/8,::1", .allow_http = true};
    failure_t failure = {0};
    if (fetch_check_url (&config, text, &failure) != failure.code)
        abort ();
    config.allow = text;
    fetch_check_url (&config, "https://127.0.0.1/", NULL);
    fetch_answer_t answer = {.headers = text};
    bytes_t value;
    if (fetch_header (&answer, "Retry-After", &value) && value.size > size)
        abort ();
    free (text);
    return 0;
}
