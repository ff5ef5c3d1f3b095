"""The native Python rules with what is the same for every target.

A room is a folder of modules with their tests beside them (docs/architecture.md).
It is one library, so Bazel itself refuses two rooms that import each other.
"""

_PACKAGE = "//metal_tf"

# Every folder with tests: //:quick and //tools:lint_test go through them, and
# .ci/run checks that none is missing.
ROOMS = ["launchers", "metal_tf"] + ["metal_tf/" + room for room in [
    "acting",
    "agent",
    "assessment",
    "benchmarks",
    "cli",
    "distributed",
    "environments",
    "faults",
    "maths",
    "policy",
    "replay",
    "report",
    "runs",
    "sweep",
    "system",
    "training",
    "watch",
]] + ["tools"]

def _with_package(deps):
    """Adds metal_tf/__init__.py to the dependencies of what lies below."""
    below = native.package_name().startswith("metal_tf/")
    needed = below and native.package_name() != "metal_tf/system"
    return deps + [_PACKAGE] if needed and _PACKAGE not in deps else deps

def metal_room(deps = [], data = [], tests = {}, exclude = []):
    """A folder: one library of its modules, and a test of each `*_test.py`.

    Shows the BUILD file to //launchers:docs_test, which looks labels up.

    Args:
      deps: the rooms that it imports.
      data: files that its modules read.
      tests: for metal_tests.
      exclude: files that belong to targets of their own.
    """
    room = native.package_name().split("/")[-1]
    native.py_library(
        name = room,
        srcs = native.glob(
            ["*.py", "testing/*.py"],
            exclude = ["*_test.py"] + exclude,
        ),
        data = data,
        visibility = ["//visibility:public"],
        deps = _with_package(deps),
    )
    metal_tests(deps = [":" + room], tests = tests, exclude = exclude)
    native.exports_files(["BUILD"])

def metal_tests(deps, tests = {}, exclude = []):
    """The tests of a folder.

    Importing TensorFlow takes longer than most tests, so `:tests` runs all
    modules for which `tests` says nothing else in one program, each in a process
    of its own (//tools:room_tests). Each is also a target of its own name, which
    has to be named to be run: `//room:module_test`.

    Also declares `:quick`, the folder's part of `//:quick`, and `:sources`.

    Args:
      deps: what all tests need.
      tests: by a test's name, what differs from a test that needs `deps` alone
        and takes seconds: `deps`, `data`, and `size`, `slow`, `tags`, any of
        which makes it a program of its own.
      exclude: files that are no tests of this folder.
    """
    files = native.glob(["*_test.py"], exclude = exclude)
    for name in tests:
        if name + ".py" not in files:
            fail("There is no %s.py in %s." % (name, native.package_name()))
    together = []
    for name in [file[:-len(".py")] for file in files]:
        options = dict(tests.get(name, {}))
        needed = deps + options.pop("deps", [])
        data = options.pop("data", [])
        if options:
            metal_py_test(name = name, deps = needed, data = data, **options)
            continue
        metal_py_test(
            name = name,
            deps = needed,
            data = data,
            tags = ["manual"],
        )
        together.append((name, needed, data))
    if together:
        package = native.package_name().replace("/", ".")
        metal_py_test(
            name = "tests",
            srcs = ["//tools:room_tests.py"] +
                   [name + ".py" for name, _, _ in together],
            main = "//tools:room_tests.py",
            args = [package + "." + name for name, _, _ in together],
            data = _union([data for _, _, data in together]),
            deps = _union([needed for _, needed, _ in together]),
        )
    native.test_suite(
        name = "quick",
        tags = ["-slow", "-manual"],
        visibility = ["//visibility:public"],
    )
    native.filegroup(
        name = "sources",
        srcs = native.glob(["*.py", "testing/*.py"]),
        visibility = ["//tools:__pkg__"],
    )

def _union(lists):
    """What is in any of the lists, once."""
    return {item: None for items in lists for item in items}.keys()

def metal_py_binary(name, deps = [], **kwargs):
    """A py_binary of `<name>.py`."""
    kwargs.setdefault("visibility", ["//visibility:public"])
    kwargs.setdefault("srcs", [name + ".py"])
    native.py_binary(
        name = name,
        deps = _with_package(deps),
        **kwargs
    )

def metal_py_test(name, deps = [], size = "medium", slow = False, **kwargs):
    """A py_test, of `<name>.py` if `srcs` says nothing else.

    Args:
      name: name of the test and of its file.
      deps: libraries.
      size: small is under a minute, medium 5, large 15, enormous an hour.
      slow: whether to leave the test out of `//:quick`.
      **kwargs: for py_test.
    """
    kwargs.setdefault("srcs", [name + ".py"])
    native.py_test(
        name = name,
        deps = _with_package(deps),
        size = size,
        tags = kwargs.pop("tags", []) + (["slow"] if slow else []),
        **kwargs
    )

_PYTHON = "@bazel_tools//tools/python:toolchain_type"

def _wheel_impl(ctx):
    # A folder, since the wheel's name has the version, which Bazel is not told.
    folder = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run(
        # The program begins with `env python3`, and an action has no such PATH.
        executable = ctx.toolchains[_PYTHON].py3_runtime.interpreter_path,
        arguments = [ctx.executable.maker.path, folder.path],
        tools = [ctx.attr.maker[DefaultInfo].files_to_run],
        outputs = [folder],
        mnemonic = "Wheel",
        progress_message = "Making the wheel in %s" % folder.short_path,
    )
    return [DefaultInfo(files = depset([folder]))]

# A folder with the wheel that a program makes in it.
wheel = rule(
    implementation = _wheel_impl,
    attrs = {"maker": attr.label(executable = True, cfg = "exec")},
    toolchains = [_PYTHON],
)
