# Shared by bazelw and the scripts beside this file; to be sourced.
# shellcheck shell=bash

# One line of progress. Standard output belongs to Bazel and the program.
say() {
  printf 'metal_tf: %s\n' "$*" >&2
}

# One sentence: what is missing, why, and what brings it.
die() {
  say "$*"
  exit 1
}

# Bazel and the environment live in the user's cache: without one, say so
# rather than let each fail in its own words.
check_home() {
  local dir="${METAL_TF_CACHE:-${XDG_CACHE_HOME:-${HOME:-}}}"
  [[ -n "${HOME:-}" ]] ||
    die "HOME is not set, so Bazel has no place for its output: run with HOME=<a writable directory>."
  mkdir -p "${dir}" 2> /dev/null && [[ -w "${dir}" ]] ||
    die "${dir} is not writable, so the Python environment has no place: set HOME or METAL_TF_CACHE to a writable directory."
}

# Prints the directory for environments and logs.
cache_dir() {
  local dir="${METAL_TF_CACHE:-${XDG_CACHE_HOME:-${HOME}/.cache}/metal_tf}"
  mkdir -p "${dir}"
  (cd "${dir}" && pwd)
}

# Prints the line of a log that says best what went wrong.
last_error() {
  local line
  line="$(grep -E '^(ERROR|E|error|fatal)[: ]' "$1" | tail -n 1)" ||
    line="$(tail -n 1 "$1")"
  printf '%s' "${line:0:200}"
}
