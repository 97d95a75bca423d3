/* media_upload.c - operations whose body is a multipart form with a file: the file goes piece by piece into the blob folder, the form's other fields into the core op's
 * `in`; then the op is asked as any other.
 *
 * How it fails: whatever is wrong with the form or the file is told before anything is asked, and nothing is left on disk. A blob whose op was refused is removed, one whose
 * op nobody answered stays pending: the sweep (messaging) finds out whether it is wanted. A replayed answer names the first upload's file; the second goes. */
#include "edge.h"

#include "base/text.h"
#include "web/multipart.h"

#include "gen/messaging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FORM_MORE = 1 << 20, /* beside the file: other parts, headers, what is ignored */
    FIELDS_MAX = 8,
    FIELD_SIZE = 1024,
    CLAIM_SIZE = 128,
    FILENAME_POINTS = 240 /* code points */
};

typedef struct form_field {
    bool given;
    size_t size;
    char text[FIELD_SIZE];
} form_field_t;

/* Off the arena: running out of that must not leave a writer open. */
typedef struct upload {
    exchange_t *x;
    const schema_type_t *view;
    blob_writer_t *writer;
    blob_seen_t seen;
    uint8_t sha256[BLOB_SHA256_SIZE];
    char claimed[CLAIM_SIZE];
    char filename[FIELD_SIZE]; /* of the file's part */
    bool in_file;
    form_field_t *current; /* NULL: a part that is not looked at */
    form_field_t fields[FIELDS_MAX];
} upload_t;

/* ---- the form, as it comes ---- */

static form_field_t *field_of (upload_t *self, const char *name)
{
    for (size_t i = 0; i < self->view->field_count && i < FIELDS_MAX; i++)
        if (strcmp (self->view->fields[i].name, name) == 0)
            return &self->fields[i];
    return NULL;
}

static int twice (failure_t *failure, const char *name)
{
    return failure_set (failure, E_BAD_REQUEST, name, "%s stands twice in the form", name);
}

static int file_begin (upload_t *self, const multipart_part_t *part, failure_t *failure)
{
    if (self->writer)
        return twice (failure, part->name);
    snprintf (self->claimed, sizeof self->claimed, "%s",
              part->content_type ? part->content_type : "");
    snprintf (self->filename, sizeof self->filename, "%s", part->filename ? part->filename : "");
    self->in_file = true;
    return blob_writer_new (self->x->edge->media, blob_kind_limit (BLOB_KIND_COUNT), &self->writer,
                            failure);
}

static int part_begin (void *context, const multipart_part_t *part, failure_t *failure)
{
    upload_t *self = context;
    self->in_file = false;
    self->current = NULL;
    if (strcmp (part->name, self->x->op->upload) == 0)
        return file_begin (self, part, failure);
    self->current = field_of (self, part->name);
    if (self->current && self->current->given)
        return twice (failure, part->name);
    if (self->current)
        self->current->given = true;
    return 0;
}

static int part_data (void *context, bytes_t data, failure_t *failure)
{
    upload_t *self = context;
    form_field_t *field = self->current;
    if (self->in_file)
        return blob_writer_add (self->writer, data, failure);
    if (!field)
        return 0;
    if (data.size > sizeof field->text - 1 - field->size)
        return failure_set (failure, E_BAD_REQUEST, self->view->fields[field - self->fields].name,
                            "A field of a form is at most %d bytes", FIELD_SIZE - 1);
    memcpy (field->text + field->size, data.data, data.size);
    field->size += data.size;
    return 0;
}

static long body_pull (void *context, void *out, size_t size)
{
    return web_body_piece (context, out, size);
}

static int form_read (upload_t *self, failure_t *failure)
{
    web_request_t *web = self->x->web;
    multipart_limits_t limits = {.body = blob_kind_limit (BLOB_KIND_COUNT) + FORM_MORE};
    multipart_sink_t sink = {.begin = part_begin, .data = part_data, .context = self};
    if (web_body_length (web) > (int64_t) limits.body)
        return failure_set (failure, E_MEDIA_TOO_LARGE, self->x->op->upload,
                            "the file is larger than %llu bytes",
                            (unsigned long long) blob_kind_limit (BLOB_KIND_COUNT));
    web_body_allow (web, self->x->edge->upload_timeout_ms);
    int code =
        multipart_read (web_header (web, "Content-Type"), body_pull, web, &limits, &sink, failure);
    if (code == E_TIMEOUT) /* the client's doing, not a service that does not answer */
        return failure_set (failure, E_BAD_REQUEST, "", "The body came too slowly");
    if (code == 0 && !self->writer)
        return failure_set (failure, E_BAD_REQUEST, self->x->op->upload,
                            "The form has no part %s with a file", self->x->op->upload);
    return code ? code : blob_writer_end (self->writer, &self->seen, self->sha256, failure);
}

/* ---- the core op's `in` ---- */

typedef struct filling {
    upload_t *upload;
    failure_t *failure;
} filling_t;

static int fields_read (exchange_t *x, upload_t *upload, failure_t *failure)
{
    schema_ctx_t ctx = exchange_ctx (x);
    int code = 0;
    for (size_t i = 0; i < upload->view->field_count && i < FIELDS_MAX && !code; i++) {
        const schema_field_t *field = &upload->view->fields[i];
        const form_field_t *given = &upload->fields[i];
        if (!given->given)
            code = schema_text_absent (field, &ctx, x->arena, x->in, failure);
        else if (!text_is_utf8 (given->text, given->size))
            code = failure_set (failure, E_BAD_REQUEST, field->name, "%s is not UTF-8 text",
                                field->name);
        else
            code = schema_text_read (field, &ctx, given->text, x->arena, x->in, failure);
    }
    return code;
}

static bool is_file_name (const char *name)
{
    size_t length = strlen (name);
    if (strcmp (name, ".") == 0 || strcmp (name, "..") == 0 || strpbrk (name, "/\\"))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char) name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return text_is_utf8 (name, length) && text_code_points (name, length) <= FILENAME_POINTS;
}

/* What the form and the bytes say together. */
static int file_told (exchange_t *x, const upload_t *upload, messaging_media_adopt_in_t *in,
                      failure_t *failure)
{
    char hex[2 * BLOB_SHA256_SIZE + 1];
    const char *word = in->kind ? schema_enum_word (&messaging_kind_enum, in->kind) : NULL;
    blob_kind_t kind = word ? blob_kind_read (word) : blob_kind_of (&upload->seen);
    if (kind == BLOB_KIND_COUNT) /* nothing takes it: let the widest kind say why */
        kind = BLOB_KIND_DOCUMENT;
    int code = blob_type_check (kind, upload->claimed, &upload->seen, failure);
    if (code)
        return code;
    if (!in->filename || !*in->filename)
        in->filename = *upload->filename ? arena_strdup (x->arena, upload->filename) : NULL;
    if (in->filename && !is_file_name (in->filename))
        return failure_set (failure, E_BAD_REQUEST, "filename",
                            "filename is a name of up to %d characters, without a path",
                            FILENAME_POINTS);
    word = blob_kind_name (kind);
    in->kind = schema_enum_read (&messaging_kind_enum, word, strlen (word));
    in->mime_type = blob_type_mime (upload->seen.type);
    in->size = (int64_t) upload->seen.size;
    in->animated = upload->seen.animated;
    text_write_hex (upload->sha256, sizeof upload->sha256, hex);
    in->sha256 = arena_strdup (x->arena, hex);
    return 0;
}

/* The fingerprint is of what the file is, not of this upload's id. */
static int request_fill (exchange_t *x, void *more)
{
    const filling_t *filling = more;
    int code = request_begin (x);
    if (!code)
        code = fields_read (x, filling->upload, filling->failure);
    if (!code)
        code = request_rest (x, filling->failure);
    if (!code)
        code = file_told (x, filling->upload, x->in, filling->failure);
    if (!code)
        code = request_pack (x, filling->failure);
    if (!code)
        sign_sha256 (x->packed, x->fingerprint);
    if (code)
        return code;
    ((messaging_media_adopt_in_t *) x->in)->id = x->blob;
    return request_pack (x, filling->failure);
}

/* ---- after the ask ---- */

static int answer_unpack (exchange_t *x, void *more)
{
    const call_t *call = more;
    messaging_media_adopt_out_t *out = arena_new_of (x->arena, messaging_media_adopt_out_t);
    int code = schema_unpack (&messaging_media_adopt_out_type, buf_bytes (&call->answer), x->arena,
                              out, NULL);
    x->blob_wanted = code == 0 && id_equal (out->id, x->blob);
    return code;
}

/* Was it taken, refused, or does nobody know? */
static void upload_settle (exchange_t *x, call_t *call, int code)
{
    if (code == 0 && exchange_guard (x, answer_unpack, call))
        return;
    error_class_t class = code ? error_class (code) : EC_INPUT;
    if (class == EC_UNAVAILABLE || class == EC_INTERNAL || class == EC_SIGNAL)
        return;
    if (code == 0 && x->blob_wanted)
        blobs_adopt (x->edge->media, x->blob, NULL);
    else
        blobs_delete (x->edge->media, x->blob, NULL);
}

/* ---- all of it ---- */

static int upload_run (exchange_t *x, upload_t *upload, failure_t *failure)
{
    filling_t filling = {.upload = upload, .failure = failure};
    int code = form_read (upload, failure);
    if (code)
        return code;
    code = exchange_guard (x, request_fill, &filling);
    if (code && !failure->code)
        return failure_set (failure, code, "", "The request needs more memory than it may use");
    return code ? code : blob_writer_finish (&upload->writer, x->blob, failure);
}

web_next_t upload_begin (exchange_t *x)
{
    failure_t failure = {0};
    upload_t *upload = calloc (1, sizeof *upload);
    if (!upload)
        return answer_fail (x, E_NO_MEMORY, NULL, NULL);
    upload->x = x;
    upload->view = x->op->body_view;
    x->blob = edge_new_id (x->edge);
    x->settle = upload_settle;
    int code = upload->view && x->op->op->in == &messaging_media_adopt_in_type
                   ? upload_run (x, upload, &failure)
                   : failure_set (&failure, E_INTERNAL, "", "nobody takes this operation's file");
    blob_writer_destroy (&upload->writer);
    free (upload);
    return code ? answer_failure (x, &failure, false) : ask_begin (x);
}
