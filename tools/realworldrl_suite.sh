#!/bin/bash
# Installs realworldrl_suite into an environment, where the network allows.
#
#   tools/realworldrl_suite.sh [environment]
#
# It is on no package index. Git checks what it fetches against the commit's
# hash. Without it, the tasks come from metal_tf/environments.
set -euo pipefail

readonly URL=https://github.com/google-research/realworldrl_suite
readonly COMMIT=be7a51cffa7f5f9cb77a387c16bad209e0f851f8
readonly SECONDS_ALLOWED=20

tools="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# shellcheck source=common.sh
source "${tools}/common.sh"

fetch() {
  export GIT_TERMINAL_PROMPT=0
  git init -q "$1" &&
    timeout "${SECONDS_ALLOWED}" git -C "$1" fetch -q --depth 1 "${URL}" "${COMMIT}" &&
    git -C "$1" checkout -q FETCH_HEAD
}

venv="${1:-$("${tools}/python_env.sh")}"
source_dir="${venv}/realworldrl_suite_source"
log="${venv}/realworldrl_suite.log"
rm -rf "${source_dir}"
if { fetch "${source_dir}" &&
  "${venv}/bin/python3" -m pip install --no-deps --no-build-isolation \
    --no-index "${source_dir}"; } > "${log}" 2>&1 < /dev/null; then
  echo "${COMMIT}" > "${venv}/realworldrl_suite_commit"
  say "realworldrl_suite is installed, commit ${COMMIT:0:7}"
else
  say "realworldrl_suite could not be fetched, so the builtin tasks are used; to try again: tools/realworldrl_suite.sh"
fi
rm -rf "${source_dir}"
