"""gen/NAME.h: structs, enums, prototypes and the names of the tables of one service."""

from ctext import c_comment, c_member
from fields import SCALARS

C_TYPES = {kind: ctype for kind, ctype in SCALARS.values()} | {"SK_ENUM": "int32_t", "SK_LIST": "schema_list_t"}


def c_type(f):
    if f.kind == "SK_OBJ":
        return f"const {f.target.real.stem}_t *"
    return C_TYPES[f.kind]


def member_line(f):
    ctype = c_type(f)
    gap = "" if ctype.endswith("*") else " "
    note = f.type if f.kind in ("SK_LIST", "SK_ENUM", "SK_ANY", "SK_TIME") else ""
    note = ": ".join(part for part in (note, f.doc) if part)
    return f"    {ctype}{gap}{c_member(f.name)};" + (f" /* {c_comment(note)} */" if note else "")


def struct_text(st):
    if st.alias:
        real = st.real.stem
        return [f"typedef {real}_t {st.stem}_t;", f"#define {st.stem}_type {real}_type", ""]
    out = [f"/* {c_comment(st.label + (': ' + st.doc if st.doc else ''))} */", f"struct {st.stem} {{", "    uint64_t has;"]
    out += [member_line(f) for f in st.fields]
    if st.keeps_unknown:
        out.append("    bytes_t unknown; /* fields of newer versions, packed pairs */")
    out.append("};")
    out += [f"#define {st.stem.upper()}_HAS_{f.name.upper()} (1ull << {f.index})" for f in st.fields]
    out.append(f"extern const schema_type_t {st.stem}_type;")
    if st.fields:
        out.append(f"extern const schema_field_t {st.stem}_fields[];")
    return out + [""]


def enum_text(e):
    out = ["enum {"]
    out += [f"    {e.constant(word)} = {n}," for word, n in e.words.items()]
    return out + ["};", f"extern const schema_enum_t {e.symbol};", ""]


def settings_text(s):
    types = {"bool": "bool ", "int": "int64_t ", "duration": "int64_t ", "str": "const char *"}
    out = [f"/* Settings of {s.name}; filled by offset from {s.name}_settings. */", f"typedef struct {s.name}_settings {{"]
    for name, row in s.settings.items():
        note = ("ms: " if row["type"] == "duration" else "") + row.get("doc", "")
        out.append(f"    {types[row['type']]}{c_member(name)}; /* {c_comment(note)} */")
    if not s.settings:
        out.append("    char none;")
    out += [f"}} {s.name}_settings_t;"]
    if s.settings:
        out.append(f"extern const schema_setting_t {s.name}_settings[];")
    return out + [f"enum {{ {s.name.upper()}_SETTING_COUNT = {len(s.settings)} }};", ""]


def counters_text(s):
    if not s.counters:
        return []
    out = ["enum {"]
    out += [f"    {s.name.upper()}_COUNTER_{name.upper()}, /* {c_comment(doc)} */" for name, doc in s.counters.items()]
    return out + ["};", f"extern const char *const {s.name}_counters[];",
                  f"extern const char *const {s.name}_counter_docs[];", ""]


def tables_text(s):
    out = [f"extern const schema_machine_t {s.name}_{name}_machine;" for name in s.machines]
    out += [f"extern const schema_record_t {s.name}_{name}_record;" for name in s.records]
    out += [f"extern const schema_event_t {s.name}_{name}_event;" for name in s.events]
    if s.records:
        out.append(f"extern const schema_record_t *const {s.name}_records[];")
    if s.events:
        out.append(f"extern const schema_event_t *const {s.name}_events[];")
        out.append("enum {")
        out += [f"    {s.name.upper()}_EVENT_{name.upper()} = {row['n']}," for name, row in s.events.items()]
        out.append("};")
    return out + [""] if out else []


def handlers_text(s):
    if s.is_common or not s.ops:
        return []
    out = ["/* One file each in the service's folder. */"]
    for op in s.ops:
        for suffix in [""] + (["_resume"] if op.row.get("parks") else []):
            stem = f"{s.name}_{op.name}"
            out.append(f"int {stem}{suffix} (turn_t *t, const {stem}_in_t *in, {stem}_out_t *out);")
    return out + [""]


def emit_header(model, s, prefix):
    used = set()
    for st in s.structs.values():
        used |= {f.target.service for f in st.fields if f.target is not None}
        used |= {st.alias.service} if st.alias else set()
    guard = f"AVIARY_{prefix}_{s.name}_H".upper()
    out = [f"/* {s.name}.h - made by tools/schemagen from schemas/{s.name}.toml; do not edit. {c_comment(s.doc)} */",
           f"#ifndef {guard}", f"#define {guard}", "", "#include \"schema/schema.h\"", ""]
    # Other services' structs are declared before their headers: two services may refer to each other.
    declared = {}
    for st in s.structs.values():
        declared |= {} if st.alias else {st.stem: None}
        declared |= {f.target.real.stem: None for f in st.fields if f.kind == "SK_OBJ"}
    out += [f"typedef struct {stem} {stem}_t;" for stem in declared]
    out += [f"#include \"{prefix}/{name}.h\"" for name in sorted(used - {s.name})] + [""]
    for e in s.enums.values():
        out += enum_text(e)
    for st in s.structs.values():
        if not st.alias:
            out += struct_text(st)
    for st in s.structs.values():
        if st.alias:
            out += struct_text(st)
    out += settings_text(s) + counters_text(s) + tables_text(s) + handlers_text(s)
    out += [f"extern const schema_service_t {s.name}_contract; /* without handlers */"]
    if not s.is_common:
        out.append(f"extern const schema_service_t {s.name}_service;  /* with handlers: only in the service itself */")
    return "\n".join(out + ["", "#endif", ""])


