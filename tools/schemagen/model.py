"""The core: schemas/NAME.toml of every service, loaded and checked."""

import re
from dataclasses import dataclass, field as member
from typing import Any

from ctext import c_member, c_name
from fields import CORE_KEYS, read_field
from problem import Problem, check_keys

REFERENCES = {"enum": "SK_ENUM", "obj": "SK_OBJ"}
WORD = re.compile(r"^[a-z][a-z0-9_]*$")
NUMBER_MAX = 65535


@dataclass
class Enum:
    service: str
    name: str
    words: dict  # word -> number

    @property
    def symbol(self):
        return f"{self.service}_{self.name}_enum"

    def constant(self, word):
        return f"{self.service}_{self.name}_{c_name(word)}".upper()


@dataclass
class Struct:
    service: str
    name: str          # "message", "sms_send_in"
    label: str         # "messaging.message", "messaging.sms_send.in"
    path: Any
    key: str
    doc: str = ""
    fields: list = member(default_factory=list)
    keeps_unknown: bool = False
    alias: Any = None  # the Struct (first its name) whose layout this is

    @property
    def stem(self):
        return f"{self.service}_{self.name}"

    @property
    def real(self):
        return self.alias.real if self.alias else self

    def find(self, name):
        return next((f for f in self.real.fields if f.name == name), None)


@dataclass
class Op:
    name: str
    n: int
    row: dict
    input: Struct
    output: Struct


@dataclass
class Service:
    name: str
    path: Any
    doc: str
    version: int
    readable_from: int
    enums: dict = member(default_factory=dict)
    structs: dict = member(default_factory=dict)   # by name, in order of the file
    machines: dict = member(default_factory=dict)  # name -> (Enum, [(from, to)])
    records: dict = member(default_factory=dict)   # name -> row
    events: dict = member(default_factory=dict)    # name -> row
    ops: list = member(default_factory=list)
    settings: dict = member(default_factory=dict)
    counters: dict = member(default_factory=dict)

    @property
    def is_common(self):
        return self.name == "common"


def need(path, key, row, name, kind):
    value = row.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Problem(path, f"{key}.{name}", "is missing or of the wrong type")
    return value


def need_number(path, key, row, taken):
    n = need(path, key, row, "n", int)
    if not 0 < n <= NUMBER_MAX:
        raise Problem(path, f"{key}.n", f"{n} is out of range")
    if n in taken:
        raise Problem(path, f"{key}.n", f"{n} is used twice (see {taken[n]}): numbers are never reused")
    taken[n] = key
    return n


def need_word(path, key, name):
    if not WORD.match(name):
        raise Problem(path, key, f"{name!r} is not a name: lower-case letters, digits and _")


def text_list(path, key, value):
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise Problem(path, key, "must be a list of strings")
    return value


def load_service(path, doc):
    check_keys(path, "", doc, {"service", "doc", "version", "readable_from", "enum", "machine", "type", "record",
                               "event", "op", "setting", "counter"})
    name = need(path, "", doc, "service", str)
    need_word(path, "service", name)
    if path.stem != name:
        raise Problem(path, "service", f"the file is named {path.stem}, the service {name}")
    s = Service(name, path, doc.get("doc", ""), doc.get("version", 1), doc.get("readable_from", 1))
    for word, row in doc.get("enum", {}).items():
        load_enum(s, word, row)
    load_structs(s, doc)
    load_machines(s, doc.get("machine", {}))
    load_settings(s, doc)
    return s


def load_enum(s, name, row):
    key = f"enum.{name}"
    need_word(s.path, key, name)
    taken = {}
    for word, n in row.items():
        if not isinstance(n, int) or not 0 < n < 2**31:
            raise Problem(s.path, f"{key}.{word}", "must be a number above 0")
        if n in taken:
            raise Problem(s.path, f"{key}.{word}", f"{n} is used twice (see {taken[n]}): numbers are never reused")
        taken[n] = word
    s.enums[name] = Enum(s.name, name, dict(row))


def add_struct(s, name, label, key, doc, rows, keeps_unknown):
    need_word(s.path, key, name)
    if name in s.structs:
        raise Problem(s.path, key, f"the name is used twice (see {s.structs[name].key})")
    st = Struct(s.name, name, label, s.path, key, doc, keeps_unknown=keeps_unknown)
    s.structs[name] = st
    if isinstance(rows, str):
        st.alias = rows
        return st
    if not isinstance(rows, list):
        raise Problem(s.path, f"{key}.fields", "must be a list of fields")
    numbers, names = {}, {}
    for i, row in enumerate(rows):
        f = read_field(s.path, f"{key}.fields[{i}]", row, CORE_KEYS, REFERENCES)
        need_word(s.path, f.key, f.name)
        if f.name in ("has", "unknown"):
            raise Problem(s.path, f.key, "the name is taken by the generator")
        if c_member(f.name) in names:
            raise Problem(s.path, f.key, "the name is used twice")
        names[c_member(f.name)] = f
        need_number(s.path, f.key, {"n": f.n}, numbers)
        st.fields.append(f)
    if len(st.fields) > 64:
        raise Problem(s.path, key, "has more than 64 fields: group some in a type")
    st.fields.sort(key=lambda f: f.n)
    for i, f in enumerate(st.fields):
        f.index = i
    return st


def load_structs(s, doc):
    for name, row in doc.get("type", {}).items():
        key = f"type.{name}"
        check_keys(s.path, key, row, {"doc", "fields"})
        add_struct(s, name, f"{s.name}.{name}", key, row.get("doc", ""), row.get("fields"), True)
    taken = {}
    for name, row in doc.get("record", {}).items():
        key = f"record.{name}"
        check_keys(s.path, key, row, {"doc", "n", "owner", "fields", "indexes"})
        need_number(s.path, key, row, taken)
        load_record(s, name, key, row)
    taken = {}
    for name, row in doc.get("event", {}).items():
        key = f"event.{name}"
        check_keys(s.path, key, row, {"doc", "n", "fields", "erases"})
        need_number(s.path, key, row, taken)
        add_struct(s, name, f"{s.name}.{name}", key, row.get("doc", ""), row.get("fields"), True)
        s.events[name] = row
        check_erases(s, name, key, row)
    taken = {}
    for name, row in doc.get("op", {}).items():
        load_op(s, name, row, taken)


def check_erases(s, name, key, row):
    """Fields of an event that name what was erased: ids, lists of ids, texts."""
    for field in row.get("erases", []):
        found = s.structs[name].find(field)
        if found is None:
            raise Problem(s.path, f"{key}.erases", f"no field {field!r}")
        if found.kind not in ("SK_ID", "SK_STR") and (found.kind, found.item) != ("SK_LIST", "SK_ID"):
            raise Problem(s.path, f"{key}.erases", f"{field!r} is no id, list of ids or text")


def load_record(s, name, key, row):
    if isinstance(row.get("fields"), str):
        raise Problem(s.path, f"{key}.fields", "a record has fields of its own")
    st = add_struct(s, name, f"{s.name}.{name}", key, row.get("doc", ""), row.get("fields"), True)
    if not st.find("id") or st.find("id").kind != "SK_ID":
        raise Problem(s.path, key, "a record needs a field `id` of type id")
    owner = row.get("owner")
    if owner is not None and (not st.find(owner) or st.find(owner).kind != "SK_ID"):
        raise Problem(s.path, f"{key}.owner", f"{owner!r} is not an id field of the record")
    names = set()
    for i, index in enumerate(row.get("indexes", [])):
        at = f"{key}.indexes[{i}]"
        check_keys(s.path, at, index, {"name", "fields", "unique", "counted", "sparse"})
        if need(s.path, at, index, "name", str) in names:
            raise Problem(s.path, at, f"the name {index['name']!r} is used twice")
        names.add(index["name"])
        for f in text_list(s.path, f"{at}.fields", index.get("fields")):
            if not st.find(f) or st.find(f).kind not in ("SK_BOOL", "SK_INT", "SK_TIME", "SK_ENUM", "SK_ID", "SK_STR"):
                raise Problem(s.path, f"{at}.fields", f"{f!r} is no field of the record that can be a key")
    s.records[name] = row


def load_op(s, name, row, taken):
    key = f"op.{name}"
    check_keys(s.path, key, row, {"n", "doc", "write", "read", "owner", "keyed", "parks", "from", "settles",
                                  "deadline_ms", "secret_answer", "errors", "in", "out"})
    need_word(s.path, key, name)
    n = need_number(s.path, key, row, taken)
    if bool(row.get("read")) == bool(row.get("write")):
        raise Problem(s.path, key, "must be one of read = true and write = true")
    if row.get("read") and (row.get("keyed") or row.get("parks")):
        raise Problem(s.path, key, "only writing ops are keyed or park")
    for part in ("from", "settles", "errors"):
        text_list(s.path, f"{key}.{part}", row.get(part, []))
    doc = row.get("doc", "")
    sides = [add_struct(s, f"{name}_{side}", f"{s.name}.{name}.{side}", f"{key}.{side}", doc, row.get(side, []), False)
             for side in ("in", "out")]
    s.ops.append(Op(name, n, row, sides[0], sides[1]))


def load_machines(s, machines):
    for name, row in machines.items():
        key = f"machine.{name}"
        need_word(s.path, key, name)
        states = s.enums.get(row.get("states"))
        if states is None:
            raise Problem(s.path, f"{key}.states", f"no enum {row.get('states')!r} here")
        moves = []
        for start, ends in row.items():
            if start == "states":
                continue
            for word in [start] + text_list(s.path, f"{key}.{start}", ends):
                if word not in states.words:
                    raise Problem(s.path, f"{key}.{start}", f"{word!r} is no word of enum {states.name}")
            moves += [(start, end) for end in ends]
        s.machines[name] = (states, moves)


def load_settings(s, doc):
    for name, row in doc.get("setting", {}).items():
        key = f"setting.{name}"
        need_word(s.path, key, name)
        check_keys(s.path, key, row, {"type", "default", "min", "max", "reloadable", "required", "secret", "doc"})
        if row.get("type") not in ("bool", "int", "str", "duration"):
            raise Problem(s.path, f"{key}.type", "must be bool, int, str or duration")
        if "default" in row and not isinstance(row["default"], str):
            raise Problem(s.path, f"{key}.default", "must be text, as it would stand in the environment")
        s.settings[name] = row
    for name, row in doc.get("counter", {}).items():
        need_word(s.path, f"counter.{name}", name)
        check_keys(s.path, f"counter.{name}", row, {"doc"})
        s.counters[name] = row.get("doc", "")


class Model:
    """All services, with names resolved."""

    def __init__(self, services, errors):
        self.services = {s.name: s for s in sorted(services, key=lambda s: s.name)}
        self.errors = None if errors is None else {row["name"] for row in errors}
        for s in self.services.values():
            for st in s.structs.values():
                self.resolve(s, st)
            for op in s.ops:
                for name in op.row.get("errors", []):
                    if self.errors is not None and name not in self.errors:
                        raise Problem(s.path, f"op.{op.name}.errors", f"no error {name!r} in errors.toml")
        for s in self.services.values():
            for st in s.structs.values():
                self.check_alias(st)

    def split(self, here, name):
        service, dot, rest = name.partition(".")
        return (service, rest) if dot else (here, name)

    def struct(self, here, name):
        """SERVICE.TYPE, SERVICE.OP.in, SERVICE.OP.out, or TYPE of the service `here`; None if there is none."""
        service, rest = self.split(here, name)
        s = self.services.get(service)
        return s.structs.get(rest.replace(".", "_")) if s else None

    def enum(self, here, name):
        service, rest = self.split(here, name)
        s = self.services.get(service)
        return s.enums.get(rest) if s else None

    def op(self, name):
        service, _, rest = name.partition(".")
        s = self.services.get(service)
        return next((o for o in s.ops if o.name == rest), None) if s else None

    def resolve(self, s, st):
        if isinstance(st.alias, str):
            target = self.struct(s.name, st.alias)
            if target is None or target is st:
                raise Problem(s.path, st.key, f"no type, record or event {st.alias!r}")
            st.alias = target
        for f in st.fields:
            if not f.ref:
                continue
            find = self.enum if (f.item or f.kind) == "SK_ENUM" else self.struct
            f.target = find(s.name, f.ref)
            if f.target is None:
                raise Problem(s.path, f"{f.key}.type", f"unknown type {f.type!r}")
            if isinstance(f.target, Enum) and f.default and f.default.strip('"') not in f.target.words:
                raise Problem(s.path, f"{f.key}.default", f"{f.default} is no word of the enum")

    def check_alias(self, st):
        seen = set()
        while st.alias:
            if id(st) in seen:
                raise Problem(st.path, st.key, "refers to itself")
            seen.add(id(st))
            st = st.alias
