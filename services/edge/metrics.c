/* metrics.c - Prometheus texts of many processes as one: samples of a family stand together, with one HELP and one TYPE. */
#include "edge.h"

#include <string.h>

enum { FAMILIES_MAX = 2048 };

typedef struct family {
    bytes_t name;
    bytes_t help; /* whole lines */
    bytes_t type;
    buf_t samples;
} family_t;

typedef struct merge {
    arena_t *arena;
    family_t *families;
    size_t count;
    family_t *current;
} merge_t;

static family_t *family_of (merge_t *self, bytes_t name)
{
    for (size_t i = 0; i < self->count; i++)
        if (bytes_equal (self->families[i].name, name))
            return &self->families[i];
    if (self->count == FAMILIES_MAX)
        return NULL;
    family_t *f = &self->families[self->count++];
    f->name = name;
    f->samples = buf_in (self->arena);
    return f;
}

static bytes_t word_of (bytes_t text, const char *ends)
{
    size_t n = 0;
    while (n < text.size && !strchr (ends, text.data[n]))
        n++;
    return bytes_of (text.data, n);
}

/* Samples of a histogram belong to the family whose name they begin with. */
static bool is_of (const family_t *family, bytes_t name)
{
    static const char *const tails[] = {"", "_bucket", "_sum", "_count"};
    if (name.size < family->name.size ||
        memcmp (name.data, family->name.data, family->name.size) != 0)
        return false;
    bytes_t tail = bytes_of (name.data + family->name.size, name.size - family->name.size);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (bytes_equal (tail, bytes_of_str (tails[i])))
            return true;
    return false;
}

static void line_take (merge_t *self, bytes_t line)
{
    bool help = line.size > 7 && memcmp (line.data, "# HELP ", 7) == 0,
         type = line.size > 7 && memcmp (line.data, "# TYPE ", 7) == 0;
    if (help || type) {
        self->current = family_of (self, word_of (bytes_of (line.data + 7, line.size - 7), " "));
        if (self->current && help)
            self->current->help = line;
        else if (self->current)
            self->current->type = line;
        return;
    }
    if (line.size == 0 || line.data[0] == '#')
        return;
    bytes_t name = word_of (line, "{ ");
    family_t *family =
        self->current && is_of (self->current, name) ? self->current : family_of (self, name);
    if (!family)
        return;
    buf_add (&family->samples, line.data, line.size);
    buf_add_byte (&family->samples, '\n');
}

static void line_add (buf_t *out, bytes_t line)
{
    if (line.size == 0)
        return;
    buf_add (out, line.data, line.size);
    buf_add_byte (out, '\n');
}

void metrics_merge (bytes_t text, buf_t *out)
{
    merge_t self = {.arena = out->arena};
    self.families = arena_array_of (out->arena, family_t, FAMILIES_MAX);
    while (self.families && text.size) {
        bytes_t line = word_of (text, "\n");
        line_take (&self, line);
        size_t taken = line.size < text.size ? line.size + 1 : line.size;
        text = bytes_of (text.data + taken, text.size - taken);
    }
    for (size_t i = 0; i < self.count; i++) {
        line_add (out, self.families[i].help);
        line_add (out, self.families[i].type);
        buf_add (out, self.families[i].samples.data, self.families[i].samples.size);
    }
}
