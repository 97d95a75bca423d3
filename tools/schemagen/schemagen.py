#!/usr/bin/env python3
"""schemagen - makes C tables and OpenAPI from schemas/. See schemas/README.md for the format and for what is made.

    schemagen.py --schemas DIR --out DIR [--prefix gen]   write OUT/gen/*; files that did not change are not touched
    schemagen.py --schemas DIR --list                     print the paths (relative to OUT) of what would be written
    schemagen.py --schemas DIR --docs                     print settings and errors as Markdown

A mistake in a schema stops it with the file and key named, and writes nothing.
"""

import argparse
import json
import pathlib
import sys
import tomllib

from docs import make_docs
from emit_dialect import emit_dialect, emit_dialect_header
from emit_header import emit_header
from emit_tables import emit_ops, emit_tables
from errors import emit_errors, load_errors
from model import Model, load_service
from openapi import make_openapi
from problem import Problem
from views import Dialect


def load_toml(path):
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise Problem(path, "", str(error)) from error
    except OSError as error:
        raise Problem(path, "", error.strerror) from error


def load_all(folder):
    """(Model, dialects, rows of errors.toml or None)."""
    path = folder / "errors.toml"
    errors = load_errors(path, load_toml(path)) if path.exists() else None
    files = sorted(p for p in folder.glob("*.toml") if p.name != "errors.toml")
    model = Model([load_service(p, load_toml(p)) for p in files], errors)
    dialects = []
    for sub in sorted(p for p in folder.iterdir() if p.is_dir()):
        documents = [(p, load_toml(p)) for p in sorted(sub.glob("*.toml"))]
        if documents:
            dialects.append(Dialect(model, documents, errors))
    return model, dialects, errors


def make_all(folder, prefix):
    """All files as a dict of path (relative to OUT) -> text."""
    model, dialects, errors = load_all(folder)
    symbols = "schema" if prefix == "gen" else prefix
    made = {}
    if errors is not None:
        made[f"{prefix}/errors.h"] = emit_errors(errors)
    for s in model.services.values():
        made[f"{prefix}/{s.name}.h"] = emit_header(model, s, prefix)
        if not s.is_common:
            made[f"{prefix}/{s.name}_ops.c"] = emit_ops(s, prefix)
    for d in dialects:
        document = make_openapi(d)
        compact = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        made[f"{prefix}/{d.name}.h"] = emit_dialect_header(d, prefix, symbols)
        made[f"{prefix}/{d.name}.c"] = emit_dialect(model, d, compact, prefix, symbols)
        made[f"{prefix}/{d.name}_openapi.json"] = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    made[f"{prefix}/tables.c"] = emit_tables(model, dialects, prefix, symbols)
    return made


def write_changed(path, text):
    data = text.encode("utf-8")
    if path.exists() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main():
    parser = argparse.ArgumentParser(description="Makes C tables and OpenAPI from schemas.")
    parser.add_argument("--schemas", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--prefix", default="gen", help="folder under OUT and, unless gen, prefix of global tables")
    parser.add_argument("--list", action="store_true", help="print what would be written")
    parser.add_argument("--docs", action="store_true", help="print settings and errors as Markdown")
    args = parser.parse_args()
    try:
        if args.docs:
            model, _, errors = load_all(args.schemas)
            print(make_docs(model, errors))
            return 0
        made = make_all(args.schemas, args.prefix)
    except Problem as problem:
        print(f"schemagen: {problem}", file=sys.stderr)
        return 1
    if args.list:
        print("\n".join(sorted(made)))
    elif args.out is None:
        parser.error("--out is needed")
    else:
        for name, text in made.items():
            write_changed(args.out / name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
