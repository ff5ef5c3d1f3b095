#!/bin/bash
# Prints the path of a Python 3.10 that runs and can make environments.
#
# Launchpad has wheels for nothing newer. A candidate counts only if it runs:
# pyenv's shims exist for every version and fail for those not selected.
set -euo pipefail

# shellcheck source=tools/common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"

# Prints the real interpreter behind a candidate, if it is a Python 3.10.
probe() {
  "$1" -c 'import sys
if sys.version_info[:2] != (3, 10): sys.exit(1)
import ensurepip, venv
print(getattr(sys, "_base_executable", sys.executable))' 2> /dev/null < /dev/null
}

# Roots of pyenv: HOME may be another user's, but a shim tells where it lives.
pyenv_roots() {
  local shim
  printf '%s\n' "${PYENV_ROOT:-}" "${HOME}/.pyenv"
  while IFS= read -r shim; do
    case "${shim}" in
      */shims/* | */bin/pyenv) dirname "$(dirname "${shim}")" ;;
    esac
  done < <(type -ap python3.10 python3 pyenv || true)
}

# Prints candidates, best first, one a line.
candidates() {
  local root
  [[ -z "${METAL_TF_PYTHON:-}" ]] || printf '%s\n' "${METAL_TF_PYTHON}"
  type -ap python3.10 python3 || true
  while IFS= read -r root; do
    [[ -z "${root}" ]] ||
      compgen -G "${root}/versions/3.10*/bin/python3.10" | sort -rV || true
  done < <(pyenv_roots)
  for root in "${CONDA_PREFIX:-}" "${CONDA_EXE:+$(dirname "$(dirname "${CONDA_EXE}")")}" \
    "${HOME}"/{miniconda3,anaconda3,miniforge3,mambaforge} /opt/{conda,miniconda3}; do
    [[ -z "${root}" ]] || compgen -G "${root}/bin/python3.10" || true
    [[ -z "${root}" ]] || compgen -G "${root}/envs/*/bin/python3.10" || true
  done
  compgen -G "${XDG_DATA_HOME:-${HOME}/.local/share}/uv/python/cpython-3.10*/bin/python3.10" || true
}

# Prints the Python 3.10 that uv downloads, where there are uv and a network.
from_uv() {
  local uv
  while IFS= read -r uv; do
    "${uv}" --version > /dev/null 2>&1 || continue
    say "No Python 3.10 here: trying 'uv python install 3.10'"
    timeout 300 "${uv}" python install 3.10 > /dev/null 2>&1 < /dev/null || continue
    "${uv}" python find --no-project 3.10 && return
  done < <(type -ap uv || true)
  return 1
}

while IFS= read -r candidate; do
  probe "${candidate}" && exit 0
done < <(candidates)
installed="$(from_uv)" && probe "${installed}" && exit 0
die "Python 3.10 is missing (Launchpad has wheels for nothing newer): run 'uv python install 3.10' or 'pyenv install 3.10', or name one in METAL_TF_PYTHON."
