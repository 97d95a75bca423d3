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
    KEY_MAX = 255, /* characters */
    SIZE_OF_PRINT = sizeof (((idempotency_t *) 0)->fingerprint)
};

static const void *field_at (const envelope_t *in, const header_field_t *field)
{
    return (const char *) in + field->offset;
}

/* ---- writing ---- */

/* Room for all of a header but its texts: kept behind each text, so that only those look for room. */
enum { WRITE_ROOM = 640, VALUE_MAX = 18 /* an id */, TEXT_HEAD_MAX = 5 };

_Static_assert(sizeof (principal_kind_t) == sizeof (uint32_t), "both are written as numbers");
_Static_assert((FIELD_COUNT + IDEM_MORE) * VALUE_MAX + SIZE_OF_PRINT + IDEM_FORGETS / 8 <
                   WRITE_ROOM,
               "fields without texts have room");

typedef struct writing {
    buf_t *out;
    uint8_t *at; /* NULL: no memory */
} writing_t;

static bool field_is_given (const header_field_t *field, const void *at)
{
    const char *text;
    switch (field->kind) {
    case HEADER_KIND:
        return true;
    case HEADER_ID:
        return !id_is_nil (*(const id16_t *) at);
    case HEADER_TEXT:
        text = *(const char *const *) at;
        return text && *text;
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

static void put_byte (writing_t *w, unsigned byte)
{
    *w->at++ = (uint8_t) byte;
}

static void put_bytes (writing_t *w, const void *data, size_t size)
{
    memcpy (w->at, data, size);
    w->at += size;
}

/* `type` and the number behind it, in `width` bytes. */
static void put_head (writing_t *w, unsigned type, uint32_t number, size_t width)
{
    put_byte (w, type);
    while (width-- > 0)
        put_byte (w, number >> 8 * width);
}

static void put_nil (writing_t *w)
{
    put_byte (w, 0xc0);
}

static void put_number (writing_t *w, uint32_t number)
{
    if (number <= 0x7f)
        put_byte (w, number);
    else if (number <= UINT8_MAX)
        put_head (w, 0xcc, number, 1);
    else if (number <= UINT16_MAX)
        put_head (w, 0xcd, number, 2);
    else
        put_head (w, 0xce, number, 4);
}

static void put_number_or_nil (writing_t *w, uint32_t number)
{
    if (number)
        put_number (w, number);
    else
        put_nil (w);
}

static void put_text (writing_t *w, const char *text)
{
    size_t length = strlen (text);
    w->out->size = (size_t) (w->at - w->out->data);
    w->at = length <= UINT32_MAX - WRITE_ROOM
                ? buf_reserve (w->out, TEXT_HEAD_MAX + length + WRITE_ROOM)
                : NULL;
    if (!w->at)
        return;
    if (length <= 31)
        put_byte (w, 0xa0 | (unsigned) length);
    else if (length <= UINT8_MAX)
        put_head (w, 0xd9, (uint32_t) length, 1);
    else if (length <= UINT16_MAX)
        put_head (w, 0xda, (uint32_t) length, 2);
    else
        put_head (w, 0xdb, (uint32_t) length, 4);
    put_bytes (w, text, length);
}

static void put_text_or_nil (writing_t *w, const char *text)
{
    if (w->at && text)
        put_text (w, text);
    else if (w->at)
        put_nil (w);
}

static void put_bin (writing_t *w, const void *data, size_t size)
{
    put_head (w, 0xc4, (uint32_t) size, 1);
    put_bytes (w, data, size);
}

static void put_id (writing_t *w, const id16_t *id)
{
    if (id_is_nil (*id))
        put_nil (w);
    else
        put_bin (w, id->b, sizeof id->b);
}

static void put_idem (writing_t *w, const idempotency_t *in)
{
    bool more = in->wait_ms || in->forgets;
    if (!in->key) {
        put_nil (w);
        return;
    }
    put_byte (w, 0x90 | (more ? IDEM_MORE : IDEM_COUNT));
    put_text_or_nil (w, in->dialect);
    if (!w->at)
        return;
    put_id (w, &in->scope);
    put_text_or_nil (w, in->route);
    put_text_or_nil (w, in->key);
    if (!w->at)
        return;
    put_bin (w, in->fingerprint, sizeof in->fingerprint);
    put_text_or_nil (w, in->request_id);
    if (!more || !w->at)
        return;
    put_number (w, in->wait_ms);
    if (in->forgets)
        put_bin (w, in->forgets, IDEM_FORGETS / 8);
    else
        put_nil (w);
}

/* Nil if it is not given. */
static void put_field (writing_t *w, const header_field_t *field, const void *value)
{
    const char *text;
    switch (field->kind) {
    case HEADER_KIND:
        put_number (w, (uint32_t) * (const envelope_kind_t *) value);
        break;
    case HEADER_ID:
        put_id (w, value);
        break;
    case HEADER_TEXT:
        text = *(const char *const *) value;
        put_text_or_nil (w, text && *text ? text : NULL);
        break;
    case HEADER_U32:
    case HEADER_PRINCIPAL:
        put_number_or_nil (w, *(const uint32_t *) value);
        break;
    case HEADER_BOOL:
        put_byte (w, *(const bool *) value ? 0xc3 : 0xc0);
        break;
    case HEADER_IDEM:
        put_idem (w, value);
        break;
    }
}

void envelope_write (const envelope_t *in, buf_t *out)
{
    size_t count =
        FIELD_COUNT; /* without those that are absent at the end; the first is always given */
    while (!field_is_given (&header_fields[count - 1], field_at (in, &header_fields[count - 1])))
        count--;
    writing_t w = {out, buf_reserve (out, WRITE_ROOM)};
    if (!w.at)
        return;
    if (count < 15)
        put_byte (&w, 0x90 | ((unsigned) count + 1));
    else
        put_head (&w, 0xdc, (uint32_t) count + 1, 2);
    put_number (&w, ENVELOPE_VERSION);
    for (size_t i = 0; i < count && w.at; i++) {
        const header_field_t *field = &header_fields[i];
        put_field (&w, field, field_at (in, field));
    }
    if (w.at)
        out->size = (size_t) (w.at - out->data);
    else
        out->failed = true;
}

/* ---- reading ---- */

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
    uint32_t values =
        header.size && (header.data[0] & 0xf0) == 0x90 ? *in->at++ & 0x0fu : mp_read_array (in);
    if (in->failed || values < 2 || values > VALUES_MAX)
        return bad (failure, "header");
    if (mp_read_int (in) != ENVELOPE_VERSION || in->failed)
        return bad (failure, "version");
    *count = values - 1;
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
    uint32_t count = 0;
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

static bool routed_text (bytes_t text, arena_t *arena, const char **out)
{
    *out = "";
    if (text.size == 0)
        return true;
    if (!text_is_utf8 ((const char *) text.data, text.size))
        return false;
    *out = arena_strndup (arena, (const char *) text.data, text.size);
    return *out != NULL;
}

int envelope_rest_read (const envelope_route_t *route, arena_t *arena, envelope_t *out,
                        failure_t *failure)
{
    mp_reader_t in = mp_read (route->rest);
    envelope_t e = {.kind = route->kind,
                    .id = route->id,
                    .ttl_ms = route->ttl_ms,
                    .org = route->org,
                    .count = route->count};
    if (!routed_text (route->target, arena, &e.target))
        return bad (failure, "target");
    if (!routed_text (route->sender, arena, &e.sender))
        return bad (failure, "sender");
    for (uint32_t i = 0; i < route->rest_count; i++) {
        if (i >= FIELD_COUNT - ROUTE_COUNT) {
            mp_skip (&in);
            continue;
        }
        const header_field_t *field = &header_fields[ROUTE_COUNT + i];
        if (!field_read (field, &in, arena, (char *) &e + field->offset))
            return bad (failure, field->name);
    }
    if (!mp_done (&in))
        return bad (failure, "end");
    *out = e;
    return 0;
}

int envelope_read (bytes_t header, arena_t *arena, envelope_t *out, failure_t *failure)
{
    envelope_route_t route;
    int code = envelope_route_peek (header, &route, failure);
    return code ? code : envelope_rest_read (&route, arena, out, failure);
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
