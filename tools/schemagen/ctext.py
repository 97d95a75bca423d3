"""Python values as C text."""

import re

KEYWORDS = {"auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
            "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed",
            "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "asm",
            "typeof", "bool", "true", "false", "unix", "linux"}


def c_string(text):
    """A C string literal, or NULL for None. Octal escapes: they end after three digits whatever follows."""
    if text is None:
        return "NULL"
    out = []
    for byte in text.encode("utf-8"):
        char = chr(byte)
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif char == "?":
            out.append("\\?")  # no trigraphs
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def c_name(text):
    """A word as part of a C identifier."""
    return re.sub(r"[^A-Za-z0-9]", "_", text)


def c_member(name):
    return name + "_" if name in KEYWORDS else name


def c_comment(text):
    return text.replace("*/", "* /").replace("\n", " ")


def c_int64(value):
    if value is None:
        raise ValueError("no value")
    if value == 2**63 - 1:
        return "INT64_MAX"
    if value == -2**63:
        return "INT64_MIN"
    return str(value)


def snake(name):
    """camelCase to snake_case: mediaUrls -> media_urls, wabaID -> waba_id."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
