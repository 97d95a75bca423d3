#!/usr/bin/env python3
"""Tests of the generator: what it refuses (with file and key), and what it leaves alone. Table rows: change one thing, see the message."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).parent / "schemagen.py"

ERRORS = '[[error]]\nname = "bad_request"\nn = 1\nclass = "input"\ndoc = "Bad."\n'
SERVICE = """
service = "zoo"
[enum.kind]
owl = 1
cat = 2
[machine.life]
states = "kind"
owl = ["cat"]
[type.tag]
fields = [ { n = 1, name = "word", type = "str" } ]
[record.animal]
n = 1
owner = "org"
fields = [ { n = 1, name = "id", type = "id" }, { n = 2, name = "org", type = "id" }, { n = 3, name = "kind", type = "enum:kind" } ]
indexes = [ { name = "by_kind", fields = ["kind"] } ]
[event.born]
n = 1
fields = [ { n = 1, name = "animal", type = "obj:animal" }, { n = 2, name = "kind", type = "enum:kind" } ]
[op.add]
n = 1
write = true
errors = ["bad_request"]
in = [ { n = 1, name = "kind", type = "enum:kind" }, { n = 2, name = "tags", type = "list:obj:tag" }, { n = 3, name = "id", type = "id" } ]
out = "animal"
[setting.cages]
type = "int"
default = "1"
[counter.added_total]
doc = "Added."
"""
DIALECT = """
[dialect]
name = "bird"
title = "Bird"
version = "1"
error_schema = '{"type":"object"}'
[class]
input = { type = "bad", status = 400 }
[words.kind]
of = "zoo.kind"
owl = "OWL"
[view.Tag]
of = "zoo.tag"
fields = [ { name = "word", type = "str" } ]
[view.Add]
of = "zoo.add.in"
fields = [ { name = "kind", type = "words:kind" }, { name = "tags", type = "list:view:Tag" } ]
any_of = [["kind", "tags"]]
[view.Animal]
of = "zoo.animal"
fields = [ { name = "id", type = "id", prefix = "ani", required = true } ]
[op.addAnimal]
method = "POST"
path = "/v1/animals/{animalId}"
auth = "app"
core = "zoo.add"
path_fields = [ { name = "animalId", core = "id", type = "id", prefix = "ani" } ]
fixed = { kind = "cat" }
body = "Add"
answer = "Animal"
errors = [400]
[event."animals.born"]
core = "zoo.born"
view = "Born"
[view.Born]
of = "zoo.born"
fields = [ { name = "animal", type = "view:Animal" } ]
"""

MANY = "fields = [ " + ", ".join(f'{{ n = {i}, name = "f{i}", type = "int" }}' for i in range(1, 66)) + " ]"
TAG = 'fields = [ { n = 1, name = "word", type = "str" } ]'

# (file, text taken out, text put in, what stderr must hold)
REFUSED = [
    ("errors.toml", "n = 1", "n = 0", ["errors.toml", "error[0].n"]),
    ("errors.toml", '"input"', '"odd"', ["error[0].class", "odd"]),
    ("errors.toml", ERRORS, ERRORS + ERRORS, ["error[1].n", "twice"]),
    ("zoo.toml", "cat = 2", "cat = 1", ["zoo.toml", "enum.kind.cat", "twice"]),
    ("zoo.toml", 'owl = ["cat"]', 'owl = ["dog"]', ["machine.life.owl", "dog"]),
    ("zoo.toml", 'states = "kind"', 'states = "none"', ["machine.life.states"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "word", type = "text" } ]', ["type.tag", "word", "unknown type 'text'"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "word", type = "obj:none" } ]', ["unknown type 'obj:none'"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "word", typ = "str" } ]', ["typ", "unknown key"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "a", type = "str" }, { n = 1, name = "b", type = "str" } ]', ["type.tag.fields[1]", "1 is used twice"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "a", type = "str" }, { n = 2, name = "a", type = "str" } ]', ["name is used twice"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "has", type = "str" } ]', ["taken by the generator"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "Word", type = "str" } ]', ["not a name"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "a", type = "int", format = "e164" } ]', ["formats are for strings"]),
    ("zoo.toml", TAG, 'fields = [ { n = 1, name = "a", type = "int", min = 3, max = 2 } ]', ["is above max"]),
    ("zoo.toml", TAG, MANY, ["type.tag", "64 fields"]),
    ("zoo.toml", "[event.born]", "[event.animal]", ["event.animal", "name is used twice"]),
    ("zoo.toml", 'owner = "org"', 'owner = "kind"', ["record.animal.owner"]),
    ("zoo.toml", '{ n = 1, name = "id", type = "id" }, { n = 2', '{ n = 2', ["record.animal", "`id`"]),
    ("zoo.toml", 'fields = ["kind"] } ]', 'fields = ["none"] } ]', ["record.animal.indexes[0].fields", "none"]),
    ("zoo.toml", "write = true", "write = true\nread = true", ["op.add", "one of"]),
    ("zoo.toml", "write = true", "read = true\nkeyed = true", ["op.add", "only writing ops"]),
    ("zoo.toml", '["bad_request"]', '["bad"]', ["op.add.errors", "bad"]),
    ("zoo.toml", 'out = "animal"', 'out = "none"', ["op.add.out", "none"]),
    ("zoo.toml", 'type = "int"\ndefault', 'type = "float"\ndefault', ["setting.cages.type"]),
    ("zoo.toml", 'service = "zoo"', 'service = "park"', ["zoo.toml", "named"]),
    ("zoo.toml", 'service = "zoo"', 'service = ', ["zoo.toml", "line"]),
    ("bird/bird.toml", 'owl = "OWL"', 'dog = "DOG"', ["bird.toml", "words.kind.dog"]),
    ("bird/bird.toml", '{ name = "word", type = "str" }', '{ name = "other", type = "str" }', ["view.Tag", "no field 'other'"]),
    ("bird/bird.toml", '{ name = "word", type = "str" }', '{ name = "word", type = "int" }', ["cannot show"]),
    ("bird/bird.toml", 'of = "zoo.tag"', 'of = "zoo.none"', ["view.Tag.of"]),
    ("bird/bird.toml", '["kind", "tags"]', '["kind", "none"]', ["view.Add.any_of", "none"]),
    ("bird/bird.toml", '"list:view:Tag"', '"list:view:None"', ["no view 'None'"]),
    ("bird/bird.toml", '"words:kind"', '"words:none"', ["no words 'none'"]),
    ("bird/bird.toml", 'core = "zoo.add"', 'core = "zoo.none"', ["op.addAnimal.core"]),
    ("bird/bird.toml", "{animalId}", "{other}", ["op.addAnimal.path_fields"]),
    ("bird/bird.toml", 'auth = "app"', 'auth = "all"', ["op.addAnimal.auth"]),
    ("bird/bird.toml", 'fixed = { kind = "cat" }', 'fixed = { kind = "dog" }', ["op.addAnimal.fixed.kind", "dog"]),
    ("bird/bird.toml", 'fixed = { kind = "cat" }', 'fixed = { sort = "cat" }', ["op.addAnimal.fixed.sort"]),
    ("bird/bird.toml", 'view = "Born"', 'view = "None"', ['event."animals.born".view']),
    ("bird/bird.toml", 'view = "Born"', 'view = "Born"\nstate = "new"', ['event."animals.born".state']),
    ("bird/bird.toml", "input = {", "other = {", ["class.input", "is missing"]),
    ("bird/bird.toml", "'{\"type\":\"object\"}'", "'{'", ["dialect.error_schema", "not JSON"]),
]


def run(*args):
    return subprocess.run([sys.executable, "-B", TOOL, *map(str, args)], capture_output=True, text=True, check=False)


class Generator(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.temp.name)
        self.files = {"errors.toml": ERRORS, "zoo.toml": SERVICE, "bird/bird.toml": DIALECT}
        self.write(self.files)

    def tearDown(self):
        self.temp.cleanup()

    def write(self, files):
        for name, text in files.items():
            path = self.root / "schemas" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def generate(self, *more):
        return run("--schemas", self.root / "schemas", "--out", self.root / "out", *more)

    def test_list_is_what_is_written(self):
        listed = self.generate("--list")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertFalse((self.root / "out").exists())
        self.assertEqual(self.generate().returncode, 0)
        written = sorted(str(p.relative_to(self.root / "out")) for p in (self.root / "out").rglob("*") if p.is_file())
        self.assertEqual(listed.stdout.split(), written)
        for name in ("errors.h", "zoo.h", "zoo_ops.c", "tables.c", "bird.c", "bird.h", "bird_openapi.json"):
            self.assertIn(f"gen/{name}", written)

    def test_unchanged_files_are_not_touched(self):
        self.generate()
        before = {p: p.stat().st_mtime_ns for p in (self.root / "out" / "gen").iterdir()}
        self.write({"errors.toml": ERRORS.replace("Bad.", "Worse.")})
        self.assertEqual(self.generate().returncode, 0)
        touched = [p.name for p, t in before.items() if p.stat().st_mtime_ns != t]
        self.assertEqual(touched, ["errors.h"])

    def test_refused(self):
        for name, old, new, wants in REFUSED:
            with self.subTest(file=name, new=new[:60]):
                self.assertIn(old, self.files[name])
                self.write(self.files | {name: self.files[name].replace(old, new, 1)})
                done = self.generate()
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertNotIn("Traceback", done.stderr)
                for want in wants:
                    self.assertIn(want, done.stderr)
                self.assertFalse((self.root / "out").exists())

    def test_openapi(self):
        self.assertEqual(self.generate().returncode, 0)
        document = json.loads((self.root / "out/gen/bird_openapi.json").read_text())
        post = document["paths"]["/v1/animals/{animalId}"]["post"]
        self.assertEqual(document["openapi"], "3.1.0")
        self.assertEqual(document["servers"], [{"url": "{base_url}"}])
        self.assertEqual(sorted(post["responses"]), ["200", "400", "default"])
        self.assertEqual(post["parameters"][0]["schema"]["pattern"], "^ani_(?:test_)?[a-zA-Z0-9]{27}$")
        self.assertEqual(post["parameters"][1], {"$ref": "#/components/parameters/IdempotencyKey"})
        schemas = document["components"]["schemas"]
        self.assertEqual(schemas["Add"]["anyOf"], [{"required": ["kind"]}, {"required": ["tags"]}])
        self.assertEqual(schemas["Add"]["properties"]["kind"]["enum"], ["OWL"])
        self.assertEqual(schemas["Animal"]["required"], ["id"])
        self.assertIn("animals.born", document["webhooks"])
        self.references(document, document)

    def references(self, document, node):
        """Every $ref leads somewhere."""
        if isinstance(node, dict):
            if "$ref" in node:
                at = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    self.assertIn(part, at, node["$ref"])
                    at = at[part]
            node = list(node.values())
        if isinstance(node, list):
            for child in node:
                self.references(document, child)

    def test_docs(self):
        done = run("--schemas", self.root / "schemas", "--docs")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| `cages` | int | `1` |", done.stdout)
        self.assertIn("| `bad_request` | 1 | input | Bad. |", done.stdout)


class RealSchemas(unittest.TestCase):
    """The schemas of the house: every reference of every OpenAPI document leads somewhere."""

    def test_openapi(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("--schemas", TOOL.parent.parent.parent / "schemas", "--out", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            for path in pathlib.Path(folder).rglob("*_openapi.json"):
                document = json.loads(path.read_text())
                Generator.references(self, document, document)
                names = [op["operationId"] for ops in document["paths"].values() for op in ops.values()]
                self.assertEqual(len(names), len(set(names)))

    references = Generator.references


if __name__ == "__main__":
    unittest.main()
