/* schema.h - the tables that tools/schemagen makes from schemas/, and the one interpreter that walks them.
 *
 * A *type* describes a C struct: fields with offset, kind and limits. Three things read and write structs by type:
 *   - schema_pack / schema_unpack: msgpack maps keyed by field number (bus bodies, store rows, journal events)
 *   - schema_json_read / schema_json_write: JSON keyed by field name
 *   - redaction: secret and personal fields are masked when JSON is written for eyes
 * A *view* is a type too: other names, limits and spellings over the struct of a core type. Public requests are read through a
 * view straight into the core op's `in` struct, answers and webhook payloads are written through a view from a core struct, so a
 * dialect is tables and services know none of them.
 *
 * Structs: every generated struct begins with `uint64_t has` (bit i = canonical field i of the core struct was given). Pointers
 * that are NULL, and scalars that are zero without their has-bit, are absent. Strings are NUL-terminated UTF-8 in the arena. */
#ifndef AVIARY_SCHEMA_SCHEMA_H
#define AVIARY_SCHEMA_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

typedef enum schema_kind {
    SK_BOOL, /* bool */
    SK_INT,  /* int64_t */
    SK_NUM,  /* double */
    SK_TIME, /* int64_t Unix ms; JSON: ISO 8601 with milliseconds and Z */
    SK_ENUM, /* int32_t; 0 = absent; JSON: a word of the view's enum table */
    SK_ID, /* id16_t; nil = absent; JSON: spelled by the context (schema_ctx.id_write) with the field's prefix */
    SK_STR,    /* const char * */
    SK_BYTES,  /* bytes_t; JSON: base64 */
    SK_OBJ,    /* const struct X *, NULL = absent */
    SK_LIST,   /* schema_list_t of `item` kind */
    SK_MAP,    /* schema_map_t, string to string, in order given */
    SK_ANY,    /* bytes_t of packed msgpack; JSON: any value */
    SK_FLAT,   /* views only: a JSON object whose fields live in the same core struct */
    SK_CONST,  /* views only: JSON output is the text in `constant`, whatever the struct holds */
    SK_TOLD,   /* views only: what the context tells (`told`), whatever the struct holds */
    SK_GIVEN,  /* views only: JSON true or false: is the core field (of kind `item`) given */
    SK_CURSOR, /* views only: bytes_t; JSON: base64url; anything else is E_BAD_CURSOR */
} schema_kind_t;

/* What an answer tells that is of the request, not of a struct. */
typedef enum schema_told {
    TOLD_REQUEST_ID, /* string */
    TOLD_RATE_TIER,  /* string */
    TOLD_RATE_WRITE, /* requests a minute */
    TOLD_RATE_READ,
    TOLD_COUNT
} schema_told_t;

typedef struct schema_list {
    void *
        items; /* array of the item's C type: const char *, id16_t, int64_t, int32_t, double, bool, or struct (not pointers) */
    size_t count;
} schema_list_t;

typedef struct schema_pair {
    const char *key;
    const char *value;
} schema_pair_t;

typedef struct schema_map {
    schema_pair_t *pairs;
    size_t count;
} schema_map_t;

typedef struct schema_word {
    const char *word;
    int32_t value;
} schema_word_t;

typedef struct schema_enum {
    const char *name;
    const schema_word_t *words;
    size_t count;
} schema_enum_t;

enum {
    SF_REQUIRED =
        1
        << 0, /* must be in JSON input; always written in JSON output (null if absent and SF_NULLABLE) */
    SF_NULLABLE =
        1 << 1, /* JSON null is accepted as absent; absent is written as null if also SF_REQUIRED */
    SF_SECRET = 1 << 2,    /* masked always; bytes on disk are sealed by whoever writes them */
    SF_PERSONAL = 1 << 3,  /* masked unless revealed: message text, phone numbers, e-mail, names */
    SF_UNIQUE = 1 << 4,    /* list without equal items */
    SF_OUT_ONLY = 1 << 5,  /* ignored in input */
    SF_TEXT_CODE = 1 << 6, /* SK_INT written as a JSON string of decimals */
    SF_LIMIT =
        1
        << 7 /* SK_INT of a query: how many at most, in digits; what does not fit is E_BAD_LIMIT */
};

/* Named checks of strings, in place of regular expressions; the OpenAPI pattern of each is written by the generator. */
typedef enum schema_format {
    FMT_NONE,
    FMT_E164,     /* fails with E_INVALID_PHONE_NUMBER */
    FMT_HTTP_URL, /* http or https, host, no userinfo, no control characters; https-only is policy, checked elsewhere */
    FMT_URI,
    FMT_DATE,
    FMT_EMAIL,
    FMT_EVENT_NAME, /* dotted lower-case words */
    FMT_SLUG,
    FMT_HEADER_NAME,
    FMT_DIGITS, /* ASCII digits; how many says min and max */
    FMT_PHONE   /* E.164 with or without its "+", kept with it; fails with E_INVALID_PHONE_NUMBER */
} schema_format_t;

typedef struct schema_type schema_type_t;

typedef struct schema_field {
    const char *name; /* JSON name */
    const char *doc;
    uint16_t name_length;
    uint16_t number;  /* msgpack key; 0 in views */
    uint16_t has_bit; /* canonical index in the core struct */
    uint32_t offset;  /* in the core struct */
    uint8_t kind;     /* schema_kind_t */
    uint8_t item;     /* SK_LIST: kind of an item; SK_GIVEN: kind of the core field */
    uint8_t told;     /* SK_TOLD: schema_told_t */
    uint8_t format;   /* schema_format_t, of strings or of string items */
    uint32_t flags;
    const schema_type_t *type;        /* SK_OBJ, SK_FLAT, SK_LIST of SK_OBJ */
    const schema_enum_t *enumeration; /* SK_ENUM, SK_LIST of SK_ENUM */
    const char *prefix;               /* SK_ID: "msg_sms"; NULL = plain UUID */
    const char *constant;             /* SK_CONST: JSON text; else default as JSON text or NULL */
    const char
        *null_as; /* JSON text that null stands for in JSON input; NULL = null is as if absent */
    uint32_t
        test_at; /* SK_ID: offset of the struct's bool NAME_test, which takes the mode that the id was
                          * spelled in; 0 = there is none */
    int64_t min;                /* value, code points, or items */
    int64_t max;                /* INT64_MAX = no limit */
    int64_t item_min, item_max; /* the same of a list's items; item_max also of a map's values */
} schema_field_t;

/* Rule of a whole type, on the fields of one JSON object: at least one of `any_of` must be given (not null); with a `field`, only if
 * that field holds one of `is` (NULL = if it is given at all). */
typedef struct schema_rule {
    const char *field;  /* NULL = always; else a SK_ENUM or SK_BOOL field, any field without `is` */
    size_t field_index; /* of `field` in the type */
    const int32_t *is;  /* enum values, or 0 and 1 */
    size_t is_count;
    const char *const *any_of; /* JSON names */
    size_t any_count;
    uint64_t any_mask; /* the same as bits by index in the type */
} schema_rule_t;

struct schema_type {
    const char *name; /* "messaging.message", "chirp.SendSmsRequest" */
    const char *doc;
    const schema_field_t *fields;
    size_t field_count;
    size_t size; /* of the C struct */
    const schema_rule_t *rules;
    size_t rule_count;
    int32_t
        unknown_offset; /* of the bytes_t that keeps fields of newer versions (packed pairs), or -1 */
    int32_t
        test_offset; /* of the bool that says whether ids in this struct and below it are of a test app, or -1 = as around it,
                             * at the top the context's */
    bool fills; /* some field must be given or has a default: unpacking looks for what is absent */
};

/* How ids with a prefix are spelled (others are plain UUIDs) and who is asking; zero-initialised: plain UUIDs, nothing
 * revealed. */
typedef struct schema_ctx {
    /* 0 = fine; 1 = has the form but is no id that we could have made (alias): *out is set to an id that never exists;
     * 2 = not of the form. `test` is what the text said: it comes in as the context's and is left so where a prefix has no modes. */
    int (*id_read) (const char *prefix, const char *text, size_t length, id16_t *out, bool *test);
    void (*id_write) (const char *prefix, bool test, id16_t id, char out[64]);
    bool test;     /* mode of the caller's app: ids of the other mode read as 1 above */
    bool any_test; /* the caller has apps of both modes: ids of either are read */
    bool reveal;   /* show SF_PERSONAL */
    bool mask; /* mask SF_SECRET and (unless reveal) SF_PERSONAL; off for real answers to clients */
    const char *told_text[TOLD_COUNT]; /* NULL = "" */
    int64_t told_number[TOLD_COUNT];   /* of those that are numbers */
} schema_ctx_t;

enum { SCHEMA_JSON_DEPTH = 16 };

/* JSON text into *out (a zeroed struct of type->size). Everything is checked: UTF-8, duplicate keys, depth, types, limits, formats,
 * rules; NUL and lone surrogates in strings are refused. Unknown fields are ignored. The first failing field is in *failure:
 * E_BAD_REQUEST unless a format says otherwise, E_MISSING_FIELD for what is needed and not there. Returns 0 or the code. */
int schema_json_read (const schema_type_t *type, const schema_ctx_t *ctx, bytes_t json,
                      arena_t *arena, void *out, failure_t *failure);
/* One field from a path or query parameter's decoded text (bool, int, num, time, enum, id, str, or a list of these: each call adds
 * the items of a text split at commas), with its limits. `out` is the struct. */
int schema_text_read (const schema_field_t *field, const schema_ctx_t *ctx, const char *text,
                      arena_t *arena, void *out, failure_t *failure);
/* The parameter was not sent: its default into the struct, or E_MISSING_FIELD if it is required. */
int schema_text_absent (const schema_field_t *field, const schema_ctx_t *ctx, arena_t *arena,
                        void *out, failure_t *failure);
/* The struct as JSON object text. Cannot fail but for memory (buf_failed). */
void schema_json_write (const schema_type_t *type, const schema_ctx_t *ctx, const void *in,
                        buf_t *out);

/* msgpack map keyed by field numbers; absent fields are left out; kept unknown pairs are appended. */
void schema_pack (const schema_type_t *type, const void *in, buf_t *out);
/* Into a zeroed struct. Fields that the type requires (only inputs of ops do) must be there, defaults are filled in. Wrong types, bad UTF-8, oversize counts: E_BAD_REQUEST with the field. Unknown numbers are kept where the type
 * keeps them, else dropped. Strings and bytes are copied to the arena. Unknown enum numbers are kept as they are. */
int schema_unpack (const schema_type_t *type, bytes_t packed, arena_t *arena, void *out,
                   failure_t *failure);
/* The same of some fields alone (bit i: type->fields[i]) and what is unknown; the others are passed over. Nothing is filled in. */
int schema_unpack_some (const schema_type_t *type, uint64_t fields, bytes_t packed, arena_t *arena,
                        void *out);

/* Packed bytes of a core type straight to JSON, for tap and explain; bytes that do not fit the type show as {"?": base64}. */
void schema_show (const schema_type_t *type, const schema_ctx_t *ctx, bytes_t packed, buf_t *out);

const schema_field_t *schema_field_find (const schema_type_t *type, const char *name);
bool schema_field_given (const schema_field_t *field, const void *in); /* present in the struct? */
const char *schema_enum_word (const schema_enum_t *e, int32_t value);  /* "?" if none */
int32_t schema_enum_read (const schema_enum_t *e, const char *word, size_t length); /* 0 if none */

/* msgpack any <-> JSON text without a type (SK_ANY, tools). Reader: depth, duplicates, UTF-8 as above. */
int schema_any_read (bytes_t json, buf_t *packed, failure_t *failure);
void schema_any_write (bytes_t packed, buf_t *json);
/* Canonical JSON of packed msgpack: keys sorted by code point, no white space, numbers as they were parsed. 0 or E_NO_MEMORY. */
int schema_any_canonical (bytes_t packed, buf_t *json);
/* A JSON string with its quotes, of UTF-8 text. */
void schema_json_string (buf_t *out, const char *text);

/* ---- what the generator makes besides types ---- */

typedef struct schema_setting {
    const char *name; /* "loopback_delay_ms" */
    const char *doc;
    uint8_t kind;        /* SK_BOOL, SK_INT, SK_STR, SK_TIME = duration in ms ("10m") */
    uint32_t offset;     /* in NAME_settings_t: bool, int64_t, const char *, int64_t */
    const char *initial; /* default as text; NULL = must be given or may be empty per `required` */
    int64_t min, max;
    bool required, reloadable, secret;
} schema_setting_t;

/* A state machine: rows of allowed moves. */
typedef struct schema_move {
    int32_t from, to;
} schema_move_t;

typedef struct schema_machine {
    const char *name;
    const schema_enum_t *states;
    const schema_move_t *moves;
    size_t count;
} schema_machine_t;

bool schema_may_move (const schema_machine_t *m, int32_t from, int32_t to);

/* An index of a record: field offsets in key order; the record's id always follows. */
typedef struct schema_index {
    const char *name;
    const schema_field_t *const *fields;
    size_t count;
    bool
        unique; /* the fields alone are the key: a second record with the same values is E_ALREADY_EXISTS */
    bool
        counted; /* keeps how many records share each value of the fields (and of the first field alone) */
    bool sparse; /* records whose first field is absent are not in it */
} schema_index_t;

/* A record with a table of its own. Its key is its `id` field (appended in order of making). */
typedef struct schema_record {
    const schema_type_t *type;
    const char *table;           /* "messaging.message" */
    uint16_t number;             /* of the table, never reused */
    const schema_field_t *id;    /* SK_ID */
    const schema_field_t *owner; /* SK_ID; who may get it; NULL = the house itself */
    const schema_index_t *indexes;
    size_t index_count;
} schema_record_t;

typedef struct schema_event {
    const char *name; /* "messaging.message_status" */
    const char *service;
    uint16_t number; /* within the service's journal, never reused */
    const schema_type_t *type;
    const char *const
        *erases; /* fields that name what was erased, NULL-terminated; NULL: it does not erase */
} schema_event_t;

enum {
    OP_READ = 1,
    OP_WRITE = 2,
    OP_KEYED = 4,
    OP_PARKS = 8,
    OP_OWNER = 16 /* read that only the owner may answer */
};

typedef struct turn turn_t;

typedef struct schema_op {
    const char *service;
    const char *name; /* "sms_send" */
    const char *doc;
    uint16_t number;
    unsigned flags;
    uint32_t deadline_ms;
    const schema_type_t *in;
    const schema_type_t *out;
    int (*handler) (turn_t *turn, const void *in, void *out);
    int (*resume) (turn_t *turn, const void *in, void *out); /* OP_PARKS: NAME_resume */
    const char *const *
        from; /* services that may ask; NULL-terminated; "cli" and "edge" among them; NULL = any service */
    const char *const
        *settles;       /* followers whose position the answer waits for; NULL-terminated or NULL */
    bool secret_answer; /* the idempotency record keeps the answer sealed */
} schema_op_t;

typedef struct schema_service {
    const char *name;
    const char *doc;
    const schema_op_t *ops;
    size_t op_count;
    const schema_record_t *const *records;
    size_t record_count;
    const schema_event_t *const *events;
    size_t event_count;
    const schema_setting_t *settings;
    size_t setting_count;
    size_t settings_size;        /* of NAME_settings_t */
    const char *const *counters; /* metric names: "sms_accepted_total", with docs in counter_docs */
    const char *const *counter_docs;
    size_t counter_count;
    uint32_t version;       /* of the stored schema */
    uint32_t readable_from; /* oldest program version that can read what this one writes */
} schema_service_t;

/* All ops of all services, by service and name, as the broker, the tap and the CLI need them (no handlers: those fields are NULL). */
extern const schema_op_t schema_all_ops[];
extern const size_t schema_all_op_count;
/* What every service answers (schemas/common.toml): service is "common", the target names the service asked. */
extern const schema_op_t schema_common_ops[];
extern const size_t schema_common_op_count;
/* "messaging.sms_send", or a common op of a known service as "messaging.ping"; NULL if there is none. */
const schema_op_t *schema_op_find (const char *target, size_t length);

/* Contracts of all services (without handlers), by name; common is not among them. */
extern const schema_service_t *const schema_all_services[];
extern const size_t schema_all_service_count;
const schema_service_t *schema_service_find (const char *name, size_t length);
const schema_record_t *schema_record_find (
    const char *table); /* "messaging.message"; NULL if none */

/* All events, by service and number. */
extern const schema_event_t *const schema_all_events[];
extern const size_t schema_all_event_count;
const schema_event_t *schema_event_find (const char *service, uint16_t number); /* NULL if none */

/* A public operation of a dialect. */
typedef enum http_auth { AUTH_NONE, AUTH_APP, AUTH_ADMIN, AUTH_ORGANIZATION } http_auth_t;

typedef struct schema_fixed {
    const schema_field_t *field; /* of the core op's in */
    const char *value;           /* JSON text */
} schema_fixed_t;

/* A field of an ensured op's in, filled from another name of the core op's in. */
typedef struct schema_pairing {
    const schema_field_t *to;
    const schema_field_t *from;
} schema_pairing_t;

typedef struct schema_public {
    const char *dialect; /* "chirp" */
    const char *name;    /* operationId */
    const char *method;
    const char *path; /* "/v1/webhooks/{webhookId}" */
    http_auth_t auth;
    bool test_only;     /* live keys: E_TEST_APP_REQUIRED */
    const char *bucket; /* rate-limit bucket */
    const schema_op_t *
        op; /* core op (in, out, deadline; no handler); NULL: the edge answers by itself, of nothing */
    const schema_type_t *path_view;   /* fields of path parameters over op->in, or NULL */
    const schema_type_t *query_view;  /* or NULL */
    const schema_type_t *header_view; /* fields of request headers over op->in, or NULL */
    const schema_type_t *body_view;   /* or NULL: no body is read */
    bool body_optional;
    const char *pick; /* a body that has this member is for `picked` instead; NULL = none */
    const struct schema_public *picked; /* same method, path, auth and bucket; it has no route */
    bool is_picked;
    const char *
        upload; /* the body is multipart/form-data: name of the part that is the file, the body_view's fields are the others; NULL = JSON */
    int status; /* of success */
    const schema_field_t
        *location; /* SK_STR of op->out: the Location header; no body then; or NULL */
    const schema_type_t *answer_view; /* over op->out */
    const schema_fixed_t
        *fixed; /* what the operation says itself: apply with schema_fixed_apply after reading */
    size_t fixed_count;
    const schema_op_t *
        ensure; /* idempotent op to ask first, its `in` filled by schema_copy_same from op->in, what it answers likewise into op->in; or NULL */
    const schema_pairing_t
        *ensure_map; /* of the same kind, after schema_copy_same: schema_copy_field */
    size_t ensure_map_count;
    const schema_op_t *const
        *also; /* ops to ask after it, `in` filled as of ensure; what they answer fills op->out */
    size_t also_count;
} schema_public_t;

/* Set op->fixed in the struct of op->in. 0, or E_NO_MEMORY. */
int schema_fixed_apply (const schema_public_t *op, arena_t *arena, void *in);
/* Copy the given fields that have the same name, kind and type in both (pointers are shared, not copied). */
void schema_copy_same (const schema_type_t *from_type, const void *from,
                       const schema_type_t *to_type, void *to);
/* Copy one field if it is given; both of one kind and type. */
void schema_copy_field (const schema_field_t *source, const void *from,
                        const schema_field_t *target, void *to);

/* One thing that must hold of an event's struct. */
typedef struct schema_condition {
    const schema_field_t
        *part; /* SK_OBJ field of the event that holds `field`; NULL = the event itself */
    const schema_field_t *field; /* SK_ENUM or SK_BOOL, any kind if `is` is NULL */
    const int32_t *is;           /* enum values, or 0 and 1; NULL = the field is given */
    size_t is_count;
} schema_condition_t;

/* A webhook event of a dialect: which core event it shows, when, and how. One core event may be several of these or none. */
typedef struct schema_public_event {
    const char *name; /* "messages.sms.sent" */
    const char *doc;
    const schema_event_t *core;
    const schema_type_t *view; /* over core->type, or with a `part` over that field's struct */
    const schema_field_t *
        part; /* SK_OBJ field of the event ("message") that the view shows; NULL = the event itself */
    const schema_condition_t *when; /* all must hold */
    size_t when_count;
} schema_public_event_t;

/* Do the conditions hold of this event's struct (of core->type)? */
bool schema_event_applies (const schema_public_event_t *event, const void *in);

/* What the view of the event shows: the struct of its part, or `in` itself; NULL if the part is absent. */
const void *schema_event_part (const schema_public_event_t *event, const void *in);

/* How a core error looks in a dialect. */
typedef struct schema_public_error {
    int code;         /* E_ */
    const char *type; /* "invalid_request_error" */
    const char *word; /* code told to the client; NULL = none */
    int status;       /* HTTP */
} schema_public_error_t;

typedef struct schema_bucket {
    const char *name;
    uint32_t per_minute;
} schema_bucket_t;

typedef struct schema_dialect {
    const char *name; /* "chirp" */
    const char *title;
    const char *version;
    const schema_public_t *ops; /* in order of matching: literal path segments before parameters */
    size_t op_count;
    const schema_public_event_t *events;
    size_t event_count;
    const schema_public_error_t *errors; /* by code, a row for every error of errors.toml */
    size_t error_count;
    const schema_bucket_t *buckets;
    size_t bucket_count;
    const char *openapi; /* JSON text; "{base_url}" stands where the public URL goes */
} schema_dialect_t;

const schema_public_error_t *schema_public_error_find (const schema_dialect_t *dialect,
                                                       int code); /* NULL if none */
const schema_bucket_t *schema_bucket_find (const schema_dialect_t *dialect,
                                           const char *name); /* NULL if none */

extern const schema_dialect_t *const schema_all_dialects[];
extern const size_t schema_all_dialect_count;

/* Each dialect has these (gen/DIALECT.h names its views too). */
extern const schema_public_t schema_chirp_ops[];
extern const size_t schema_chirp_op_count;
extern const schema_public_event_t schema_chirp_events[];
extern const size_t schema_chirp_event_count;
extern const char schema_chirp_openapi[];

#endif
