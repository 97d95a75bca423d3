/* receiver.c - what receivers answer as text, and how often they are asked again: pure, over bytes that others wrote. Cannot fail but for memory. */
#include "base/text.h"
#include "webhooks.h"

#include <stdio.h>
#include <string.h>

size_t retry_steps_read (const char *text, uint32_t *steps, size_t most)
{
    size_t count = 0;
    char part[32];
    for (const char *at = text; at && count < most;) {
        size_t length = strcspn (at, ",");
        int64_t ms;
        snprintf (part, sizeof part, "%.*s", (int) length, at);
        if (!text_read_duration (part, &ms) || ms > UINT32_MAX)
            break;
        steps[count++] = (uint32_t) ms;
        at = at[length] ? at + length + 1 : NULL;
    }
    return count;
}

const char *answer_text (arena_t *arena, bytes_t body)
{
    char *text = arena_strndup (arena, (const char *) body.data, body.size);
    for (size_t i = 0; text && i < body.size;) {
        size_t step = text_utf8_step (text + i, body.size - i);
        bool breaks = text[i] == '\n' || text[i] == '\t';
        if (step == 0 || (step == 1 && !breaks && (text[i] < ' ' || text[i] == 127)))
            text[i] = '.';
        i += step ? step : 1;
    }
    return text;
}
