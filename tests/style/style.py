#!/usr/bin/env python3
"""Style tests: `style.py CHECK` prints every offence as FILE:LINE: TEXT and exits 1 if there is one.

Looks at the files that git knows or would add, so that work which is not committed yet is checked too. Checks that need the generated
headers (tidy, cppcheck) take the build folder from --build.
"""
import argparse
import concurrent.futures
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBS = "base schema store blob bus fetch sign svc web provider dialect".split()
# The one folder that may include a foreign header; of those that a library owns, tests may, too.
OWNERS = {
    r"lmdb\.h|libpq-fe\.h": "libs/store",
    r"c?zmq\.h|zauth\.h": "libs/bus",
    r"civetweb\.h": "tests/bench",
    r"curl/.*": "libs/fetch",
}
FUNCTION_MAX, FUNCTION_90, FILE_SOFT, FILE_MAX = 80, 45, 400, 900
C_FOLDERS = ("libs/", "services/", "tools/", "tests/", "cmake/")


def files(pattern=r".*"):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    return [name for name in names if re.fullmatch(pattern, name) and (ROOT / name).is_file()]


def c_files(ends="ch"):
    return [name for name in files(rf".*\.[{ends}]") if name.startswith(C_FOLDERS)]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def includes(name):
    for number, line in enumerate(text(name).splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if found:
            yield number, found[1], found[2]


def wall_offence(name, quote, target):
    """Why this file may not include that, or None."""
    for pattern, owner in OWNERS.items():
        others = ("tests/",) if owner.startswith("libs/") else ()
        if re.fullmatch(pattern, target) and not name.startswith((owner + "/", *others)):
            return f"only {owner} includes {target}"
    if quote == "<":
        return None
    parts = name.split("/")
    head = target.split("/")[0]
    if parts[0] == "libs" and "/" in target and head in LIBS and LIBS.index(head) > LIBS.index(parts[1]):
        return f"libs/{parts[1]} knows only the libraries before it, not {head}"
    if ".." in target.split("/"):
        return "no include climbs out of its folder"
    if parts[0] in ("libs", "services") and "/" in target and head not in (*LIBS, "gen") and not (head == "testgen" and name.endswith("_test.c")):
        return "includes are of libraries, of gen/, or of the own folder"
    if parts[0] in ("services", "tools") and "/" not in target and not (ROOT / name).parent.joinpath(target).is_file():
        return f"{target} is not in this folder"
    return None


def check_walls():
    for name in c_files():
        for number, quote, target in includes(name):
            why = wall_offence(name, quote, target)
            if why:
                yield f"{name}:{number}: {why}"
    for name in files(r"libs/[^/]+/.*\.[ch]"):
        if name.split("/")[1] not in LIBS:
            yield f"{name}:1: this library has no place in the wall"


def check_format():
    names = c_files()
    if not names:
        return
    done = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1", *names], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    bad = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "clang-format" in line})
    for name in bad:
        yield f"{name}:1: not formatted; run tools/format"


def functions(name):
    """(line, lines from signature to closing brace) of each function: braces in the first column, as clang-format puts them."""
    start = 0
    for number, line in enumerate(text(name).splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield start - 1, number - start + 2
            start = 0


def check_size():
    sizes = []
    for name in c_files():
        lines = text(name).count("\n")
        if lines > FILE_MAX:
            yield f"{name}:1: {lines} lines, at most {FILE_MAX}"
        for number, size in functions(name):
            sizes.append(size)
            if size > FUNCTION_MAX:
                yield f"{name}:{number}: a function of {size} lines, at most {FUNCTION_MAX}"
    sizes.sort()
    if sizes and sizes[len(sizes) * 9 // 10] > FUNCTION_90:
        yield f"libs:1: a tenth of the functions has more than {FUNCTION_90} lines"
    print(f"{len(sizes)} functions, median {sizes[len(sizes) // 2] if sizes else 0} lines")


def check_words():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|lorem ipsum")
    places = re.compile(r"(?<![\w.])/(work|home|root)/\w|registry\.[a-z]+\.(org|com)|\"resolved\":")
    for name in files():
        if name in ("tests/style/style.py",) or name.startswith("docs/upstream/"):
            continue
        try:
            content = text(name)
        except UnicodeDecodeError:
            continue
        if "\0" in content or name.split("/")[0:2] == ["tests", "fuzz"] and "corpus" in name:
            continue
        for number, line in enumerate(content.splitlines(), 1):
            found = words.search(line) or places.search(line)
            if found:
                yield f"{name}:{number}: '{found[0]}' does not belong here"
            if line != line.rstrip() and name.endswith((".c", ".h", ".py", ".toml", ".md", ".cmake", ".mjs")):
                yield f"{name}:{number}: space at the end of the line"


def text_of_lists(listed):
    return "\n".join(path.read_text(encoding="utf-8") for path in [listed, *listed.parent.glob("*.cmake")])


def check_files():
    """What is committed, and what belongs beside what."""
    for name in files():
        if re.search(r"(^|/)gen/.*\.[ch]$|(^|/)(build|node_modules|__pycache__)/|package-lock\.json$", name):
            yield f"{name}:1: generated or fetched files are not committed"
    for name in c_files("c"):
        if not text(name).startswith("/*"):
            yield f"{name}:1: a .c file begins with a comment that says what it is and how it fails"
    for library in LIBS:
        if files(rf"libs/{library}/.*\.c") and not files(rf"libs/{library}/.*_test\.c"):
            yield f"libs/{library}:1: no test beside the source"
    for service in sorted({name.split("/")[1] for name in files(r"services/[^/]+/.*\.c")}):
        if not (ROOT / "services" / service / "README.md").is_file():
            yield f"services/{service}:1: no README.md"
    for name in files(r"libs/[^/]+/[^/]+\.c"):
        listed = ROOT / Path(name).parent / "CMakeLists.txt"
        stem = re.escape(Path(name).stem.removesuffix("_test"))  # lists of tests may be of stems
        if listed.is_file() and not re.search(rf"\b{stem}(_test)?(\.c)?\b", text_of_lists(listed)):
            yield f"{name}:1: not built by {listed.relative_to(ROOT)}"


def check_packages():
    """Every package is listed once, with group and purpose; documents and scripts name no other."""
    known = set()
    for number, line in enumerate(text("tools/packages.txt").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = line.split(None, 2)
        if len(parts) != 3 or parts[1] not in ("run", "build", "test", "bench") or parts[0] in known:
            yield f"tools/packages.txt:{number}: NAME GROUP PURPOSE, each name once"
        known.add(parts[0])
    for name in files(r"(README\.md|docs/.*\.md|.*[Dd]ockerfile.*|compose\.yaml)"):
        for number, line in enumerate(text(name).splitlines(), 1):
            for found in re.finditer(r"apt(?:-get)? install ((?:-\S+ )*)([^&|;`]*)", line):
                for package in found[2].split():
                    if re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package) and package not in known:
                        yield f"{name}:{number}: {package} is not in tools/packages.txt"
            for package in re.findall(r"\blib[a-z0-9.+-]+-dev\b", line):
                if package not in known:
                    yield f"{name}:{number}: {package} is not in tools/packages.txt"


# The C library's, which may stand between the kernel or the allocator and the library that calls it.
LIBC = "malloc calloc realloc free memcpy memmove memset strlen write writev pwrite pwritev send sendto sendmsg epoll_ctl".split()
LIBRARY = r"lib(?!aviary)[a-zA-Z0-9_+-]+\.so"


def valgrind_frame_offence(frames):
    """Why the frames of a suppression, innermost first, may hide an error of our own, or None."""
    for frame in frames:
        if re.fullmatch(rf"obj:\*/{LIBRARY}[.0-9]*\*?", frame):
            return None
        if not (frame.startswith("fun:") and frame[4:] in LIBC):
            return f"{frame} comes before a library's frame: the error may be ours"
    return "no frame is in a library"


def check_suppressions():
    """What tsan and valgrind pass over is in libraries that are not ours, and each has its reason above it."""
    above, frames = "", None
    for number, line in enumerate(text("tests/tsan.supp").splitlines(), 1) if files(r"tests/tsan\.supp") else ():
        if line and not line.startswith("#"):
            if not re.fullmatch(rf"called_from_lib:{LIBRARY}", line):
                yield f"tests/tsan.supp:{number}: only called_from_lib of a library that is not ours"
            if not above.startswith("# "):
                yield f"tests/tsan.supp:{number}: no reason above it"
        above = line
    above = ""
    for number, line in enumerate(text("tests/valgrind.supp").splitlines(), 1) if files(r"tests/valgrind\.supp") else ():
        word = line.strip()
        if word == "{":
            frames, start = [], number
            if not above.startswith("# "):
                yield f"tests/valgrind.supp:{number}: no reason above it"
        elif word == "}":
            why = valgrind_frame_offence([frame for frame in frames if re.match(r"fun:|obj:|\.\.\.", frame)])
            if why:
                yield f"tests/valgrind.supp:{start}: {why}"
            frames = None
        elif frames is not None:
            frames.append(word)
        above = line


@functools.lru_cache(maxsize=None)
def compile_commands(build):
    path = Path(build) / "compile_commands.json"
    listed = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return {entry["file"]: shlex.split(entry["command"]) for entry in listed}


def compiler_flags(build, name):
    """Includes and definitions as the build has them; of files that it does not build, the usual ones."""
    command = compile_commands(build).get(str(ROOT / name))
    if command:
        return ["-std=gnu11"] + [word for word in command if word.startswith(("-I", "-D"))]
    return ["-std=gnu11", "-DAVIARY_VERSION=\"0\"", f"-I{ROOT}/libs", f"-I{build}/gen", f"-I{ROOT / Path(name).parent}"]


def is_left_out(errors):
    """What a benchmark compares with need not be installed; then its program is not built either."""
    absent = re.search(r"'([^']+)' file not found", errors)
    return absent and any(owner == "tests/bench" and re.fullmatch(pattern, absent[1]) for pattern, owner in OWNERS.items())


def run_cached(build, tool, version, command, name):
    """Output of a check of one file, '' if clean. What was clean is remembered by the hash of all that went into it."""
    flags = compiler_flags(build, name)
    seen = subprocess.run(["clang", "-E", "-w", *flags, name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if seen.returncode:
        return "" if is_left_out(seen.stderr.decode()) else f"{name}:1: does not preprocess\n"
    key = hashlib.sha256(version + seen.stdout + (ROOT / name).read_bytes()).hexdigest()
    mark = Path(build) / "style-cache" / tool / key
    if mark.exists():
        return ""
    done = subprocess.run(command + [name], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return ""
    return done.stdout


def per_file(build, tool, version, command_of):
    names = [name for name in c_files("c") if not name.startswith("tests/fuzz/")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda name: run_cached(build, tool, version, command_of(name), name), names)
        for output in results:
            for line in output.splitlines():
                if re.match(r"\S+:\d+", line):
                    yield line.replace(str(ROOT) + "/", "")


def check_tidy(build):
    version = (ROOT / ".clang-tidy").read_bytes()

    def command(name):
        flags = [f"--extra-arg={flag}" for flag in compiler_flags(build, name)]
        return ["clang-tidy", "--quiet", *flags, "-p", "/nonexistent"]

    yield from per_file(build, "tidy", version, command)


def check_cppcheck(build):
    options = ["cppcheck", "--quiet", "--error-exitcode=1", "--inline-suppr", "--enable=warning,portability", "--std=c11",
               "--suppress=missingIncludeSystem", "--suppress=unknownMacro", "--suppress=preprocessorErrorDirective", "--suppress=internalAstError", "--suppress=varFuncNullUB",
               "--template={file}:{line}: {id}: {message}"]

    def command(name):
        return options + [flag for flag in compiler_flags(build, name) if flag.startswith(("-I", "-D"))]

    yield from per_file(build, "cppcheck", " ".join(options).encode(), command)


def main():
    checks = {name[6:]: value for name, value in globals().items() if name.startswith("check_")}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=sorted(checks))
    parser.add_argument("--build", default=str(ROOT / "build" / "dev"))
    args = parser.parse_args()
    check = checks[args.check]
    offences = list(check(os.path.abspath(args.build)) if check.__code__.co_argcount else check())
    print("\n".join(offences[:200]))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
