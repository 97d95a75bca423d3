/* loopback_template.c - the message templates that test numbers have, as a business account of Meta's lists its own. */
#include "provider/provider.h"

static const provider_sample_t samples[] = {
    {.id = {{0x01, 0x93, 0x4f, 0x00, 0, 0x01, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}},
     .name = "hello_world",
     .language = "en_US",
     .body = "Welcome to Aviary. This message shows that your templates are set up.",
     .variables = 0},
    {.id = {{0x01, 0x93, 0x4f, 0x00, 0, 0x02, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 2}},
     .name = "order_update",
     .language = "en_US",
     .body = "Hi {{1}}, your order {{2}} is on its way.",
     .variables = 2},
};

const provider_sample_t *provider_samples (size_t *count)
{
    *count = sizeof samples / sizeof *samples;
    return samples;
}
