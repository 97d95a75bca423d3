"""Rows of schema_field_t and schema_type_t: shared by core types and views."""

from ctext import c_int64, c_member, c_string
from fields import INT64_MAX, INT64_MIN, SHOWN_ONLY, TOLD

FLAG_NAMES = {"required": "SF_REQUIRED", "nullable": "SF_NULLABLE", "secret": "SF_SECRET", "personal": "SF_PERSONAL",
              "unique": "SF_UNIQUE", "out_only": "SF_OUT_ONLY", "text_code": "SF_TEXT_CODE", "limit": "SF_LIMIT"}


def field_row(f, struct, core, type_symbol, enum_symbol, number):
    """One initializer. `core` is the field of `struct` that holds the value (None for const and flat)."""
    parts = [f".name = {c_string(f.name)}", f".name_length = {len(f.name.encode())}"]
    if f.doc:
        parts.append(f".doc = {c_string(f.doc)}")
    if number:
        parts.append(f".number = {number}")
    if core is not None:
        parts.append(f".has_bit = {core.index}")
        parts.append(f".offset = offsetof ({struct.real.stem}_t, {c_member(core.name)})")
    parts.append(f".kind = {f.kind}")
    if f.item or f.kind == "SK_GIVEN":
        parts.append(f".item = {f.item or core.kind}")
    if f.kind == "SK_TOLD":
        parts.append(f".told = {TOLD[f.ref]}")
    if f.format != "none":
        parts.append(f".format = FMT_{f.format.upper()}")
    flags = [FLAG_NAMES[name] for name in FLAG_NAMES if name in f.flags and not (name == "required" and f.kind in SHOWN_ONLY - {"SK_CONST"})]
    if flags:
        parts.append(f".flags = {' | '.join(flags)}")
    if type_symbol:
        parts.append(f".type = &{type_symbol}")
    if enum_symbol:
        parts.append(f".enumeration = &{enum_symbol}")
    if f.prefix:
        parts.append(f".prefix = {c_string(f.prefix)}")
    constant = f.value if f.kind == "SK_CONST" else f.default
    if constant is not None:
        parts.append(f".constant = {c_string(constant)}")
    if f.null_as is not None:
        parts.append(f".null_as = {c_string(f.null_as)}")
    if core is not None and core.kind == "SK_ID":
        mode = struct.find(f"{core.name}_test")
        if mode is not None and mode.kind == "SK_BOOL":
            parts.append(f".test_at = offsetof ({struct.real.stem}_t, {c_member(mode.name)})")
    low = INT64_MIN if f.kind in ("SK_INT", "SK_NUM", "SK_TIME") else 0
    parts.append(f".min = {c_int64(f.min if f.min is not None else low)}")
    parts.append(f".max = {c_int64(f.max if f.max is not None else INT64_MAX)}")
    if f.item:
        low = INT64_MIN if f.item in ("SK_INT", "SK_NUM", "SK_TIME") else 0
        parts.append(f".item_min = {c_int64(f.item_min if f.item_min is not None else low)}")
        parts.append(f".item_max = {c_int64(f.item_max if f.item_max is not None else INT64_MAX)}")
    elif f.kind == "SK_MAP":
        parts.append(f".item_max = {c_int64(f.item_max if f.item_max is not None else INT64_MAX)}")
    return "    {" + ", ".join(parts) + "},"


def type_row(symbol, label, doc, fields_symbol, count, struct, rules_symbol=None, rule_count=0, keeps_unknown=False, fills=False):
    stem = struct.real.stem
    test = struct.find("test")
    out = [f"const schema_type_t {symbol} = {{", f"    .name = {c_string(label)},"]
    if doc:
        out.append(f"    .doc = {c_string(doc)},")
    if count:
        out += [f"    .fields = {fields_symbol},", f"    .field_count = {count},"]
    out.append(f"    .size = sizeof ({stem}_t),")
    if rule_count:
        out += [f"    .rules = {rules_symbol},", f"    .rule_count = {rule_count},"]
    out.append(f"    .unknown_offset = {f'offsetof ({stem}_t, unknown)' if keeps_unknown else '-1'},")
    has_test = test is not None and test.kind == "SK_BOOL"
    out.append(f"    .test_offset = {f'offsetof ({stem}_t, test)' if has_test else '-1'},")
    if fills:
        out.append("    .fills = true,")
    return out + ["};", ""]
