#!/usr/bin/env python3
"""The style checks find what they are for, in a small tree made for it."""
import subprocess
import tempfile
import unittest
from pathlib import Path

import style


class StyleTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="aviary-style-")
        self.root, style.ROOT = style.ROOT, Path(self.folder.name)
        subprocess.run(["git", "init", "-q"], cwd=style.ROOT, check=True)

    def tearDown(self):
        style.ROOT = self.root
        self.folder.cleanup()

    def put(self, name, content):
        path = style.ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def test_walls(self):
        rows = [
            ("libs/base/a.c", '#include "base/a.h"', False),
            ("libs/base/b.c", '#include "store/store.h"', True),
            ("libs/store/a.c", '#include "base/a.h"\n#include <lmdb.h>', False),
            ("libs/bus/a.c", "#include <lmdb.h>", True),
            ("services/x/a.c", "#include <zmq.h>", True),
            ("services/x/b.c", '#include "gen/y.h"\n#include "svc/svc.h"\n#include "b.h"', False),
            ("services/x/b.h", "", False),
            ("services/x/c.c", '#include "y/y.h"', True),
            ("services/x/d.c", '#include "../y/y.h"', True),
            ("services/x/e.c", '#include "y.h"', True),
            ("services/y/y.h", "", False),
            ("tests/a.c", "#include <lmdb.h>", False),
            ("tests/bench/a.c", "#include <civetweb.h>\n#include <lmdb.h>", False),
            ("tests/system/a.c", "#include <civetweb.h>", True),
            ("libs/web/a.c", "#include <civetweb.h>", True),
            ("libs/odd/a.h", "", True),
        ]
        for name, content, _ in rows:
            self.put(name, content)
        found = {line.split(":")[0] for line in style.check_walls()}
        self.assertEqual(found, {name for name, _, bad in rows if bad})

    def test_benchmarks_may_lack_what_they_compare_with(self):
        owners, style.OWNERS = style.OWNERS, {r"elsewhere\.h": "tests/bench"}
        self.put("tests/bench/a.c", "#include <elsewhere.h>\n")
        self.put("tests/bench/b.c", "#include <nowhere.h>\n")
        try:
            found = [style.run_cached("build", "true", b"", ["true"], f"tests/bench/{name}.c") for name in "ab"]
        finally:
            style.OWNERS = owners
        self.assertEqual(found, ["", "tests/bench/b.c:1: does not preprocess\n"])

    def test_size(self):
        self.put("libs/base/a.c", "/* a */\nint a (void)\n{\n" + "    ;\n" * 80 + "}\n")
        self.put("libs/base/b.c", "/* b */\n" + "\n" * 900)
        self.assertEqual([line.split(":")[0] for line in style.check_size() if "tenth" not in line], ["libs/base/a.c", "libs/base/b.c"])

    def test_words(self):
        self.put("docs/a.md", "later: TO" + "DO\n")
        self.put("docs/b.md", "see /wor" + "k/main\n")
        self.put("docs/c.md", "the network, the homework, http://example.org/home/x\n")
        self.put("docs/d.md", "space \n")
        self.assertEqual([line.split(":")[0] for line in style.check_words()], ["docs/a.md", "docs/b.md", "docs/d.md"])

    def test_packages(self):
        self.put("tools/packages.txt", "libzmq3-dev build bus\njq test docs\njq test again\n")
        self.put("README.md", "`sudo apt-get install -y jq`, libzmq3-dev, libfoo-dev\n")
        self.assertEqual([line.split(":")[0] for line in style.check_packages()], ["tools/packages.txt", "README.md"])

    def test_suppressions(self):
        self.put("tests/tsan.supp", "# why\ncalled_from_lib:libzmq.so\n\ncalled_from_lib:libcurl.so\n# why\nrace:libzmq.so\n# why\ncalled_from_lib:libaviary_x.so\n")
        rows = [
            ("# why\n", ["fun:writev", "obj:*/liblmdb.so*"], False),
            ("# why\n", ["obj:*/libcurl.so.4*", "...", "fun:fetch_new"], False),
            ("\n", ["obj:*/libcurl.so.4*"], True),
            ("# why\n", ["fun:malloc", "fun:fetch_new", "obj:*/libcurl.so.4*"], True),
            ("# why\n", ["...", "obj:*/libcurl.so.4*"], True),
            ("# why\n", ["fun:malloc"], True),
            ("# why\n", ["obj:*/aviary-edge"], True),
            ("# why\n", ["obj:*"], True),
        ]
        blocks = [f"{why}{{\n   row\n   Memcheck:Leak\n" + "".join(f"   {frame}\n" for frame in frames) + "}\n" for why, frames, _ in rows]
        self.put("tests/valgrind.supp", "".join(blocks))
        starts = [1 + "".join(blocks)[: sum(map(len, blocks[:i]))].count("\n") + 1 for i in range(len(rows))]
        found = list(style.check_suppressions())
        self.assertEqual([line.split(":")[1] for line in found if "tsan.supp" in line], ["4", "6", "8"])
        self.assertEqual([int(line.split(":")[1]) for line in found if "valgrind" in line], [start for start, row in zip(starts, rows) if row[2]])

    def test_files(self):
        self.put("libs/base/a.c", "int a;\n")
        self.put("libs/base/CMakeLists.txt", "")
        self.put("gen/x.h", "")
        found = "\n".join(style.check_files())
        for part in ("gen/x.h", "begins with a comment", "no test beside", "not built by"):
            self.assertIn(part, found)


if __name__ == "__main__":
    unittest.main()
