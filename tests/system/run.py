#!/usr/bin/env python3
"""Run system tests: run.py [FILE|NAME]...: files test_*.py of this folder (default all), or only tests whose name holds NAME.

A test is a function test_*(), a function test_*(house), which gets a running house (shared by the functions of its file that want the same
flags, see harness.flags), or a unittest.TestCase. Prints what unittest prints; exit 1 on a failure.
"""
import importlib.util
import inspect
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import harness  # noqa: E402  (the folder must be on the path first)


class Houses:
    """Houses of one file, by flags; one runs at a time."""

    def __init__(self):
        self.flags, self.house = None, None

    def get(self, flags):
        if self.house is None or self.flags != flags or self.house.process is None or self.house.process.poll() is not None:
            self.close()
            self.flags, self.house = flags, harness.House(*flags)
        return self.house

    def close(self, failed=False):
        house, self.house = self.house, None
        if house:
            house.__exit__(AssertionError if failed else None, None, None)


class Case(unittest.FunctionTestCase):
    def __str__(self):
        return self.shortDescription()

    def id(self):
        return self.shortDescription()


def function_case(name, function, houses):
    def run():
        if "house" not in inspect.signature(function).parameters:
            function()
            return
        house = houses.get(getattr(function, "house_flags", ()))
        try:
            function(house)
        except BaseException:
            house.tell_log()
            raise

    return Case(run, description=name)


def load(path, names):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite = unittest.TestSuite()
    houses = Houses()
    functions = [(name, value) for name, value in vars(module).items() if name.startswith("test_") and inspect.isfunction(value)]
    chosen = [(name, value) for name, value in functions if not names or any(one in name for one in names)]
    # A stable sort by flags keeps the order of the file where it can and starts each house once.
    for name, value in sorted(chosen, key=lambda item: str(getattr(item[1], "house_flags", ()))):
        suite.addTest(function_case(f"{path.stem}.{name}", value, houses))
    if any("house" in inspect.signature(value).parameters for _, value in chosen):
        suite.addTest(Case(houses.close, description=f"{path.stem}: the house stops clean"))
    for test in unittest.defaultTestLoader.loadTestsFromModule(module):
        for case in test:
            if not names or any(one in case.id() for one in names):
                suite.addTest(case)
    return suite


def main(args):
    files = [Path(arg) if Path(arg).is_absolute() else HERE / Path(arg).name for arg in args if arg.endswith(".py")]
    names = [arg for arg in args if not arg.endswith(".py")]
    suite = unittest.TestSuite(load(path, names) for path in files or sorted(HERE.glob("test_*.py")))
    result = unittest.TextTestRunner(verbosity=2, descriptions=False).run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
