"""A dialect: schemas/DIALECT/*.toml, loaded and checked against the core."""

import json
import re
from dataclasses import dataclass, field as member
from typing import Any

from ctext import c_name, snake
from fields import SHOWN_ONLY, VIEW_KEYS, json_default, read_field
from model import Enum, need, text_list
from problem import Problem, check_keys

REFERENCES = {"words": "SK_ENUM", "enum": "SK_ENUM", "view": "SK_OBJ", "flat": "SK_FLAT"}
VIEW_TABLE_KEYS = {"of", "doc", "fields", "any_of", "when"}
OP_KEYS = {"method", "path", "auth", "test_only", "bucket", "core", "path_fields", "query", "body", "body_optional", "upload", "status",
           "answer", "errors", "tags", "doc", "fixed", "ensure", "ensure_map",
           "headers", "also", "local", "location", "pick"}
TOP_KEYS = {"dialect", "class", "errors", "buckets", "words", "view", "op", "event"}


@dataclass
class Words:
    symbol: str
    name: str
    enum: Enum
    rows: list  # (spelling, number): reading takes the first of a spelling, writing the first of a number

    @property
    def words(self):
        out = {}
        for word, n in self.rows:
            out.setdefault(word, n)
        return out


@dataclass
class View:
    name: str
    path: Any
    key: str
    struct: Any       # the core Struct
    symbol: str
    label: str
    doc: str = ""
    fields: list = member(default_factory=list)
    rules: list = member(default_factory=list)  # (field or None, [values] or None, [JSON words] or None, [names])

    def find(self, name):
        return next((f for f in self.fields if f.name == name), None)


@dataclass
class PublicOp:
    name: str
    row: dict
    op: Any
    path_view: View | None
    query_view: View | None
    body_view: View | None
    answer_view: View | None
    fixed: list = member(default_factory=list)  # (core Field, JSON text)
    ensure: str | None = None
    ensure_map: list = member(default_factory=list)  # (Field of the ensured op's in, core Field)
    header_view: View | None = None
    also: list = member(default_factory=list)        # names of ops
    location: Any = None                             # Field of the core op's out
    picked: Any = None                               # PublicOp that bodies with row["pick"]["field"] are for
    is_picked: bool = False


class LocalOp:
    """Stands in for the core op where the edge answers by itself."""

    def __init__(self, empty):
        self.input = self.output = empty
        self.row = {}


@dataclass
class PublicEvent:
    name: str
    doc: str
    service: str
    event: str
    struct: Any        # of the core event
    part: Any          # the SK_OBJ Field of it that the view shows; None = the event itself
    view: View
    when: list         # what load_condition gives
    told: list         # further names that data always has, beside the part
    schema: Any        # JSON text of its payload where the view does not say it; None


class Dialect:
    def __init__(self, model, documents, errors):
        """`documents` is a list of (path, TOML table) of one folder, `errors` the rows of errors.toml."""
        self.model = model
        self.views, self.words, self.ops, self.events = {}, {}, [], []
        rows = {"view": {}, "words": {}, "op": {}, "event": {}}
        head, self.looks = None, {"class": {}, "errors": {}, "buckets": {}}
        for path, doc in documents:
            check_keys(path, "", doc, TOP_KEYS)
            if "dialect" in doc:
                head = (path, doc["dialect"])
            for part, found in self.looks.items():
                found |= doc.get(part, {})
            for part, found in rows.items():
                for name, row in doc.get(part, {}).items():
                    if name in found:
                        raise Problem(path, f"{part}.{name}", f"the name is used twice (see {found[name][0]})")
                    found[name] = (path, row)
        if head is None:
            raise Problem(documents[0][0].parent, "", "no file has a [dialect] table")
        self.path, self.head = head
        self.name = need(self.path, "dialect", self.head, "name", str)
        for key in ("title", "version", "error_schema"):
            need(self.path, "dialect", self.head, key, str)
        self.error_schema = self.json_key("error_schema", None)
        self.errors = self.load_errors(errors or [])
        self.buckets = self.load_buckets()
        self.rows = rows
        self.instances = {}
        for name, (path, row) in rows["words"].items():
            self.words[name] = self.load_words(path, name, row)
        for name, (path, row) in rows["view"].items():
            key = f"view.{name}"
            check_keys(path, key, row, VIEW_TABLE_KEYS)
            struct = self.struct(path, f"{key}.of", need(path, key, row, "of", str))
            self.views[name] = self.instance(path, key, name, struct)
        for name, (path, row) in rows["op"].items():
            self.ops.append(self.load_op(path, name, row))
        self.ops.sort(key=route_order)
        self.load_picks()
        self.check_routes()
        for name, (path, row) in rows["event"].items():
            self.events.append(self.load_event(path, name, row))

    def json_key(self, key, default):
        text = self.head.get(key)
        if text is None:
            return default
        try:
            return json.loads(text)
        except ValueError as error:
            raise Problem(self.path, f"dialect.{key}", f"is not JSON: {error}") from None

    def struct(self, path, key, name):
        found = self.model.struct("", name)
        if found is None:
            raise Problem(path, key, f"no {name!r} in the core schemas")
        return found

    def load_words(self, path, name, row):
        key = f"words.{name}"
        enum = self.model.enum("", need(path, key, row, "of", str))
        if enum is None:
            raise Problem(path, f"{key}.of", f"no enum {row['of']!r}")
        rows = []
        for core, spelling in row.items():
            if core == "of":
                continue
            if core not in enum.words:
                raise Problem(path, f"{key}.{core}", f"no word of enum {row['of']}")
            for word in [spelling] if isinstance(spelling, str) else text_list(path, f"{key}.{core}", spelling):
                rows.append((word, enum.words[core]))
        return Words(f"{self.name}_{c_name(name)}_words", name, enum, rows)

    # ---- errors and buckets ----

    def load_errors(self, errors):
        """Rows (error row, type, word, status): the class's look, with what the error's own row changes."""
        out = []
        if not self.looks["class"]:
            return out
        for name in self.looks["errors"]:
            if errors and name not in {e["name"] for e in errors}:
                raise Problem(self.path, f"errors.{name}", "no such error in errors.toml")
        for error in errors:
            look = self.looks["class"].get(error["class"])
            if look is None:
                raise Problem(self.path, f"class.{error['class']}", "is missing")
            look = look | self.looks["errors"].get(error["name"], {})
            check_keys(self.path, f"errors.{error['name']}", look, {"type", "status", "code"})
            if not isinstance(look.get("status"), int):
                raise Problem(self.path, f"errors.{error['name']}.status", "is missing")
            out.append((error, look.get("type"), look.get("code"), look["status"]))
        return out

    def load_buckets(self):
        for name, value in self.looks["buckets"].items():
            if not isinstance(value, int) or value < 1:
                raise Problem(self.path, f"buckets.{name}", "must be requests a minute")
        return self.looks["buckets"]

    # ---- views ----

    def instance(self, path, key, name, struct):
        """The view `name` over `struct`. A view may be used over other structs than its `of` if its core fields are there too."""
        struct = struct.real
        found = self.instances.get((name, struct.stem))
        if found:
            return found
        if name not in self.rows["view"]:
            raise Problem(path, key, f"no view {name!r}")
        view_path, row = self.rows["view"][name]
        primary = self.struct(view_path, f"view.{name}.of", row.get("of", "")).real
        symbol = f"{self.name}_{name}_view" if primary is struct else f"{self.name}_{name}_over_{struct.stem}_view"
        view = View(name, view_path, f"view.{name}", struct, symbol, f"{self.name}.{name}", row.get("doc", ""))
        self.instances[(name, struct.stem)] = view  # before the fields: views may contain themselves
        self.fill(view, row.get("fields"), struct if primary is not struct else None)
        self.load_rules(view, row)
        return view

    def fill(self, view, rows, over=None):
        if not isinstance(rows, list) or len(rows) > 64:
            raise Problem(view.path, f"{view.key}.fields", "must be a list of at most 64 fields")
        names = set()
        for i, row in enumerate(rows):
            f = read_field(view.path, f"{view.key}.fields[{i}]", row, VIEW_KEYS, REFERENCES)
            if f.name in names:
                raise Problem(view.path, f.key, "the name is used twice")
            names.add(f.name)
            self.bind(view, f, row, over)
            view.fields.append(f)

    def bind(self, view, f, row, over):
        """Find the core field, check that the types fit, and take over what the view leaves to the core."""
        path, core_name = view.path, f.core
        f.core = None
        if f.kind in ("SK_CONST", "SK_TOLD"):
            return
        if f.kind == "SK_FLAT":
            f.target = self.instance(path, f"{f.key}.type", f.ref, view.struct)
            return
        core = view.struct.find(core_name or snake(f.name))
        if core is None:
            at = f" (used over it as {view.symbol})" if over else ""
            raise Problem(path, f.key, f"{view.struct.label} has no field {core_name or snake(f.name)!r}{at}")
        f.core = core
        times = {"SK_INT", "SK_TIME"}
        if f.kind == "SK_GIVEN":
            return
        if (f.kind, core.kind) == ("SK_CURSOR", "SK_BYTES"):
            return
        if (f.kind, f.item) != (core.kind, core.item) and not ({f.kind, core.kind} <= times):
            raise Problem(path, f"{f.key}.type", f"{f.type!r} cannot show {view.struct.label}.{core.name} of type {core.type!r}")
        leaf = f.item or f.kind
        if leaf == "SK_OBJ":
            f.target = self.instance(path, f"{f.key}.type", f.ref, core.target)
        elif leaf == "SK_ENUM":
            f.target = self.words.get(f.ref) if f.type.split(":")[-2] == "words" else self.model.enum("", f.ref)
            if f.target is None:
                raise Problem(path, f"{f.key}.type", f"no words {f.ref!r}")
            if (f.target.enum if isinstance(f.target, Words) else f.target) is not core.target:
                raise Problem(path, f"{f.key}.type", f"spells another enum than {view.struct.label}.{core.name} has")
            if f.default and json.loads(f.default) not in f.target.words:
                raise Problem(path, f"{f.key}.default", f"{f.default} is none of the words")
        f.flags |= core.flags & {"secret", "personal", "unique"}
        for limit in ("min", "max", "item_min", "item_max"):
            if getattr(f, limit) is None:
                setattr(f, limit, getattr(core, limit))
        if "format" not in row:
            f.format = core.format

    def load_rules(self, view, row):
        for group in row.get("any_of", []):
            view.rules.append((None, None, None, self.rule_names(view, "any_of", group)))
        for rule in row.get("when", []):
            check_keys(view.path, f"{view.key}.when", rule, {"field", "is", "need"})
            f = view.find(rule.get("field"))
            if f is None:
                raise Problem(view.path, f"{view.key}.when", f"no field {rule.get('field')!r}")
            words = rule.get("is")
            values = None
            if words is not None:
                words = words if isinstance(words, list) else [words]
                values = self.values(view.path, f"{view.key}.when", f, words)
            for group in rule.get("need", []):
                names = self.rule_names(view, "when", [group] if isinstance(group, str) else group)
                view.rules.append((f, values, words, names))

    def rule_names(self, view, key, group):
        for name in text_list(view.path, f"{view.key}.{key}", group):
            if view.find(name) is None:
                raise Problem(view.path, f"{view.key}.{key}", f"no field {name!r}")
        if not group:
            raise Problem(view.path, f"{view.key}.{key}", "an empty group")
        return group

    def values(self, path, key, f, words):
        out = []
        for word in words:
            if f.kind == "SK_BOOL" and isinstance(word, bool):
                out.append(int(word))
            elif f.kind == "SK_ENUM" and isinstance(word, str) and word in f.target.words:
                out.append(f.target.words[word])
            else:
                raise Problem(path, key, f"{word!r} is no value of {f.name}")
        return out

    # ---- operations and events ----

    def parameters(self, path, key, name, kind, rows, op):
        if not rows:
            return None
        view = View(f"{name}.{kind}", path, key, op.input.real, f"{self.name}_{c_name(name)}_{kind}_view", f"{self.name}.{name}.{kind}")
        self.fill(view, rows)
        for f in view.fields:
            leaf = f.item or f.kind
            if leaf in SHOWN_ONLY or leaf in ("SK_OBJ", "SK_FLAT", "SK_MAP", "SK_ANY", "SK_BYTES"):
                raise Problem(path, f"{f.key}.type", f"{f.type!r} cannot stand in a URL")
            if kind == "path":
                f.flags.add("required")
        self.instances[(view.name, view.struct.stem)] = view
        return view

    def load_op(self, path, name, row):
        key = f"op.{name}"
        check_keys(path, key, row, OP_KEYS)
        local = row.get("local", False)
        for part in ("method", "path", "auth") + (() if local else ("core",)):
            need(path, key, row, part, str)
        if local and ("core" in row or "body" in row or "path_fields" in row or "query" in row):
            raise Problem(path, f"{key}.local", "the edge answers by itself: no core, no fields")
        op = LocalOp(self.struct(path, f"{key}.local", "common.empty")) if local else self.model.op(row["core"])
        if op is None:
            raise Problem(path, f"{key}.core", f"no op {row['core']!r}")
        if row["method"] not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            raise Problem(path, f"{key}.method", f"{row['method']!r} is no method")
        if row["auth"] not in ("none", "app", "admin", "organization"):
            raise Problem(path, f"{key}.auth", "must be app, admin, organization or none")
        if not row["path"].startswith("/"):
            raise Problem(path, f"{key}.path", "must begin with /")
        names = re.findall(r"{([^}]*)}", row["path"])
        given = [f.get("name") for f in row.get("path_fields", [])]
        if sorted(names) != sorted(given):
            raise Problem(path, f"{key}.path_fields", f"the path has {names}, path_fields {given}")
        status = row.get("status", 200)
        if not isinstance(status, int) or not (200 <= status < 300 or (status in (302, 303, 307) and "location" in row)):
            raise Problem(path, f"{key}.status", "must be a status of success, or of a redirection with a location")
        for code in row.get("errors", []):
            if not isinstance(code, int) or not 400 <= code < 600:
                raise Problem(path, f"{key}.errors", f"{code!r} is no error status")
        out = PublicOp(name, row, op, self.parameters(path, key, name, "path", row.get("path_fields"), op),
                       self.parameters(path, key, name, "query", row.get("query"), op), None, None)
        out.header_view = self.parameters(path, key, name, "header", row.get("headers"), op)
        out.also = text_list(path, f"{key}.also", row.get("also", []))
        for other in out.also:
            if self.model.op(other) is None or not self.model.op(other).row.get("read"):
                raise Problem(path, f"{key}.also", f"no reading op {other!r}")
        if "location" in row:
            out.location = op.output.find(row["location"])
            if out.location is None or out.location.kind != "SK_STR" or "answer" in row:
                raise Problem(path, f"{key}.location", "must be a str field of the core op's out, and there is no answer beside it")
        if "body" in row:
            out.body_view = self.instance(path, f"{key}.body", row["body"], op.input)
        if "answer" in row:
            out.answer_view = self.instance(path, f"{key}.answer", row["answer"], op.output)
        for name, value in row.get("fixed", {}).items():
            out.fixed.append(self.load_fixed(path, f"{key}.fixed.{name}", op.input.find(name), value))
        if "ensure" in row:
            if self.model.op(row["ensure"]) is None:
                raise Problem(path, f"{key}.ensure", f"no op {row['ensure']!r}")
            out.ensure = row["ensure"]
            out.ensure_map = self.load_ensure_map(path, f"{key}.ensure_map", op, self.model.op(row["ensure"]), row)
        return out

    def load_ensure_map(self, path, key, op, ensured, row):
        """ensure_map = { number = "to" }: the ensured op's `number` is the core op's `to`."""
        out = []
        for to_name, from_name in row.get("ensure_map", {}).items():
            to, source = ensured.input.find(to_name), op.input.find(from_name)
            if to is None or source is None or (to.kind, to.item, to.target) != (source.kind, source.item, source.target):
                raise Problem(path, f"{key}.{to_name}", f"no fields {to_name!r} and {from_name!r} of one type")
            out.append((to, source))
        return out

    def load_fixed(self, path, key, f, value):
        if f is None:
            raise Problem(path, key, "the core op has no such field")
        if f.kind == "SK_ENUM" and value not in f.target.words:
            raise Problem(path, key, f"{value!r} is no word of enum {f.target.name}")
        return f, json_default(path, key, f.kind, value)

    def load_picks(self):
        """pick = { field = "status", op = "markRead" }: one route, two operations, told apart by a member of the body."""
        named = {op.name: op for op in self.ops}
        for op in self.ops:
            if "pick" not in op.row:
                continue
            path, key = self.rows["op"][op.name][0], f"op.{op.name}.pick"
            check_keys(path, key, op.row["pick"], {"field", "op"})
            need(path, key, op.row["pick"], "field", str)
            other = named.get(need(path, key, op.row["pick"], "op", str))
            alike = ("method", "path", "auth", "bucket")
            if other is None or other is op or any(op.row.get(k) != other.row.get(k) for k in alike):
                raise Problem(path, f"{key}.op", "must be another operation with the same method, path, auth and bucket")
            if op.body_view is None or other.body_view is None or op.answer_view is not other.answer_view:
                raise Problem(path, f"{key}.op", "both need a body, and one answer")
            op.picked, other.is_picked = other, True

    def check_routes(self):
        seen = {}
        for op in self.ops:
            if op.is_picked:
                continue
            route = (op.row["method"], re.sub(r"{[^}]*}", "{}", op.row["path"]))
            if route in seen:
                raise Problem(self.rows["op"][op.name][0], f"op.{op.name}.path", f"the route is the same as {seen[route]}'s")
            seen[route] = op.name

    def load_event(self, path, name, row):
        """Either `view` over the whole event with `when`, or `message`: a view of the event's part of that name, and selectors."""
        key = f'event."{name}"'
        part_name = "message" if "message" in row else None
        view_name = need(path, key, row, part_name or "view", str)
        if view_name not in self.views:
            raise Problem(path, f"{key}.{part_name or 'view'}", f"no view {view_name!r}")
        of = row.get("core", self.rows["view"][view_name][1]["of"])
        service, _, event = of.partition(".")
        s = self.model.services.get(service)
        if s is None or event not in s.events:
            raise Problem(path, f"{key}.core", f"no event {of!r}")
        struct = s.structs[event].real
        part = None
        if part_name:
            part = struct.find(part_name)
            if part is None or part.kind != "SK_OBJ":
                raise Problem(path, f"{key}.{part_name}", f"{of} has no object {part_name!r}")
        view = self.instance(path, key, view_name, part.target if part else struct)
        out = PublicEvent(name, row.get("doc", ""), service, event, struct, part, view, [], row.get("told", []), row.get("schema"))
        when = row.get("when", [])
        rules = [when] if isinstance(when, dict) else list(when)
        for selector, word in row.items():
            if selector not in ("core", "view", "message", "when", "told", "doc", "schema"):
                rules.append({"field": selector, "is": word})
        for rule in rules:
            out.when.append(self.load_condition(path, key, of, struct, part, rule))
        return out

    def load_condition(self, path, key, of, struct, part, rule):
        """(part Field or None, struct of the field, Field, values): the field is the event's own, or else its part's."""
        check_keys(path, f"{key}.when", rule, {"field", "is"})
        name = rule.get("field")
        outer, f = None, struct.find(name)
        if f is None and part is not None:
            outer, struct = part, part.target.real
            f = struct.find(name)
        if f is None:
            raise Problem(path, f"{key}.{name}", f"{of} has no field {name!r}")
        words = rule.get("is")
        words = words if isinstance(words, list) or words is None else [words]
        return outer, struct, f, None if words is None else self.values(path, f"{key}.{name}", f, words)


def route_order(op):
    """Literal segments sort before parameters, so that the first match is the right one."""
    return ([(part.startswith("{"), part) for part in op.row["path"].strip("/").split("/")], op.row["method"])


