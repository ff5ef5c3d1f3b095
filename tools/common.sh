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

# Bazel's output and the environment live in the user's cache: without one, say
# so rather than let each fail in its own words.
check_home() {
  local dir
  [[ -n "${HOME:-}" ]] ||
    die "HOME is not set, so Bazel and the Python environment have no place: set it to a writable directory."
  for dir in "${XDG_CACHE_HOME:-${HOME}/.cache}" "${METAL_TF_CACHE:-}"; do
    [[ -n "${dir}" ]] || continue
    { mkdir -p "${dir}" && [[ -w "${dir}" ]]; } 2> /dev/null ||
      die "${dir} is not writable, so Bazel or the Python environment has no place: set HOME (or METAL_TF_CACHE, where that is named) to a writable directory."
  done
}

# Prints the directory for environments and logs.
cache_dir() {
  local dir="${METAL_TF_CACHE:-${XDG_CACHE_HOME:-${HOME}/.cache}/metal_tf}"
  mkdir -p "${dir}"
  (cd "${dir}" && pwd)
}

# Prints the directory to import realworldrl_suite from, if there is one.
#
#   suite_dir ENVIRONMENT
suite_dir() {
  local dir="${METAL_TF_REALWORLDRL_SUITE:-$1/realworldrl_suite}"
  if [[ -e "${dir}/realworldrl_suite/__init__.py" ]]; then
    (cd "${dir}" && pwd)
  elif [[ -n "${METAL_TF_REALWORLDRL_SUITE:-}" ]]; then
    die "METAL_TF_REALWORLDRL_SUITE is '${dir}', which is no checkout of realworldrl_suite: correct it or unset it."
  fi
}

# Prints the line of a log that says best what went wrong.
last_error() {
  local line
  line="$(grep -aiE '^ *(error|fatal|E)\b' "$1" | tail -n 1)" ||
    line="$(tail -n 1 "$1")"
  printf '%s' "${line:0:200}"
}
