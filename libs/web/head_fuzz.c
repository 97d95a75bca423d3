/* head_fuzz.c - request heads and bodies in chunks: whatever comes in whatever pieces, the same is read, within the text, and what is taken is taken again.
 *
 * The first byte says in which pieces; the rest is looked at as a head and as a body. */
#include "web/head.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void must (bool true_here)
{
    if (!true_here)
        abort ();
}

/* Exactly so large, so that a byte beyond is seen. */
static char *copy_of (const char *text, size_t size)
{
    char *copy = malloc (size > 0 ? size : 1);
    if (copy == NULL)
        exit (0);
    if (size > 0)
        memcpy (copy, text, size);
    return copy;
}

/* ---- heads ---- */

static size_t end_in_pieces (const char *text, size_t size, size_t step)
{
    size_t end = 0, looked = 0;
    for (size_t here = 0; end == 0 && here < size; looked = here) {
        here = size - here < step ? size : here + step;
        char *copy = copy_of (text, here);
        end = head_end (copy, here, looked);
        free (copy);
    }
    return end;
}

static const char *word_at (const char *text, size_t size, uint32_t offset)
{
    must (offset < size && memchr (text + offset, '\0', size - offset) != NULL);
    return text + offset;
}

static void word_is_sound (const char *word, unsigned char least)
{
    for (; *word != '\0'; word++)
        must (((unsigned char) *word >= least || *word == '\t') && *word != 0x7f);
}

/* The same request, as one that sends nothing else would write it; NULL without memory. */
static char *head_again (const char *text, const head_t *head, size_t *size)
{
    char *out = NULL;
    FILE *file = open_memstream (&out, size);
    if (file == NULL)
        return NULL;
    const char *query = text + head->query;
    fprintf (file, "%s %s%s%s HTTP/1.%d\r\n", text + head->method, text + head->path,
             *query != '\0' ? "?" : "", query, head->is_11);
    for (unsigned i = 0; i < head->line_count; i++)
        fprintf (file, "%s:%s \r\n", text + head->lines[i].name, text + head->lines[i].value);
    fputs ("\r\n", file);
    fclose (file);
    return out;
}

static void same_head (const char *a, const head_t *first, const char *b, const head_t *second)
{
    must (strcmp (a + first->method, b + second->method) == 0);
    must (strcmp (a + first->path, b + second->path) == 0);
    must (strcmp (a + first->query, b + second->query) == 0);
    must (first->length == second->length && first->is_11 == second->is_11);
    must (first->closes == second->closes && first->expects == second->expects);
    must (first->continues == second->continues && first->line_count == second->line_count);
    for (unsigned i = 0; i < first->line_count; i++) {
        must (strcmp (a + first->lines[i].name, b + second->lines[i].name) == 0);
        must (strcmp (a + first->lines[i].value, b + second->lines[i].value) == 0);
    }
}

static void head_is_sound (const char *text, size_t size, const head_t *head)
{
    word_is_sound (word_at (text, size, head->method), '!');
    const char *path = word_at (text, size, head->path);
    word_is_sound (path, '!');
    must (*path == '/' || (strcmp (path, "*") == 0 && strcmp (text, "OPTIONS") == 0));
    word_is_sound (word_at (text, size, head->query), '!');
    must (head->size == size && head->has_method && head->length >= -1);
    must (head->line_count <= HEAD_LINES_MAX && (head->expects || !head->continues));
    for (unsigned i = 0; i < head->line_count; i++) {
        word_is_sound (word_at (text, size, head->lines[i].name), '!');
        word_is_sound (word_at (text, size, head->lines[i].value), ' ');
    }
}

/* What a head that was taken must have been, told from its bytes alone. */
static void text_was_strict (const char *text, size_t size)
{
    must (memchr (text, '\0', size) == NULL);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            must (i > 0 && text[i - 1] == '\r' &&
                  (i + 1 == size || (text[i + 1] != ' ' && text[i + 1] != '\t')));
        if (text[i] == '\r')
            must (i + 1 < size && text[i + 1] == '\n');
    }
}

static void head_try (const char *sent, size_t size)
{
    char *text = copy_of (sent, size);
    head_t head, second;
    int status = head_read (text, size, &head);
    must (status == 0 || status == 400 || status == 431 || status == 505);
    if (head.has_method) {
        word_is_sound (word_at (text, size, head.method), '!');
        word_is_sound (word_at (text, size, head.path), '!');
        word_is_sound (word_at (text, size, head.query), '!');
    }
    must ((status == 0) == (head.size != 0));
    must (status != 0 || head.is_11 || !head.expects);
    if (status == 0) {
        size_t again_size;
        head_is_sound (text, size, &head);
        text_was_strict (sent, size);
        char *again = head_again (text, &head, &again_size);
        if (again != NULL) {
            must (head_end (again, again_size, 0) == again_size);
            must (head_read (again, again_size, &second) == 0);
            same_head (text, &head, again, &second);
        }
        free (again);
    }
    free (text);
}

/* ---- chunks ---- */

typedef struct told {
    bool sound;
    bool ended;
    size_t used;
    size_t got;
    char *body;
} told_t;

/* The body in pieces of `step` bytes, with room for as many. */
static told_t chunks_in_pieces (const char *in, size_t size, size_t step, size_t room)
{
    told_t told = {.sound = true, .body = malloc (size + 1)};
    chunks_t chunks = {0};
    if (told.body == NULL)
        exit (0);
    while (told.sound && told.used < size && !chunks_end (&chunks)) {
        size_t span = size - told.used < step ? size - told.used : step, used, got;
        char *piece = copy_of (in + told.used, span), *out = malloc (room);
        if (out == NULL)
            exit (0);
        told.sound = chunks_take (&chunks, piece, span, &used, out, room, &got);
        must (used <= span && got <= room && got <= used);
        must (used > 0);
        memcpy (told.body + told.got, out, got);
        told.used += used;
        told.got += got;
        free (piece);
        free (out);
    }
    told.ended = chunks_end (&chunks);
    return told;
}

static void chunks_try (const char *in, size_t size, size_t step, size_t room)
{
    told_t whole = chunks_in_pieces (in, size, size + 1, size + 1);
    told_t parts = chunks_in_pieces (in, size, step, room);
    must (whole.sound == parts.sound && whole.ended == parts.ended);
    must (whole.used == parts.used && whole.got == parts.got);
    must (memcmp (whole.body, parts.body, whole.got) == 0);
    if (whole.sound && !whole.ended)
        must (whole.used == size);
    free (whole.body);
    free (parts.body);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *) data + 1;
    size_t step = 1 + data[0] % 16, room = 1 + data[0] / 16;
    size--;
    size_t end = head_end (text, size, 0);
    must (end <= size && end == end_in_pieces (text, size, step));
    if (end > 0)
        head_try (text, end);
    chunks_try (text, size, step, room);
    return 0;
}
