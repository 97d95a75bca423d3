/* contact_ops.c - make, read and change a contact. */
#include "base/msgpack.h"
#include "base/text.h"
#include "inbox.h"
#include <string.h>

enum { METADATA_MOST = 65536, NAME_MOST = 200, EMAIL_MOST = 255 };

/* One "@" with something on both sides, a dot in the domain, no spaces: as the format `email` of the schemas. */
static bool is_email (const char *text)
{
    const char *at = strchr (text, '@'), *dot = at ? strrchr (at, '.') : NULL;
    return at && at > text && dot && dot > at + 1 && dot[1] && !strchr (at + 1, '@') &&
           !strpbrk (text, " \t\r\n");
}

static int metadata_check (turn_t *t, bytes_t metadata)
{
    mp_reader_t in = mp_read (metadata);
    if (mp_peek (&in) != MP_MAP)
        return fail (t, E_BAD_REQUEST, "metadata", "metadata must be an object");
    return metadata.size > METADATA_MOST
               ? fail (t, E_BAD_REQUEST, "metadata", "metadata is too large")
               : 0;
}

/* What stands for "none": an array of one null. */
static bool is_none (bytes_t metadata)
{
    mp_reader_t in = mp_read (metadata);
    return mp_read_array (&in) == 1 && mp_read_nil (&in);
}

static int text_check (turn_t *t, const char *name, const char *email)
{
    if (name && text_code_points (name, strlen (name)) > NAME_MOST)
        return fail (t, E_BAD_REQUEST, "name", "name has at most %d characters", NAME_MOST);
    if (email && *email && (strlen (email) > EMAIL_MOST || !is_email (email)))
        return fail (t, E_BAD_REQUEST, "email", "email is not an e-mail address");
    return 0;
}

static const char *text_or_none (const char *text)
{
    return text && *text ? text : NULL;
}

static int create_check (turn_t *t, const inbox_contact_create_in_t *in,
                         const inbox_number_t *number)
{
    inbox_contact_t there = {0};
    bool erased = false;
    int code = text_check (t, in->name, in->email);
    if (code == 0 && in->metadata.size)
        code = metadata_check (t, in->metadata);
    if (code)
        return code;
    if (!text_is_e164 (in->phone_number))
        return fail (t, E_INVALID_PHONE_NUMBER, "phone_number", "phone_number must be E.164");
    if (id_is_nil (in->contact) || id_is_nil (in->conversation) ||
        !id_equal (in->number_id, number->id))
        return fail (t, E_BAD_REQUEST, "phone_number", "The thread was not ensured");
    code = contact_find (t, number->id, in->phone_number, &there);
    if (code == 0)
        return fail (t, E_BAD_REQUEST, "phone_number",
                     "There is a contact with this phone number already");
    if (code != E_NOT_FOUND)
        return code;
    code = thread_is_erased (t, in->contact, in->conversation, &erased);
    return erased ? fail (t, E_UNAVAILABLE, NULL, "The former contact is just being deleted")
                  : code;
}

int inbox_contact_create (turn_t *t, const inbox_contact_create_in_t *in, inbox_contact_told_t *out)
{
    inbox_number_t number;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = create_check (t, in, &number);
    if (code)
        return code;
    inbox_contact_t row = {.id = in->contact,
                           .org = number.org,
                           .number = number.id,
                           .phone = in->phone_number,
                           .name = text_or_none (in->name),
                           .named = text_or_none (in->name) != NULL,
                           .email = text_or_none (in->email),
                           .metadata = in->metadata,
                           .source = INBOX_CONTACT_SOURCE_API,
                           .conversation = in->conversation,
                           .created_at = t->now,
                           .test = number.test};
    code = contact_insert (t, &row, number.number);
    *out = contact_told (&row, number.number);
    return code;
}

int inbox_contact_get (turn_t *t, const inbox_contact_get_in_t *in, inbox_contact_told_t *out)
{
    inbox_number_t number;
    inbox_contact_t row = {0};
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = contact_of (t, &number, in->id, &row);
    *out = contact_told (&row, number.number);
    return code;
}

int inbox_contact_update (turn_t *t, const inbox_contact_update_in_t *in, inbox_contact_told_t *out)
{
    inbox_number_t number;
    inbox_contact_t old = {0}, row;
    int code = number_of (t, in->number_ref, &number);
    if (code == 0)
        code = contact_of (t, &number, in->id, &old);
    if (code == 0)
        code = text_check (t, in->name, in->email);
    if (code == 0 && in->metadata.size && !is_none (in->metadata))
        code = metadata_check (t, in->metadata);
    if (code)
        return code;
    row = old;
    if (in->name) {
        row.name = text_or_none (in->name);
        row.named = row.name != NULL;
    }
    if (in->email)
        row.email = text_or_none (in->email);
    if (in->metadata.size)
        row.metadata = is_none (in->metadata) ? (bytes_t){0} : in->metadata;
    code = contact_change (t, &old, &row, number.number);
    *out = contact_told (&row, number.number);
    return code;
}
