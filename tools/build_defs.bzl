"""The native Python rules with what is the same for every target.

A library or test called `x` is `x.py`; the `__init__.py` files on the way are
part of it, and with them the check of versions in metal_tf's.
"""

_PACKAGE = "//metal_tf"

def _with_package(deps):
    """Adds metal_tf/__init__.py to the dependencies of what lies below."""
    label = "//" + native.package_name()
    below = label == _PACKAGE or label.startswith(_PACKAGE + "/")
    return deps + [_PACKAGE] if below and _PACKAGE not in deps else deps

def metal_py_library(name, srcs = None, deps = [], **kwargs):
    """A py_library of `<name>.py`, visible everywhere."""
    kwargs.setdefault("visibility", ["//visibility:public"])
    native.py_library(
        name = name,
        srcs = (srcs or [name + ".py"]) + native.glob(["__init__.py"]),
        deps = _with_package(deps),
        **kwargs
    )

def metal_py_binary(name, deps = [], **kwargs):
    """A py_binary of `<name>.py`."""
    kwargs.setdefault("visibility", ["//visibility:public"])
    kwargs.setdefault("srcs", [name + ".py"])
    native.py_binary(
        name = name,
        deps = _with_package(deps),
        **kwargs
    )

def metal_py_test(name, deps = [], size = "small", slow = False, **kwargs):
    """A py_test of `<name>.py`.

    Args:
      name: name of the test and of its file.
      deps: libraries.
      size: small is under a minute, medium 5, large 15, enormous an hour.
      slow: whether to leave the test out of `//:quick`.
      **kwargs: for py_test.
    """
    native.py_test(
        name = name,
        srcs = [name + ".py"],
        deps = _with_package(deps),
        size = size,
        tags = kwargs.pop("tags", []) + (["slow"] if slow else []),
        **kwargs
    )

def metal_quick_suite():
    """Declares `:quick`, this package's part of `//:quick`.

    Also shows the BUILD file to //launchers:docs_test, which looks labels up.
    """
    native.exports_files(["BUILD"])
    native.test_suite(
        name = "quick",
        tags = ["-slow", "-manual"],
        visibility = ["//visibility:public"],
    )
