"""What WORKSPACE needs so that nothing is downloaded by Bazel itself."""

def _stub_impl(ctx):
    for path, content in ctx.attr.files.items():
        ctx.file(path, content)

# A repository written here. Bazel's own packages load a few repositories that
# it would download although no target of this workspace uses them.
stub_repository = repository_rule(
    implementation = _stub_impl,
    attrs = {"files": attr.string_dict()},
    local = True,
)

_PYTHON_BUILD = """\
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

py_runtime(
    name = "runtime",
    interpreter_path = "{venv}/bin/python3",
    python_version = "PY3",
)

py_runtime_pair(
    name = "runtime_pair",
    py3_runtime = ":runtime",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtime_pair",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

def _python_environment_impl(ctx):
    venv = ctx.os.environ.get("METAL_TF_VENV")
    if not venv:
        # Bazel was called past tools/bazel.
        made = ctx.execute(
            [ctx.path(Label("//tools:python_env.sh"))],
            timeout = 3600,
        )
        if made.return_code:
            fail(made.stderr)
        venv = made.stdout.strip()
    ctx.path(Label("//:requirements.txt"))
    ctx.file("BUILD", _PYTHON_BUILD.format(venv = venv))

# The toolchain for the environment that tools/python_env.sh makes; looked at
# again when the lock, and with it the environment's place, changes.
python_environment = repository_rule(
    implementation = _python_environment_impl,
    environ = ["METAL_TF_VENV"],
    local = True,
)
