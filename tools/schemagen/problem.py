"""The one exception of the generator: what is wrong, in which file, at which key."""


class Problem(Exception):
    def __init__(self, path, key, text):
        super().__init__(f"{path}: {key}: {text}" if key else f"{path}: {text}")


def check_keys(path, key, table, allowed):
    """Refuse misspelt keys: a table may hold only what somebody reads."""
    if not isinstance(table, dict):
        raise Problem(path, key, "must be a table")
    for name in table:
        if name not in allowed:
            raise Problem(path, f"{key}.{name}" if key else name, "unknown key")
