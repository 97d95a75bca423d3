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
    VALUES_MAX = 48, /* of this and newer versions */
    IDEM_COUNT = 6,
    IDEM_MORE = 8, /* with how long to wait and what is forgotten */
    KEY_MAX = 255  /* characters */
};

static const void *field_at (const envelope_t *in, const header_field_t *field)
{
    return (const char *) in + field->offset;
}

/* ---- writing: first how much each field takes at most, then all of them into one piece of memory ---- */

enum { VALUE_HEAD = 5, ID_TAKES = 18 };

static size_t text_takes (const char *text)
{
    return VALUE_HEAD + (text ? strlen (text) : 0);
}

static size_t idem_takes (const idempotency_t *in)
{
    if (!in->key)
        return 0;
    return text_takes (in->dialect) + text_takes (in->route) + text_takes (in->key) +
           text_takes (in->request_id) + ID_TAKES + sizeof in->fingerprint + IDEM_FORGETS / 8 +
           4 * VALUE_HEAD;
}

/* 0: the field is not given. */
static size_t field_takes (const header_field_t *field, const void *at)
{
    const char *text;
    switch (field->kind) {
    case HEADER_KIND:
        return VALUE_HEAD;
    case HEADER_ID:
        return id_is_nil (*(const id16_t *) at) ? 0 : ID_TAKES;
    case HEADER_TEXT:
        text = *(const char *const *) at;
        return text && *text ? text_takes (text) : 0;
    case HEADER_U32:
        return *(const uint32_t *) at ? VALUE_HEAD : 0;
    case HEADER_PRINCIPAL:
        return *(const principal_kind_t *) at != PRINCIPAL_NONE ? VALUE_HEAD : 0;
    case HEADER_BOOL:
        return *(const bool *) at ? 1 : 0;
    case HEADER_IDEM:
        return idem_takes (at);
    }
    return 0;
}

/* `type` and the number behind it, the number in `width` bytes. */
static uint8_t *put_head (uint8_t *at, uint8_t type, uint32_t number, size_t width)
{
    *at++ = type;
    while (width-- > 0)
        *at++ = (uint8_t) (number >> 8 * width);
    return at;
}

static uint8_t *put_number (uint8_t *at, uint32_t number)
{
    return number <= 0x7f         ? put_head (at, (uint8_t) number, 0, 0)
           : number <= UINT8_MAX  ? put_head (at, 0xcc, number, 1)
           : number <= UINT16_MAX ? put_head (at, 0xcd, number, 2)
                                  : put_head (at, 0xce, number, 4);
}

static uint8_t *put_bytes (uint8_t *at, const void *data, size_t size)
{
    memcpy (at, data, size);
    return at + size;
}

/* Of the size that text_takes said. */
static uint8_t *put_text (uint8_t *at, const char *text, size_t takes)
{
    uint32_t length = (uint32_t) (takes - VALUE_HEAD);
    at = length <= 31           ? put_head (at, (uint8_t) (0xa0 | length), 0, 0)
         : length <= UINT8_MAX  ? put_head (at, 0xd9, length, 1)
         : length <= UINT16_MAX ? put_head (at, 0xda, length, 2)
                                : put_head (at, 0xdb, length, 4);
    return put_bytes (at, text, length);
}

static uint8_t *put_text_or_nil (uint8_t *at, const char *text)
{
    return text ? put_text (at, text, text_takes (text)) : put_head (at, 0xc0, 0, 0);
}

static uint8_t *put_id (uint8_t *at, id16_t id)
{
    if (id_is_nil (id))
        return put_head (at, 0xc0, 0, 0);
    return put_bytes (put_head (at, 0xc4, sizeof id.b, 1), id.b, sizeof id.b);
}

static uint8_t *put_idem (uint8_t *at, const idempotency_t *in)
{
    bool more = in->wait_ms || in->forgets;
    at = put_head (at, (uint8_t) (0x90 | (more ? IDEM_MORE : IDEM_COUNT)), 0, 0);
    at = put_id (put_text_or_nil (at, in->dialect), in->scope);
    at = put_text_or_nil (put_text_or_nil (at, in->route), in->key);
    at = put_head (at, 0xc4, sizeof in->fingerprint, 1);
    at = put_bytes (at, in->fingerprint, sizeof in->fingerprint);
    at = put_text_or_nil (at, in->request_id);
    if (!more)
        return at;
    at = put_number (at, in->wait_ms);
    if (!in->forgets)
        return put_head (at, 0xc0, 0, 0);
    return put_bytes (put_head (at, 0xc4, IDEM_FORGETS / 8, 1), in->forgets, IDEM_FORGETS / 8);
}

/* One that is given and takes so much. */
static uint8_t *put_field (uint8_t *at, const header_field_t *field, const void *value,
                           size_t takes)
{
    switch (field->kind) {
    case HEADER_KIND:
        return put_number (at, (uint32_t) * (const envelope_kind_t *) value);
    case HEADER_ID:
        return put_id (at, *(const id16_t *) value);
    case HEADER_TEXT:
        return put_text (at, *(const char *const *) value, takes);
    case HEADER_U32:
        return put_number (at, *(const uint32_t *) value);
    case HEADER_PRINCIPAL:
        return put_number (at, (uint32_t) * (const principal_kind_t *) value);
    case HEADER_BOOL:
        return put_head (at, 0xc3, 0, 0);
    case HEADER_IDEM:
        return put_idem (at, value);
    }
    return at;
}

void envelope_write (const envelope_t *in, buf_t *out)
{
    size_t takes[FIELD_COUNT], all = 4, count = 0;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        takes[i] = field_takes (&header_fields[i], field_at (in, &header_fields[i]));
        all += takes[i] + 1;
        count = takes[i] ? i + 1 : count;
    }
    uint8_t *start = buf_reserve (out, all), *at = start;
    if (!start)
        return;
    at = count < 15 ? put_head (at, (uint8_t) (0x90 | (count + 1)), 0, 0)
                    : put_head (at, 0xdc, (uint32_t) count + 1, 2);
    at = put_number (at, ENVELOPE_VERSION);
    for (size_t i = 0; i < count; i++)
        at = takes[i]
                 ? put_field (at, &header_fields[i], field_at (in, &header_fields[i]), takes[i])
                 : put_head (at, 0xc0, 0, 0);
    out->size += (size_t) (at - start);
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
    uint32_t values = mp_read_array (in);
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
