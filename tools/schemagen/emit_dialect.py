"""gen/DIALECT.h and gen/DIALECT.c: views, public operations, events and the OpenAPI text of one dialect."""

from ctext import c_comment, c_name, c_string
from emit_fields import field_row, type_row
from emit_tables import array, op_index


def all_views(dialect):
    return list(dialect.instances.values())


def emit_dialect_header(dialect, prefix, symbols):
    guard = f"AVIARY_{prefix}_{dialect.name}_H".upper()
    stem = f"{symbols}_{dialect.name}"
    out = [f"/* {dialect.name}.h - made by tools/schemagen from schemas/{dialect.name}/; do not edit. */", f"#ifndef {guard}",
           f"#define {guard}", "", "#include \"schema/schema.h\"", ""]
    if stem != "schema_chirp":  # schema.h names the first dialect's
        out += [f"extern const schema_public_t {stem}_ops[];", f"extern const size_t {stem}_op_count;",
                f"extern const schema_public_event_t {stem}_events[];", f"extern const size_t {stem}_event_count;",
                f"extern const char {stem}_openapi[];"]
    out += [f"extern const schema_dialect_t {stem}_dialect;", "", "/* Views, each over the struct named. */"]
    out += [f"extern const schema_type_t {v.symbol}; /* {c_comment(v.struct.stem)}_t */" for v in all_views(dialect)]
    out += [f"extern const schema_enum_t {w.symbol};" for w in dialect.words.values()]
    return "\n".join(out + ["", "#endif", ""])


def words_rows(w):
    out = [f"static const schema_word_t {w.symbol}_rows[] = {{"]
    out += [f"    {{{c_string(word)}, {n}}}," for word, n in w.rows] or ["    {0},"]
    return out + ["};", f"const schema_enum_t {w.symbol} = {{{c_string(w.name)}, {w.symbol}_rows, {len(w.rows)}}};", ""]


def rule_rows(view):
    out, rows = [], []
    for i, (f, values, _, names) in enumerate(view.rules):
        stem = f"{view.symbol}_rule_{i}"
        out.append(f"static const char *const {stem}_any[] = {{{', '.join(c_string(n) for n in names)}}};")
        parts = []
        if f is not None:
            parts += [f".field = {c_string(f.name)}", f".field_index = {view.fields.index(f)}"]
        if values is not None:
            out.append(f"static const int32_t {stem}_is[] = {{{', '.join(str(v) for v in values)}}};")
            parts += [f".is = {stem}_is", f".is_count = {len(values)}"]
        mask = sum(1 << view.fields.index(view.find(n)) for n in set(names))
        parts += [f".any_of = {stem}_any", f".any_count = {len(names)}", f".any_mask = {mask:#x}ull"]
        rows.append("    {" + ", ".join(parts) + "},")
    if rows:
        out += [f"static const schema_rule_t {view.symbol}_rules[] = {{"] + rows + ["};"]
    return out


def view_rows(view):
    out = []
    if view.fields:
        out.append(f"static const schema_field_t {view.symbol}_fields[] = {{")
        for f in view.fields:
            leaf = f.item or f.kind
            out.append(field_row(f, view.struct, f.core, f.target.symbol if leaf in ("SK_OBJ", "SK_FLAT") else None,
                                 f.target.symbol if leaf == "SK_ENUM" else None, 0))
        out.append("};")
    out += rule_rows(view)
    return out + type_row(view.symbol, view.label, view.doc, f"{view.symbol}_fields", len(view.fields), view.struct,
                          f"{view.symbol}_rules", len(view.rules))


def op_row(model, dialect, symbols, p):
    row = p.row
    parts = [f".dialect = {c_string(dialect.name)}", f".name = {c_string(p.name)}", f".method = {c_string(row['method'])}",
             f".path = {c_string(row['path'])}", f".auth = AUTH_{row['auth'].upper()}"]
    if row.get("test_only"):
        parts.append(".test_only = true")
    if row.get("bucket"):
        parts.append(f".bucket = {c_string(row['bucket'])}")
    if not row.get("local"):
        parts.append(f".op = &{symbols}_all_ops[{op_index(model, row['core'])}]")
    for part in ("path_view", "query_view", "header_view", "body_view", "answer_view"):
        view = getattr(p, part)
        if view:
            parts.append(f".{part} = &{view.symbol}")
    if row.get("body_optional"):
        parts.append(".body_optional = true")
    if p.picked:
        index = dialect.ops.index(p.picked)
        parts.append(f".pick = {c_string(row['pick']['field'])}, .picked = &{symbols}_{dialect.name}_ops[{index}]")
    if p.is_picked:
        parts.append(".is_picked = true")
    if row.get("upload"):
        parts.append(f".upload = {c_string(row['upload'])}")
    parts.append(f".status = {row.get('status', 200)}")
    if p.location:
        parts.append(f".location = &{p.op.output.real.stem}_fields[{p.location.index}]")
    if p.fixed:
        parts.append(f".fixed = {dialect.name}_{c_name(p.name)}_fixed, .fixed_count = {len(p.fixed)}")
    if p.ensure:
        parts.append(f".ensure = &{symbols}_all_ops[{op_index(model, p.ensure)}]")
    if p.ensure_map:
        parts.append(f".ensure_map = {dialect.name}_{c_name(p.name)}_ensure, .ensure_map_count = {len(p.ensure_map)}")
    if p.also:
        parts.append(f".also = {dialect.name}_{c_name(p.name)}_also, .also_count = {len(p.also)}")
    return "    {" + ", ".join(parts) + "},"


def event_rows(dialect, stem):
    out, rows = [], []
    for e in dialect.events:
        name = f"{dialect.name}_{c_name(e.name)}_when"
        when = []
        for i, (outer, struct, f, values) in enumerate(e.when):
            parts = [f".field = &{struct.stem}_fields[{f.index}]"]
            if outer is not None:
                parts.append(f".part = &{e.struct.stem}_fields[{outer.index}]")
            if values is not None:
                out.append(f"static const int32_t {name}_{i}[] = {{{', '.join(str(v) for v in values)}}};")
                parts.append(f".is = {name}_{i}, .is_count = {len(values)}")
            when.append("    {" + ", ".join(parts) + "},")
        if when:
            out += [f"static const schema_condition_t {name}[] = {{"] + when + ["};"]
        tail = f", .when = {name}, .when_count = {len(when)}" if when else ""
        if e.part is not None:
            tail += f", .part = &{e.struct.stem}_fields[{e.part.index}]"
        rows.append(f"    {{.name = {c_string(e.name)}, .doc = {c_string(e.doc)}, .core = &{e.service}_{e.event}_event, "
                    f".view = &{e.view.symbol}{tail}}},")
    out += array("const schema_public_event_t", f"{stem}_events", rows)
    return out + [f"const size_t {stem}_event_count = {len(rows)};", ""]


def look_rows(dialect, stem):
    rows = [f"    {{{error['n']}, {c_string(kind)}, {c_string(word)}, {status}}}, /* {error['name']} */"
            for error, kind, word, status in dialect.errors]
    out = array("static const schema_public_error_t", f"{stem}_errors", rows)
    rows = [f"    {{{c_string(name)}, {value}}}," for name, value in dialect.buckets.items()]
    return out + array("static const schema_bucket_t", f"{stem}_buckets", rows) + [""]


def long_text(name, text):
    """A long string constant, cut into literals of a line each."""
    pieces = [text[i:i + 100] for i in range(0, len(text), 100)] or [""]
    return [f"const char {name}[] ="] + [f"    {c_string(piece)}" for piece in pieces] + ["    ;", ""]


def emit_dialect(model, dialect, openapi, prefix, symbols):
    stem = f"{symbols}_{dialect.name}"
    out = [f"/* {dialect.name}.c - made by tools/schemagen from schemas/{dialect.name}/; do not edit. */",
           f"#include \"{prefix}/{dialect.name}.h\""]
    out += [f"#include \"{prefix}/{name}.h\"" for name in model.services]
    out += ["", "#include <stddef.h>", ""]
    if symbols != "schema":
        out += [f"extern const schema_op_t {symbols}_all_ops[];", ""]
    for w in dialect.words.values():
        out += words_rows(w)
    for view in all_views(dialect):
        out += view_rows(view)
    for p in dialect.ops:
        if p.fixed:
            rows = ", ".join(f"{{&{p.op.input.real.stem}_fields[{f.index}], {c_string(text)}}}" for f, text in p.fixed)
            out.append(f"static const schema_fixed_t {dialect.name}_{c_name(p.name)}_fixed[] = {{{rows}}};")
        if p.ensure_map:
            to = model.op(p.ensure).input.real.stem
            rows = ", ".join(f"{{&{to}_fields[{a.index}], &{p.op.input.real.stem}_fields[{b.index}]}}" for a, b in p.ensure_map)
            out.append(f"static const schema_pairing_t {dialect.name}_{c_name(p.name)}_ensure[] = {{{rows}}};")
        if p.also:
            rows = ", ".join(f"&{symbols}_all_ops[{op_index(model, name)}]" for name in p.also)
            out.append(f"static const schema_op_t *const {dialect.name}_{c_name(p.name)}_also[] = {{{rows}}};")
    ops = [op_row(model, dialect, symbols, p) for p in dialect.ops]
    out += array("const schema_public_t", f"{stem}_ops", ops) + [f"const size_t {stem}_op_count = {len(ops)};", ""]
    out += event_rows(dialect, stem) + look_rows(dialect, stem) + long_text(f"{stem}_openapi", openapi)
    out += [f"const schema_dialect_t {stem}_dialect = {{", f"    .name = {c_string(dialect.name)},",
            f"    .title = {c_string(dialect.head['title'])},", f"    .version = {c_string(dialect.head['version'])},",
            f"    .ops = {stem}_ops,", f"    .op_count = {len(ops)},", f"    .events = {stem}_events,",
            f"    .event_count = {len(dialect.events)},",
            f"    .errors = {stem}_errors,", f"    .error_count = {len(dialect.errors)},",
            f"    .buckets = {stem}_buckets,", f"    .bucket_count = {len(dialect.buckets)},",
            f"    .openapi = {stem}_openapi,", "};", ""]
    return "\n".join(out)
