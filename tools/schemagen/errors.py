"""schemas/errors.toml -> gen/errors.h: the error codes of the whole house."""

from ctext import c_string
from problem import Problem, check_keys

CLASSES = ["ok", "input", "auth", "forbidden", "not_found", "conflict", "refused", "upstream", "limited",
           "unavailable", "internal", "signal"]


def load_errors(path, document):
    """Rows of errors.toml, checked, in order of n."""
    check_keys(path, "", document, {"error"})
    numbers, names = {}, set()
    for i, row in enumerate(document.get("error", [])):
        key = f"error[{i}]"
        check_keys(path, key, row, {"name", "n", "class", "doc"})
        for part, kind in (("name", str), ("n", int), ("class", str), ("doc", str)):
            if not isinstance(row.get(part), kind):
                raise Problem(path, f"{key}.{part}", "is missing or of the wrong type")
        if row["class"] not in CLASSES[1:]:
            raise Problem(path, f"{key}.class", f"unknown class {row['class']!r}")
        if row["n"] in numbers or not 0 < row["n"] < 65536:
            raise Problem(path, f"{key}.n", f"{row['n']} is used twice or out of range")
        if row["name"] in names:
            raise Problem(path, f"{key}.name", f"{row['name']!r} is used twice")
        names.add(row["name"])
        numbers[row["n"]] = row
    return [numbers[n] for n in sorted(numbers)]


def emit_errors(rows):
    out = ["/* errors.h - made by tools/schemagen from schemas/errors.toml; do not edit. */",
           "#ifndef AVIARY_GEN_ERRORS_H", "#define AVIARY_GEN_ERRORS_H", "",
           "/* Who is to blame and whether to come back. */", "typedef enum error_class {"]
    out += [f"    EC_{name.upper()}," for name in CLASSES]
    out += ["} error_class_t;", "", "enum error_code {", "    E_OK = 0,"]
    out += [f"    E_{row['name'].upper()} = {row['n']}, /* {row['doc'].replace('*/', '* /')} */" for row in rows]
    out += ["};", "", "/* X(code, name, class, doc) for every error; E_OK has no row. */", "#define ERROR_ROWS(X) \\"]
    lines = [f"    X (E_{row['name'].upper()}, {c_string(row['name'])}, EC_{row['class'].upper()}, {c_string(row['doc'])})"
             for row in rows]
    out += [" \\\n".join(lines), "", "#endif", ""]
    return "\n".join(out)
