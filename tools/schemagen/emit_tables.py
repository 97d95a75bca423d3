"""gen/tables.c (all types and tables of all services) and gen/NAME_ops.c (a service's ops with its handlers)."""

from ctext import c_int64, c_member, c_string
from emit_fields import field_row, type_row
from fields import INT64_MAX, INT64_MIN, Field

SETTING_KINDS = {"bool": "SK_BOOL", "int": "SK_INT", "str": "SK_STR", "duration": "SK_TIME"}


def enum_rows(e):
    stem = e.symbol[:-5]
    out = [f"static const schema_word_t {stem}_words[] = {{"]
    out += [f"    {{{c_string(word)}, {n}}}," for word, n in e.words.items()]
    return out + ["};", f"const schema_enum_t {e.symbol} = {{{c_string(f'{e.service}.{e.name}')}, {stem}_words, {len(e.words)}}};", ""]


def struct_rows(st):
    if st.alias:
        return []
    out = []
    is_input = st.label.endswith(".in")
    if st.fields:
        out.append(f"const schema_field_t {st.stem}_fields[] = {{")
        for f in st.fields:
            leaf = f.item or f.kind
            row = f
            if not is_input:  # what is required or defaulted is a promise of callers, not of rows written long ago
                row = Field(**{**f.__dict__, "flags": f.flags - {"required"}, "default": None})
            out.append(field_row(row, st, f, f"{f.target.real.stem}_type" if leaf == "SK_OBJ" else None,
                                 f.target.symbol if leaf == "SK_ENUM" else None, f.n))
        out += ["};", ""]
    return out + type_row(f"{st.stem}_type", st.label, st.doc, f"{st.stem}_fields", len(st.fields), st,
                          keeps_unknown=st.keeps_unknown,
                          fills=is_input and any("required" in f.flags or f.default is not None for f in st.fields))


def machine_rows(s, name):
    states, moves = s.machines[name]
    stem = f"{s.name}_{name}"
    out = []
    if moves:
        out.append(f"static const schema_move_t {stem}_moves[] = {{")
        out += [f"    {{{states.constant(a)}, {states.constant(b)}}}," for a, b in moves]
        out.append("};")
    return out + [f"const schema_machine_t {stem}_machine = {{{c_string(f'{s.name}.{name}')}, &{states.symbol}, "
                  f"{f'{stem}_moves' if moves else 'NULL'}, {len(moves)}}};", ""]


def record_rows(s, name):
    row, st = s.records[name], s.structs[name]
    stem, out = st.stem, []

    def at(field):
        return f"&{stem}_fields[{st.find(field).index}]"

    indexes = row.get("indexes", [])
    for i, index in enumerate(indexes):
        out.append(f"static const schema_field_t *const {stem}_index_{i}[] = {{{', '.join(at(f) for f in index['fields'])}}};")
    if indexes:
        out.append(f"static const schema_index_t {stem}_indexes[] = {{")
        for i, index in enumerate(indexes):
            flags = "".join(f", .{name} = true" for name in ("unique", "counted", "sparse") if index.get(name))
            out.append(f"    {{.name = {c_string(index['name'])}, .fields = {stem}_index_{i}, .count = {len(index['fields'])}{flags}}},")
        out.append("};")
    owner = row.get("owner")
    return out + [f"const schema_record_t {stem}_record = {{", f"    .type = &{stem}_type,",
                  f"    .table = {c_string(f'{s.name}.{name}')},", f"    .number = {row['n']},", f"    .id = {at('id')},",
                  f"    .owner = {at(owner) if owner else 'NULL'},",
                  f"    .indexes = {f'{stem}_indexes' if indexes else 'NULL'},", f"    .index_count = {len(indexes)},", "};", ""]


def text_array(name, words, static="static "):
    return f"{static}const char *const {name}[] = {{{', '.join([c_string(w) for w in words])}}};"


def setting_rows(s):
    if not s.settings:
        return []
    out = [f"const schema_setting_t {s.name}_settings[] = {{"]
    for name, row in s.settings.items():
        flags = "".join(f", .{flag} = true" for flag in ("required", "reloadable", "secret") if row.get(flag))
        low = INT64_MIN if row["type"] in ("int", "duration") else 0
        out.append(f"    {{.name = {c_string(name)}, .doc = {c_string(row.get('doc', ''))}, .kind = {SETTING_KINDS[row['type']]}, "
                   f".offset = offsetof ({s.name}_settings_t, {c_member(name)}), .initial = {c_string(row.get('default'))}, "
                   f".min = {c_int64(row.get('min', low))}, .max = {c_int64(row.get('max', INT64_MAX))}{flags}}},")
    return out + ["};", ""]


def service_rows(s):
    out = []
    for e in s.enums.values():
        out += enum_rows(e)
    for st in s.structs.values():
        out += struct_rows(st)
    for name in s.machines:
        out += machine_rows(s, name)
    for name in s.records:
        out += record_rows(s, name)
    for name, row in s.events.items():
        erases = f"{s.name}_{name}_erases" if row.get("erases") else "NULL"
        if row.get("erases"):
            out.append(f"static const char *const {erases}[] = {{{', '.join(map(c_string, row['erases']))}, NULL}};")
        out += [f"const schema_event_t {s.name}_{name}_event = {{{c_string(f'{s.name}.{name}')}, {c_string(s.name)}, {row['n']}, "
                f"&{s.structs[name].real.stem}_type, {erases}}};"]
    for part, names in (("record", s.records), ("event", s.events)):
        if names:
            out.append(f"const schema_{part}_t *const {s.name}_{part}s[] = {{{', '.join(f'&{s.name}_{n}_{part}' for n in names)}}};")
    if s.counters:
        out += [text_array(f"{s.name}_counters", s.counters, ""), text_array(f"{s.name}_counter_docs", s.counters.values(), "")]
    return out + setting_rows(s)


def op_flags(row):
    names = [("read", "OP_READ"), ("write", "OP_WRITE"), ("keyed", "OP_KEYED"), ("parks", "OP_PARKS"), ("owner", "OP_OWNER")]
    return " | ".join(flag for key, flag in names if row.get(key))


def op_lists(s):
    out = []
    for op in s.ops:
        for part in ("from", "settles"):
            if op.row.get(part):
                words = ", ".join([c_string(w) for w in op.row[part]] + ["NULL"])
                out.append(f"static const char *const {s.name}_{op.name}_{part}[] = {{{words}}};")
    return out


def op_row(s, op, handlers):
    row, stem = op.row, f"{s.name}_{op.name}"
    parts = [f".service = {c_string(s.name)}", f".name = {c_string(op.name)}", f".doc = {c_string(row.get('doc', ''))}",
             f".number = {op.n}", f".flags = {op_flags(row)}", f".deadline_ms = {row.get('deadline_ms', 5000)}",
             f".in = &{op.input.real.stem}_type", f".out = &{op.output.real.stem}_type"]
    if handlers:
        parts.append(f".handler = run_{op.name}")
        if row.get("parks"):
            parts.append(f".resume = resume_{op.name}")
    for part in ("from", "settles"):
        if row.get(part):
            parts.append(f".{part} = {stem}_{part}")
    if row.get("secret_answer"):
        parts.append(".secret_answer = true")
    return "    {" + ", ".join(parts) + "},"


def service_object(s, symbol, ops):
    out = [f"const schema_service_t {symbol} = {{", f"    .name = {c_string(s.name)},", f"    .doc = {c_string(s.doc)},"]
    if s.ops:
        out += [f"    .ops = {ops},", f"    .op_count = {len(s.ops)},"]
    for part, names in (("record", s.records), ("event", s.events), ("setting", s.settings)):
        if names:
            out += [f"    .{part}s = {s.name}_{part}s,", f"    .{part}_count = {len(names)},"]
    if s.counters:
        out += [f"    .counters = {s.name}_counters,", f"    .counter_docs = {s.name}_counter_docs,",
                f"    .counter_count = {len(s.counters)},"]
    if s.settings:
        out.append(f"    .settings_size = sizeof ({s.name}_settings_t),")
    return out + [f"    .version = {s.version},", f"    .readable_from = {s.readable_from},", "};", ""]


def array(ctype, name, rows):
    """A table and its count; C has no empty arrays, so an empty one holds one zero row that is not counted."""
    return [f"{ctype} {name}[] = {{"] + (rows or ["    {0},"]) + ["};"]


def emit_tables(model, dialects, prefix, symbols):
    services = list(model.services.values())
    out = ["/* tables.c - made by tools/schemagen from schemas/; do not edit. */"]
    out += [f"#include \"{prefix}/{s.name}.h\"" for s in services] + [f"#include \"{prefix}/{d.name}.h\"" for d in dialects]
    out += ["#include \"schema/schema.h\"", "", "#include <stddef.h>", ""]
    for s in services:
        out += service_rows(s)
    for s in services:
        out += op_lists(s)
    common = [s for s in services if s.is_common]
    named = [s for s in services if not s.is_common]
    rows = [op_row(s, op, False) for s in named for op in sorted_ops(s)]
    out += array("const schema_op_t", f"{symbols}_all_ops", rows) + [f"const size_t {symbols}_all_op_count = {len(rows)};", ""]
    rows = [op_row(s, op, False) for s in common for op in sorted_ops(s)]
    out += array("const schema_op_t", f"{symbols}_common_ops", rows) + [f"const size_t {symbols}_common_op_count = {len(rows)};", ""]
    start = 0
    for s in services:
        ops = f"{symbols}_common_ops" if s.is_common else f"&{symbols}_all_ops[{start}]"
        out += service_object(s, f"{s.name}_contract", ops)
        start += 0 if s.is_common else len(s.ops)
    out += array("const schema_service_t *const", f"{symbols}_all_services", [f"    &{s.name}_contract," for s in named] or ["    NULL,"])
    out += [f"const size_t {symbols}_all_service_count = {len(named)};", ""]
    events = [f"    &{s.name}_{name}_event," for s in named for name, _ in sorted(s.events.items(), key=lambda e: e[1]["n"])]
    out += array("const schema_event_t *const", f"{symbols}_all_events", events or ["    NULL,"])
    out += [f"const size_t {symbols}_all_event_count = {len(events)};", ""]
    out += array("const schema_dialect_t *const", f"{symbols}_all_dialects", [f"    &{symbols}_{d.name}_dialect," for d in dialects] or ["    NULL,"])
    out += [f"const size_t {symbols}_all_dialect_count = {len(dialects)};", ""]
    return "\n".join(out)


def sorted_ops(s):
    return sorted(s.ops, key=lambda op: op.name)


def op_index(model, name):
    """Where SERVICE.op stands in all_ops."""
    ops = [f"{s.name}.{op.name}" for s in model.services.values() if not s.is_common for op in sorted_ops(s)]
    return ops.index(name)


def emit_ops(s, prefix):
    out = [f"/* {s.name}_ops.c - made by tools/schemagen from schemas/{s.name}.toml; do not edit. */",
           f"#include \"{prefix}/{s.name}.h\"", ""]
    for op in s.ops:
        for word, suffix in [("run", "")] + ([("resume", "_resume")] if op.row.get("parks") else []):
            out += [f"static int {word}_{op.name} (turn_t *t, const void *in, void *out)", "{",
                    f"    return {s.name}_{op.name}{suffix} (t, in, out);", "}", ""]
    out += op_lists(s)
    if s.ops:
        out += ["static const schema_op_t ops[] = {"] + [op_row(s, op, True) for op in sorted_ops(s)] + ["};", ""]
    out += service_object(s, f"{s.name}_service", "ops")
    return "\n".join(out)
