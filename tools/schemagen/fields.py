"""Fields: what one row of a `fields` array may say, checked, for core structs and for views alike."""

import json
from dataclasses import dataclass, field as member
from typing import Any

from problem import Problem, check_keys

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

# kind in TOML -> kind in C, C type of a member
SCALARS = {
    "bool": ("SK_BOOL", "bool"),
    "int": ("SK_INT", "int64_t"),
    "num": ("SK_NUM", "double"),
    "time": ("SK_TIME", "int64_t"),
    "id": ("SK_ID", "id16_t"),
    "str": ("SK_STR", "const char *"),
    "bytes": ("SK_BYTES", "bytes_t"),
    "any": ("SK_ANY", "bytes_t"),
    "map": ("SK_MAP", "schema_map_t"),
}
# types of views only that are of the request or derived: word -> (SK_ kind, schema_told_t)
TOLD = {"request_id": "TOLD_REQUEST_ID", "rate_tier": "TOLD_RATE_TIER", "rate_write": "TOLD_RATE_WRITE", "rate_read": "TOLD_RATE_READ"}
SHOWN_ONLY = {"SK_CONST", "SK_TOLD", "SK_GIVEN"}
FORMATS = ["none", "e164", "http_url", "uri", "date", "email", "event_name", "slug", "header_name", "digits", "phone"]
FLAGS = ["required", "nullable", "secret", "personal", "unique", "out_only", "text_code"]
COMMON_KEYS = {"name", "type", "doc", "required", "nullable", "secret", "personal", "unique", "format", "min", "max",
               "item_min", "item_max", "prefix", "default", "text_code"}
CORE_KEYS = COMMON_KEYS | {"n"}
VIEW_KEYS = COMMON_KEYS | {"core", "out_only", "value", "null_as"}


@dataclass
class Field:
    key: str            # where it stands in the TOML, for messages
    name: str
    type: str
    doc: str = ""
    n: int = 0
    index: int = 0      # has bit
    kind: str = ""      # SK_
    item: str = ""      # SK_ of a list's items
    ref: str = ""       # NAME of enum:, obj:, words:, view:, flat:
    target: Any = None  # what `ref` names, once resolved
    core: Any = None    # views: name of the core field, then the core Field
    flags: set = member(default_factory=set)
    format: str = "none"
    min: int | None = None
    max: int | None = None
    item_min: int | None = None
    item_max: int | None = None
    prefix: str | None = None
    default: str | None = None  # JSON text
    value: str | None = None    # const: JSON text
    null_as: str | None = None  # JSON text


def split_type(path, key, text, references):
    """'list:obj:x' -> (kind, item, ref). `references` maps a word before a colon to its SK_ kind."""
    kind, item = None, ""
    rest = text
    if rest.startswith("list:"):
        kind, rest = "SK_LIST", rest[5:]
    if rest in SCALARS:
        leaf, ref = SCALARS[rest][0], ""
    elif rest == "const" and "flat" in references and kind is None:
        leaf, ref = "SK_CONST", ""
    elif rest in TOLD and "flat" in references and kind is None:
        leaf, ref = "SK_TOLD", rest
    elif rest in ("given", "cursor", "limit") and "flat" in references and kind is None:
        leaf, ref = {"given": "SK_GIVEN", "cursor": "SK_CURSOR", "limit": "SK_INT"}[rest], ""
    else:
        word, _, ref = rest.partition(":")
        if word not in references or not ref or (kind and word == "flat"):
            raise Problem(path, key, f"unknown type {text!r}")
        leaf = references[word]
    if kind is None:
        return leaf, "", ref
    if leaf == "SK_MAP":
        raise Problem(path, key, "a list of maps is not supported: use list:any or list:obj:NAME")
    item = leaf
    return kind, item, ref


def json_default(path, key, kind, value, nulls=False):
    """A default (or what null stands for) as JSON text, from a TOML value or from text."""
    if kind in ("SK_BOOL", "SK_INT", "SK_NUM"):
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = None
        good = {"SK_BOOL": isinstance(parsed, bool), "SK_INT": isinstance(parsed, int) and not isinstance(parsed, bool),
                "SK_NUM": isinstance(parsed, (int, float)) and not isinstance(parsed, bool)}[kind]
        if not good:
            raise Problem(path, f"{key}.default", f"{value!r} does not fit the type")
        return text
    if kind == "SK_ANY" and value == "null":
        return value
    if kind in ("SK_STR", "SK_ENUM") and isinstance(value, str):
        return value if len(value) > 1 and value[0] == value[-1] == '"' else json.dumps(value, ensure_ascii=False)
    if nulls and kind == "SK_ID" and isinstance(value, str):
        return json.dumps(value)
    if nulls and kind == "SK_ANY":
        return json.dumps(value if not isinstance(value, str) else json.loads(value))
    raise Problem(path, f"{key}.default", "only bool, int, num, str and enum fields have defaults")


def read_field(path, key, row, allowed, references):
    check_keys(path, key, row, allowed)
    for name, kind in (("name", str), ("type", str)):
        if not isinstance(row.get(name), kind):
            raise Problem(path, f"{key}.{name}", "is missing or of the wrong type")
    f = Field(key=f"{key}({row['name']})", name=row["name"], type=row["type"], doc=row.get("doc", ""))
    f.kind, f.item, f.ref = split_type(path, f"{f.key}.type", f.type, references)
    for name in FLAGS:
        if not isinstance(row.get(name, False), bool):
            raise Problem(path, f"{f.key}.{name}", "must be true or false")
        if row.get(name):
            f.flags.add(name)
    if f.kind == "SK_CURSOR" and "nullable" in f.flags:
        f.flags.add("required")  # null at the end
    if f.type == "limit":
        row = {"min": 1, "max": 100, "default": "25"} | row
        f.flags.add("limit")
    for name in ("min", "max", "item_min", "item_max"):
        value = row.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise Problem(path, f"{f.key}.{name}", "must be a whole number")
        setattr(f, name, value)
    if "format" in row:
        if row["format"] not in FORMATS:
            raise Problem(path, f"{f.key}.format", f"unknown format {row['format']!r}")
        f.format = row["format"]
    f.prefix = row.get("prefix")
    f.n = row.get("n", 0)
    f.core = row.get("core")
    if "default" in row:
        f.default = json_default(path, f.key, f.kind, row["default"])
    if "null_as" in row:
        if "nullable" not in f.flags:
            raise Problem(path, f"{f.key}.null_as", "is for nullable fields")
        f.null_as = json_default(path, f.key, f.kind, row["null_as"], nulls=True)
    if f.kind == "SK_CONST":
        f.value = row.get("value")
        try:
            json.loads(f.value)
        except (TypeError, ValueError):
            raise Problem(path, f"{f.key}.value", "must be JSON text, as '\"list\"'") from None
    elif "value" in row:
        raise Problem(path, f"{f.key}.value", "only const fields have a value")
    check_field(path, f)
    return f


def check_field(path, f):
    leaf = f.item or f.kind
    if f.format != "none" and leaf != "SK_STR":
        raise Problem(path, f"{f.key}.format", "formats are for strings")
    if f.prefix is not None and leaf != "SK_ID":
        raise Problem(path, f"{f.key}.prefix", "prefixes are for ids")
    if "unique" in f.flags and (f.kind != "SK_LIST" or leaf in ("SK_OBJ", "SK_ANY", "SK_BYTES")):
        raise Problem(path, f"{f.key}.unique", "is for lists of str, id, int, num, time and enum")
    if "text_code" in f.flags and f.kind != "SK_INT":
        raise Problem(path, f"{f.key}.text_code", "is for int")
    if (f.item_min is not None or f.item_max is not None) and f.kind not in ("SK_LIST", "SK_MAP"):
        raise Problem(path, f"{f.key}.item_max", "is for lists and maps")
    if f.min is not None and f.max is not None and f.min > f.max:
        raise Problem(path, f"{f.key}.min", "is above max")
