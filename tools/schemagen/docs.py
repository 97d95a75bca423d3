"""Markdown tables of settings and errors, for the docs."""


def cell(text):
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(heads, rows):
    out = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return out + ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows] + [""]


def bounds(row):
    if "min" not in row and "max" not in row:
        return ""
    return f"{row.get('min', '')} to {row.get('max', '')}"


def make_docs(model, errors):
    out = ["# Settings", "", "From the file, then the environment (`AVIARY_SERVICE_NAME`), then flags.", ""]
    for s in model.services.values():
        if not s.settings:
            continue
        out += [f"## {s.name}", ""] + ([s.doc, ""] if s.doc else [])
        rows = []
        for name, row in s.settings.items():
            notes = [word for word in ("required", "reloadable", "secret") if row.get(word)]
            rows.append((f"`{name}`", row["type"], f"`{row['default']}`" if row.get("default") else "", bounds(row),
                         row.get("doc", "") + (f" ({', '.join(notes)})" if notes else "")))
        out += table(("setting", "type", "default", "range", "meaning"), rows)
    out += ["# Errors", ""]
    out += table(("code", "number", "class", "meaning"), [(f"`{e['name']}`", e["n"], e["class"], e["doc"]) for e in errors or []])
    return "\n".join(out)
