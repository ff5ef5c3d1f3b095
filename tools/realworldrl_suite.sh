#!/bin/bash
# Fetches realworldrl_suite into the Python environment, where the network
# allows; tools/bazel puts it on Python's path.
#
#   tools/realworldrl_suite.sh [environment]
#
# It is on no package index. The commit's hash tells Git that it fetched the
# right thing. Without it, metal_tf/environments simulates the tasks itself.
# Tried once when an environment is made, and whenever run by hand.
set -euo pipefail

readonly URL=https://github.com/google-research/realworldrl_suite
readonly COMMIT=be7a51cffa7f5f9cb77a387c16bad209e0f851f8
readonly SECONDS_ALLOWED=20

tools="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# shellcheck source=tools/common.sh
source "${tools}/common.sh"

fetch() {
  export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=true
  git init -q "$1" &&
    timeout "${SECONDS_ALLOWED}" git -C "$1" fetch -q --depth 1 "${URL}" "${COMMIT}" &&
    git -C "$1" checkout -q FETCH_HEAD
}

venv="${1:-$("${tools}/python_env.sh")}"
suite="${venv}/realworldrl_suite"
log="${suite}.log"
rm -rf "${suite}"
if fetch "${suite}.part" > "${log}" 2>&1 < /dev/null; then
  mv "${suite}.part" "${suite}"
  say "realworldrl_suite is there, commit ${COMMIT:0:7}"
else
  rm -rf "${suite}.part"
  say "realworldrl_suite cannot be fetched ($(last_error "${log}")), so the builtin tasks are used; to try again: tools/realworldrl_suite.sh"
fi
