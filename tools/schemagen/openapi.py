"""The OpenAPI 3.1 document of a dialect, from its views and public operations."""

import http
import json
import re

from fields import INT64_MAX, SHOWN_ONLY
from problem import Problem

PATTERNS = {
    "e164": {"pattern": r"^\+[1-9][0-9]{1,14}$"},
    "http_url": {"format": "uri", "pattern": "^https?://"},
    "uri": {"format": "uri"},
    "date": {"format": "date"},
    "email": {"format": "email"},
    "event_name": {"pattern": r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"},
    "slug": {"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
    "header_name": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"},
    "phone": {"pattern": r"^\+?[1-9]\d{6,14}$"},
}
SECURITY = {
    "app": {"appKey": {"type": "http", "scheme": "bearer", "description": "App key."}},
    "organization": {"organizationKey": {"type": "http", "scheme": "bearer", "description": "Key of an organization."}},
    "admin": {"adminKey": {"type": "http", "scheme": "bearer", "description": "Admin key."}},
}
PLAIN = {
    "SK_BOOL": {"type": "boolean"},
    "SK_NUM": {"type": "number"},
    "SK_TIME": {"type": "string", "format": "date-time"},
    "SK_BYTES": {"type": "string", "contentEncoding": "base64"},
    "SK_ANY": {},
}


def limits(out, low_key, high_key, low, high):
    if low is not None and (low != 0 or low_key == "minimum"):
        out[low_key] = low
    if high is not None and high < INT64_MAX:
        out[high_key] = high


def leaf_schema(dialect, f, kind, low, high):
    """The schema of one value of the kind."""
    if kind in ("SK_OBJ", "SK_FLAT"):
        return {"$ref": f"#/components/schemas/{f.target.name}"}
    if kind == "SK_ENUM":
        return {"type": "string", "enum": list(f.target.words)}
    if kind == "SK_ID":
        if f.prefix is None:
            return {"type": "string", "format": "uuid"}
        pattern = dialect.head.get("id_pattern", "^{prefix}_(?:test_)?[a-zA-Z0-9]{27}$")
        return {"type": "string", "pattern": pattern.replace("{prefix}", f.prefix)}
    if kind == "SK_STR" and f.format == "digits":
        return {"type": "string", "pattern": f"^\\d{{{low or 1},{high or ''}}}$"}
    if kind == "SK_STR":
        out = {"type": "string"} | PATTERNS.get(f.format, {})
        limits(out, "minLength", "maxLength", low, high)
        return out
    if kind in ("SK_INT", "SK_NUM"):
        out = {"type": "integer", "format": "int64"} if kind == "SK_INT" else {"type": "number"}
        limits(out, "minimum", "maximum", low, high)
        return out
    return dict(PLAIN[kind])


def field_schema(dialect, f):
    if f.kind == "SK_CONST":
        out = {"const": json.loads(f.value)}
    elif f.kind == "SK_LIST":
        out = {"type": "array", "items": leaf_schema(dialect, f, f.item, f.item_min, f.item_max)}
        limits(out, "minItems", "maxItems", f.min, f.max)
        if "unique" in f.flags:
            out["uniqueItems"] = True
    elif f.kind == "SK_MAP":
        out = {"type": "object", "additionalProperties": {"type": "string"}}
        limits(out["additionalProperties"], "minLength", "maxLength", None, f.item_max)
        limits(out, "minProperties", "maxProperties", f.min, f.max)
    elif f.kind == "SK_TOLD":
        out = {"type": "string"} if f.ref in ("request_id", "rate_tier") else {"type": "integer", "minimum": 0}
    elif f.kind == "SK_GIVEN":
        out = {"type": "boolean"}
    elif f.kind == "SK_CURSOR":
        out = {"type": "string"}
    elif "limit" in f.flags:
        return {"type": "string", "pattern": r"^\d+$", "description": f.doc or f"How many at most: {f.min} to {f.max}, {f.default} if not given."}
    elif "text_code" in f.flags:
        out = {"type": "string", "pattern": "^-?[0-9]+$"}
    else:
        out = leaf_schema(dialect, f, f.kind, f.min, f.max)
    if "nullable" in f.flags:
        out = nullable(out)
    if f.doc:
        out["description"] = f.doc
    if f.default is not None:
        out["default"] = json.loads(f.default)
    if "out_only" in f.flags:
        out["readOnly"] = True
    return out


def nullable(schema):
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "type" not in schema:
        return schema
    out = dict(schema)
    out["type"] = [schema["type"], "null"]
    if "enum" in out:
        out["enum"] = out["enum"] + [None]
    return out


def needs(names):
    return {"required": names} if len(names) == 1 else {"anyOf": [{"required": [n]} for n in names]}


def rule_schema(rule):
    f, _, words, names = rule
    if f is None:
        return needs(names)
    condition = {"required": [f.name]}
    if words is not None:
        condition = {"properties": {f.name: {"enum": words}}}
        if f.default is None or json.loads(f.default) not in words:
            condition["required"] = [f.name]
    return {"if": condition, "then": needs(names)}


def asked_views(dialect):
    """Names of the views that stand in requests."""
    found, left = set(), [p.row["body"] for p in dialect.ops if p.row.get("body")]
    while left:
        name = left.pop()
        if name not in found and name in dialect.views:
            found.add(name)
            left += [f.ref for f in dialect.views[name].fields if f.ref]
    return found


def view_schema(dialect, view, asked=False):
    """A constant is always told, but nobody has to send one."""
    out = {"type": "object"}
    if view.doc:
        out["description"] = view.doc
    out["properties"] = {f.name: field_schema(dialect, f) for f in view.fields}
    required = [f.name for f in view.fields if "required" in f.flags or (f.kind in SHOWN_ONLY and not asked)]
    if required:
        out["required"] = required
    rules = [rule_schema(r) for r in view.rules]
    if len(rules) == 1 and "anyOf" in rules[0]:
        out["anyOf"] = rules[0]["anyOf"]
    elif rules:
        out["allOf"] = rules
    return out


def parameters(dialect, view, where):
    out = []
    for f in view.fields if view else []:
        schema = field_schema(dialect, f)
        row = {"name": f.name, "in": where, "required": "required" in f.flags}
        if "description" in schema:
            row["description"] = schema.pop("description")
        row["schema"] = schema
        if f.kind == "SK_LIST":
            row |= {"style": "form", "explode": False}
        out.append(row)
    return out


def content(name):
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def upload_content(dialect, p):
    """A form with the view's fields and the file itself."""
    schema = view_schema(dialect, p.body_view)
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema["properties"] = {p.row["upload"]: file} | schema["properties"]
    schema["required"] = [p.row["upload"], *schema.get("required", [])]
    return {"multipart/form-data": {"schema": schema}}


def phrase(status):
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def operation(dialect, p):
    row = p.row
    out = {"operationId": p.name}
    doc = row.get("doc") or p.op.row.get("doc", "")
    if doc:
        out["summary"] = doc.split(". ")[0].rstrip(".")
        out["description"] = doc
    if row.get("tags"):
        out["tags"] = row["tags"]
    rows = parameters(dialect, p.path_view, "path") + parameters(dialect, p.query_view, "query")
    rows += parameters(dialect, p.header_view, "header")
    if row["method"] == "POST":
        rows.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if rows:
        out["parameters"] = rows
    if p.body_view:
        body = upload_content(dialect, p) if row.get("upload") else content(p.body_view.name)
        if p.picked:
            body = {"application/json": {"schema": {"anyOf": [{"$ref": f"#/components/schemas/{o.body_view.name}"} for o in (p, p.picked)]}}}
        out["requestBody"] = {"required": not row.get("body_optional", False), "content": body}
    status = row.get("status", 200)
    success = {"description": phrase(status)}
    if p.location:
        success["headers"] = {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}}
    if p.answer_view:
        success["content"] = content(p.answer_view.name)
    out["responses"] = {str(status): success}
    for code in row.get("errors", []):
        out["responses"][str(code)] = {"$ref": f"#/components/responses/Error{code}"}
    out["responses"]["default"] = {"$ref": "#/components/responses/Error"}
    out["security"] = [] if row["auth"] == "none" else [{f"{row['auth']}Key": []}]
    return out


def error_name(dialect):
    return dialect.head.get("error_name", "ErrorResponse")


def error_responses(dialect):
    codes = sorted({code for p in dialect.ops for code in p.row.get("errors", [])})
    name = error_name(dialect)
    out = {"Error": {"description": "Error", "content": content(name)}}
    for code in codes:
        out[f"Error{code}"] = {"description": phrase(code), "content": content(name)}
    return out


def event_content(dialect, e):
    """The payload of an event: what its row says, else its view, or where the view shows a part the dialect's envelope around it."""
    ref = {"$ref": f"#/components/schemas/{e.view.name}"}
    text = e.schema or dialect.head.get("event_schema")
    if e.part is None and not e.schema:
        return content(e.view.name)
    if text is not None:
        text = text.replace("{event}", e.name).replace("{ref}", ref["$ref"])
        text = text.replace('"{told}"', ", ".join(json.dumps(name) for name in [*([e.part.name] if e.part else []), *e.told]))
        try:
            return {"application/json": {"schema": json.loads(text)}}
        except ValueError as error:
            raise Problem(dialect.path, f"schema of event {e.name}", f"is not JSON: {error}") from None
    data = {"type": "object", "required": [e.part.name], "properties": {e.part.name: ref, "app": {"type": "object"}}}
    schema = {"type": "object", "required": ["event", "eventId", "timestamp", "data"],
              "properties": {"event": {"const": e.name}, "eventId": {"type": "string"},
                             "timestamp": {"type": "string", "format": "date-time"}, "data": data}}
    return {"application/json": {"schema": schema}}


def make_openapi(dialect):
    info = {"title": dialect.head["title"], "version": dialect.head["version"]}
    if dialect.head.get("doc"):
        info["description"] = dialect.head["doc"]
    paths, root = {}, dialect.head.get("root", "")
    for p in dialect.ops:
        if p.is_picked:
            continue
        paths.setdefault(p.row["path"].removeprefix(root), {})[p.row["method"].lower()] = operation(dialect, p)
    webhooks = {}
    for e in dialect.events:
        post = {"operationId": "on_" + re.sub("[^A-Za-z0-9]", "_", e.name), "requestBody": {"content": event_content(dialect, e)},
                "responses": {"2XX": {"description": "Received."}}}
        if e.doc:
            post["description"] = e.doc
        webhooks[e.name] = {"post": post}
    schemes = {}
    for auth, scheme in SECURITY.items():
        if any(p.row["auth"] == auth for p in dialect.ops):
            schemes |= scheme
    asked = asked_views(dialect)
    schemas = {view.name: view_schema(dialect, view, view.name in asked) for view in dialect.views.values()}
    error_schema = dict(dialect.error_schema)
    if dialect.head.get("error_doc"):
        error_schema["description"] = dialect.head["error_doc"]
    key = {"name": "Idempotency-Key", "in": "header", "required": False,
           "description": "A repeat with the same key gets the first answer and acts once.",
           "schema": {"type": "string", "minLength": 1, "maxLength": 255}}
    document = {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "{base_url}" + root}],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas | {error_name(dialect): error_schema},
            "parameters": {"IdempotencyKey": key},
            "responses": error_responses(dialect),
            "securitySchemes": dialect.json_key("security", schemes),
        },
    }
    if not webhooks:
        del document["webhooks"]
    return document
