#!/bin/bash
# Makes the Python environment of requirements.txt, if it is not there yet, and
# prints its directory.
#
# It lies in the user's cache under the hash of the lock, so that all clones
# with the same lock share it and another lock gets another one. A virtual
# environment cannot be moved: it is made in place while a lock is held, and
# counts only once its last file, the marker, is there.
set -euo pipefail

readonly FORMAT=2  # To be raised when this script makes something else.

tools="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
lockfile="$(dirname "${tools}")/requirements.txt"
# shellcheck source=tools/common.sh
source "${tools}/common.sh"

# The marker, and an interpreter that still runs (its Python may be gone).
is_complete() {
  [[ -e "${venv}/complete" ]] && "${venv}/bin/python3" -c '' 2> /dev/null
}

# Prints the lock's entries, with their hashes, of what installs the others.
installers() {
  awk '/^[^ #]/ { wanted = /^(packaging|pip|setuptools|wheel)==/ } wanted' "${lockfile}"
}

pip_install() {
  "${venv}/bin/python3" -m pip install --require-hashes --no-deps \
    --no-build-isolation --disable-pip-version-check --no-input \
    --retries 2 -r "$1" >> "${log}" 2>&1 < /dev/null ||
    die "The Python packages of requirements.txt could not be installed ($(last_error "${log}")); see ${log}, bring a network or a package index (PIP_INDEX_URL) and run the same command again."
}

# metal_tf/types.py would hide the standard module from a program that is
# started from that directory, were it not loaded before.
load_standard_types_first() {
  echo 'import types' > "${venv}/lib/python3.10/site-packages/standard_types.pth"
}

# Settings of Bazel that depend on the environment's place. Bazel starts a test
# with `python` from PATH; the user's own would be part of every cached result.
write_bazelrc() {
  echo "build '--test_env=PATH=${venv}/bin:/usr/local/bin:/usr/bin:/bin'" > "${venv}/bazelrc"
}

make_environment() {
  local python
  python="$("${tools}/find_python.sh")"
  say "Making the Python environment, once (2 to 4 minutes, 2.6 GB); log: ${log}"
  rm -rf "${venv}"
  : > "${log}"
  "${python}" -m venv "${venv}" >> "${log}" 2>&1 ||
    die "${python} could not make an environment ($(last_error "${log}")); see ${log}, or name another Python 3.10 in METAL_TF_PYTHON."
  installers > "${venv}/installers.txt"
  pip_install "${venv}/installers.txt"
  pip_install "${lockfile}"
  load_standard_types_first
  write_bazelrc
  "${tools}/realworldrl_suite.sh" "${venv}"
  date -u > "${venv}/complete"
}

main() {
  check_home
  [[ "$(uname -sm)" == 'Linux x86_64' ]] ||
    die "This is $(uname -sm), and Reverb and Launchpad have wheels for Linux on x86-64 only: use such a machine."
  key="$({ echo "${FORMAT} $(uname -m)"; cat "${lockfile}"; } | sha256sum)"
  venv="$(cache_dir)/venv-${key:0:16}"
  log="${venv}.log"
  unset PYTHONPATH PYTHONHOME

  if ! is_complete; then
    exec 9> "${venv}.lock"
    flock -n 9 || { say "Waiting for another set-up of the same environment" && flock 9; }
    is_complete || make_environment
  fi
  echo "${venv}"
}

# On one line: what takes minutes must not read on in a file changed meanwhile.
main; exit
