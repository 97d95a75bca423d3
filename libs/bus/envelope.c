/* envelope.c - headers and failures, written and read.
 *
 * A header is a msgpack array: the version, then the fields of the table below in its order. Absent fields are nil, trailing ones
 * are left out, and fields that a newer version appends are passed over. Every field has a limit; the first one that does not fit
 * is E_BAD_REQUEST with its name. The routing fields stand first, so that the broker replaces sender and ttl without
 * understanding the rest. */
#include "bus/envelope.h"

#include "base/msgpack.h"
#include "base/text.h"

#include <string.h>

typedef enum header_kind {
    HEADER_KIND,
    HEADER_ID,
    HEADER_TEXT,
    HEADER_U32,
    HEADER_PRINCIPAL,
    HEADER_BOOL,
    HEADER_IDEM
} header_kind_t;

typedef struct header_field {
    const char *name;
    header_kind_t kind;
    size_t offset;
    size_t max; /* bytes of text */
} header_field_t;

#define AT(member) offsetof (envelope_t, member)

static const header_field_t header_fields[] = {
    {"kind", HEADER_KIND, AT (kind), 0},
    {"id", HEADER_ID, AT (id), 0},
    {"target", HEADER_TEXT, AT (target), ENVELOPE_TARGET_MAX},
    {"ttl_ms", HEADER_U32, AT (ttl_ms), 0},
    {"sender", HEADER_TEXT, AT (sender), ENVELOPE_NAME_MAX},
    {"org", HEADER_ID, AT (org), 0},
    {"count", HEADER_U32, AT (count), 0},
    {"principal", HEADER_PRINCIPAL, AT (principal), 0},
    {"principal_id", HEADER_ID, AT (principal_id), 0},
    {"app", HEADER_ID, AT (app), 0},
    {"test", HEADER_BOOL, AT (test), 0},
    {"subject", HEADER_TEXT, AT (subject), 255},
    {"trace", HEADER_TEXT, AT (trace), 128},
    {"request_id", HEADER_TEXT, AT (request_id), 128},
    {"idempotency", HEADER_IDEM, AT (idem), 0},
    {"replayed", HEADER_BOOL, AT (replayed), 0},
    {"first_request_id", HEADER_TEXT, AT (first_request_id), 128},
};

enum {
    FIELD_COUNT = sizeof header_fields / sizeof header_fields[0],
    ROUTE_COUNT = 7, /* kind to count */
    SUBJECT_AT = 4,  /* behind them; trace follows */
    VALUES_MAX = 48, /* of this and newer versions */
    IDEM_COUNT = 6,
    IDEM_MORE = 8, /* with how long to wait and what is forgotten */
    KEY_MAX = 255  /* characters */
};

_Static_assert(FIELD_COUNT <= 32, "envelope_write has a bit for each");

static const void *field_at (const envelope_t *in, const header_field_t *field)
{
    return (const char *) in + field->offset;
}

static bool text_is_given (const void *at)
{
    const char *text = *(const char *const *) at;
    return text && *text;
}

static bool field_is_given (const header_field_t *field, const void *at)
{
    switch (field->kind) {
    case HEADER_KIND:
        return true;
    case HEADER_ID:
        return !id_is_nil (*(const id16_t *) at);
    case HEADER_TEXT:
        return text_is_given (at);
    case HEADER_U32:
        return *(const uint32_t *) at != 0;
    case HEADER_PRINCIPAL:
        return *(const principal_kind_t *) at != PRINCIPAL_NONE;
    case HEADER_BOOL:
        return *(const bool *) at;
    case HEADER_IDEM:
        return ((const idempotency_t *) at)->key != NULL;
    }
    return false;
}

static void idem_write (const idempotency_t *in, buf_t *out)
{
    bool more = in->wait_ms || in->forgets;
    mp_array (out, more ? IDEM_MORE : IDEM_COUNT);
    mp_str (out, in->dialect);
    mp_id (out, in->scope);
    mp_str (out, in->route);
    mp_str (out, in->key);
    mp_bin (out, in->fingerprint, sizeof in->fingerprint);
    mp_str (out, in->request_id);
    if (!more)
        return;
    mp_int (out, in->wait_ms);
    if (in->forgets)
        mp_bin (out, in->forgets, IDEM_FORGETS / 8);
    else
        mp_nil (out);
}

/* One that is given. */
static void field_write (const header_field_t *field, const void *at, buf_t *out)
{
    switch (field->kind) {
    case HEADER_KIND:
        mp_int (out, (int64_t) * (const envelope_kind_t *) at);
        break;
    case HEADER_ID:
        mp_id (out, *(const id16_t *) at);
        break;
    case HEADER_TEXT:
        mp_str (out, *(const char *const *) at);
        break;
    case HEADER_U32:
        mp_int (out, *(const uint32_t *) at);
        break;
    case HEADER_PRINCIPAL:
        mp_int (out, (int64_t) * (const principal_kind_t *) at);
        break;
    case HEADER_BOOL:
        mp_bool (out, *(const bool *) at);
        break;
    case HEADER_IDEM:
        idem_write (at, out);
        break;
    }
}

void envelope_write (const envelope_t *in, buf_t *out)
{
    uint32_t given = 1; /* a bit for each field; the first always is */
    for (size_t i = 1; i < FIELD_COUNT; i++)
        given |= (uint32_t) field_is_given (&header_fields[i], field_at (in, &header_fields[i]))
                 << i;
    size_t count = 32 - (size_t) __builtin_clz (given);
    mp_array (out, (uint32_t) count + 1);
    mp_int (out, ENVELOPE_VERSION);
    for (size_t i = 0; i < count; i++)
        if (given >> i & 1)
            field_write (&header_fields[i], field_at (in, &header_fields[i]), out);
        else
            mp_nil (out);
}

static int bad (failure_t *failure, const char *field)
{
    return failure_set (failure, E_BAD_REQUEST, field, "the envelope's %s does not fit", field);
}

/* Text within `max` bytes, copied; NULL if nil. False if it does not fit. */
static bool text_read (mp_reader_t *in, size_t max, arena_t *arena, const char **out)
{
    *out = NULL;
    if (mp_read_nil (in))
        return true;
    bytes_t text = mp_read_str (in);
    if (in->failed || text.size > max || !text_is_utf8 ((const char *) text.data, text.size))
        return false;
    *out = arena_strndup (arena, (const char *) text.data, text.size);
    return *out != NULL;
}

static bool number_read (mp_reader_t *in, int64_t max, int64_t *out)
{
    *out = 0;
    if (mp_read_nil (in))
        return true;
    *out = mp_read_int (in);
    return !in->failed && *out >= 0 && *out <= max;
}

static bool idem_read_more (mp_reader_t *in, arena_t *arena, idempotency_t *out)
{
    int64_t wait;
    if (!number_read (in, UINT32_MAX, &wait))
        return false;
    out->wait_ms = (uint32_t) wait;
    if (mp_read_nil (in))
        return true;
    bytes_t bits = mp_read_bin (in);
    if (in->failed || bits.size != IDEM_FORGETS / 8)
        return false;
    out->forgets = arena_memdup (arena, bits.data, bits.size);
    return out->forgets != NULL;
}

static bool idem_read (mp_reader_t *in, arena_t *arena, idempotency_t *out)
{
    if (mp_read_nil (in))
        return true;
    uint32_t count = mp_read_array (in);
    if ((count != IDEM_COUNT && count != IDEM_MORE) ||
        !text_read (in, ENVELOPE_NAME_MAX, arena, &out->dialect))
        return false;
    out->scope = mp_read_id (in);
    if (in->failed || !text_read (in, 255, arena, &out->route) ||
        !text_read (in, (size_t) KEY_MAX * 4, arena, &out->key))
        return false;
    bytes_t print = mp_read_bin (in);
    if (in->failed || print.size != sizeof out->fingerprint ||
        !text_read (in, 128, arena, &out->request_id))
        return false;
    memcpy (out->fingerprint, print.data, sizeof out->fingerprint);
    if (count == IDEM_MORE && !idem_read_more (in, arena, out))
        return false;
    if (!out->dialect || !out->route || !out->key)
        return false;
    size_t points = text_code_points (out->key, strlen (out->key));
    return points >= 1 && points <= KEY_MAX;
}

static bool bool_read (mp_reader_t *in, bool *out)
{
    *out = !mp_read_nil (in) && mp_read_bool (in);
    return !in->failed;
}

static bool field_read (const header_field_t *field, mp_reader_t *in, arena_t *arena, void *at)
{
    int64_t number;
    switch (field->kind) {
    case HEADER_KIND:
        if (!number_read (in, ENV_BYE, &number) || number < ENV_ASK)
            return false;
        *(envelope_kind_t *) at = (envelope_kind_t) number;
        return true;
    case HEADER_ID:
        *(id16_t *) at = mp_read_id (in);
        return !in->failed;
    case HEADER_TEXT:
        return text_read (in, field->max, arena, at);
    case HEADER_U32:
        if (!number_read (in, UINT32_MAX, &number))
            return false;
        *(uint32_t *) at = (uint32_t) number;
        return true;
    case HEADER_PRINCIPAL:
        if (!number_read (in, PRINCIPAL_ORG_KEY, &number))
            return false;
        *(principal_kind_t *) at = (principal_kind_t) number;
        return true;
    case HEADER_BOOL:
        return bool_read (in, at);
    case HEADER_IDEM:
        return idem_read (in, arena, at);
    }
    return false;
}

/* Opens the array and checks size and version; *count is the number of values after the version. */
static int header_open (bytes_t header, mp_reader_t *in, uint32_t *count, failure_t *failure)
{
    if (header.size > ENVELOPE_HEADER_MAX)
        return bad (failure, "size");
    *in = mp_read (header);
    uint32_t values = mp_read_array (in);
    if (in->failed || values < 2 || values > VALUES_MAX)
        return bad (failure, "header");
    if (mp_read_int (in) != ENVELOPE_VERSION || in->failed)
        return bad (failure, "version");
    *count = values - 1;
    return 0;
}

int envelope_read (bytes_t header, arena_t *arena, envelope_t *out, failure_t *failure)
{
    mp_reader_t in;
    envelope_t e = {0};
    uint32_t count;
    if (header_open (header, &in, &count, failure))
        return E_BAD_REQUEST;
    for (uint32_t i = 0; i < count; i++) {
        if (i >= FIELD_COUNT)
            mp_skip (&in);
        else if (!field_read (&header_fields[i], &in, arena, (char *) &e + header_fields[i].offset))
            return bad (failure, header_fields[i].name);
    }
    if (!mp_done (&in))
        return bad (failure, "end");
    if (!e.target)
        e.target = "";
    if (!e.sender)
        e.sender = "";
    *out = e;
    return 0;
}

static bool route_text (mp_reader_t *in, size_t max, bytes_t *out)
{
    if (!mp_read_nil (in))
        *out = mp_read_str (in);
    return !in->failed && out->size <= max;
}

/* Reads field `i` of the routing part; false if it does not fit. */
static bool route_field (mp_reader_t *in, uint32_t i, envelope_route_t *out)
{
    int64_t number = 0;
    switch (i) {
    case 0:
        if (!number_read (in, ENV_BYE, &number) || number < ENV_ASK)
            return false;
        out->kind = (envelope_kind_t) number;
        return true;
    case 1:
        out->id = mp_read_id (in);
        return !in->failed;
    case 2:
        return route_text (in, ENVELOPE_TARGET_MAX, &out->target);
    case 4:
        return route_text (in, ENVELOPE_NAME_MAX, &out->sender);
    case 5:
        out->org = mp_read_id (in);
        return !in->failed;
    default:
        if (!number_read (in, UINT32_MAX, &number))
            return false;
        *(i == 3 ? &out->ttl_ms : &out->count) = (uint32_t) number;
        return true;
    }
}

int envelope_route_peek (bytes_t header, envelope_route_t *out, failure_t *failure)
{
    mp_reader_t in;
    envelope_route_t r = {0};
    uint32_t count;
    if (header_open (header, &in, &count, failure))
        return E_BAD_REQUEST;
    uint32_t routing = count < ROUTE_COUNT ? count : ROUTE_COUNT;
    for (uint32_t i = 0; i < routing; i++)
        if (!route_field (&in, i, &r))
            return bad (failure, header_fields[i].name);
    r.rest_count = count - routing;
    r.rest = bytes_of (in.at, (size_t) (in.end - in.at));
    *out = r;
    return 0;
}

int envelope_route_read (bytes_t header, envelope_route_t *out, failure_t *failure)
{
    envelope_route_t r;
    int code = envelope_route_peek (header, &r, failure);
    if (code)
        return code;
    mp_reader_t in = mp_read (r.rest);
    for (uint32_t i = 0; i < r.rest_count; i++)
        mp_skip (&in);
    if (!mp_done (&in))
        return bad (failure, "end");
    *out = r;
    return 0;
}

void envelope_route_about (const envelope_route_t *in, bytes_t *subject, bytes_t *trace)
{
    mp_reader_t at = mp_read (in->rest);
    *subject = *trace = (bytes_t){0};
    for (uint32_t i = 0; i < SUBJECT_AT && i < in->rest_count; i++)
        mp_skip (&at);
    if (in->rest_count > SUBJECT_AT && !mp_read_nil (&at))
        *subject = mp_read_str (&at);
    if (in->rest_count > SUBJECT_AT + 1 && !mp_read_nil (&at))
        *trace = mp_read_str (&at);
}

static void route_text_write (bytes_t text, buf_t *out)
{
    if (text.size == 0)
        mp_nil (out);
    else
        mp_strn (out, (const char *) text.data, text.size);
}

void envelope_route_write (const envelope_route_t *in, bytes_t sender, uint32_t ttl_ms, buf_t *out)
{
    mp_array (out, 1 + ROUTE_COUNT + in->rest_count);
    mp_int (out, ENVELOPE_VERSION);
    mp_int (out, (int64_t) in->kind);
    mp_id (out, in->id);
    route_text_write (in->target, out);
    mp_int (out, ttl_ms);
    route_text_write (sender, out);
    mp_id (out, in->org);
    mp_int (out, in->count);
    mp_raw (out, in->rest);
}

bool envelope_name_is (bytes_t name)
{
    if (name.size == 0 || name.size > ENVELOPE_NAME_MAX || name.data[0] < 'a' || name.data[0] > 'z')
        return false;
    for (size_t i = 1; i < name.size; i++) {
        uint8_t c = name.data[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* "12" of "#12": one to six digits. */
static bool replica_read (bytes_t digits, uint32_t *out)
{
    uint32_t value = 0;
    if (digits.size == 0 || digits.size > 6)
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        value = value * 10 + (uint32_t) (digits.data[i] - '0');
    }
    *out = value;
    return true;
}

static bool op_is (bytes_t op)
{
    for (size_t i = 0; i < op.size; i++) {
        uint8_t c = op.data[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_')
            return false;
    }
    return op.size > 0;
}

bool envelope_target_read (bytes_t target, envelope_target_t *out)
{
    envelope_target_t t = {0};
    const uint8_t *dot = target.size ? memchr (target.data, '.', target.size) : NULL;
    if (!dot)
        return false;
    size_t head = (size_t) (dot - target.data);
    t.op = bytes_of (dot + 1, target.size - head - 1);
    const uint8_t *hash = head ? memchr (target.data, '#', head) : NULL;
    size_t name = hash ? (size_t) (hash - target.data) : head;
    t.service = bytes_of (target.data, name);
    if (hash) {
        t.addressed = true;
        if (!replica_read (bytes_of (hash + 1, head - name - 1), &t.replica))
            return false;
    }
    if (!envelope_name_is (t.service) || !op_is (t.op))
        return false;
    *out = t;
    return true;
}

void envelope_failure_write (const failure_t *in, buf_t *out)
{
    mp_array (out, 4);
    mp_int (out, in->code);
    mp_str (out, in->field);
    mp_str (out, in->text);
    mp_int (out, in->retry_after_ms);
}

static bool failure_text (mp_reader_t *in, char *out, size_t size)
{
    bytes_t text = mp_read_str (in);
    if (in->failed || text.size >= size || !text_is_utf8 ((const char *) text.data, text.size))
        return false;
    if (text.size)
        memcpy (out, text.data, text.size);
    out[text.size] = 0;
    return true;
}

int envelope_failure_read (bytes_t body, failure_t *out)
{
    mp_reader_t in = mp_read (body);
    failure_t f = {0};
    if (mp_read_array (&in) != 4)
        return E_BAD_REQUEST;
    int64_t code = mp_read_int (&in);
    if (in.failed || code < 1 || code > UINT16_MAX ||
        !failure_text (&in, f.field, sizeof f.field) || !failure_text (&in, f.text, sizeof f.text))
        return E_BAD_REQUEST;
    f.retry_after_ms = mp_read_int (&in);
    if (!mp_done (&in) || f.retry_after_ms < 0)
        return E_BAD_REQUEST;
    f.code = (int) code;
    *out = f;
    return 0;
}
