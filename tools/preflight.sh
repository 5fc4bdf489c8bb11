#!/bin/sh
# Checks what a build needs before anything is created, and says how to get what is missing.
# usage: tools/preflight.sh PYTHON
set -u
python=$1
missing=0

complain() {
  missing=1
  printf '%s\n' "$1" >&2
  printf '  Debian, Ubuntu:  %s\n  Fedora, RHEL:    %s\n  macOS:           %s\n' "$2" "$3" "$4" >&2
}

if ! command -v "$python" >/dev/null 2>&1 ||
  ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  found=$("$python" --version 2>/dev/null) || found="not there"
  complain "shrinkage needs Python 3.11 or newer; '$python' is $found. If another one is installed, name it: make test PYTHON=python3.12" \
    "sudo apt-get install python3 python3-venv python3-dev" \
    "sudo dnf install python3 python3-devel" \
    "brew install python"
else
  if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    complain "'$python' cannot make virtual environments (modules venv and ensurepip)." \
      "sudo apt-get install python3-venv" "sudo dnf install python3" "brew install python"
  fi
  include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
  if [ ! -f "$include/Python.h" ]; then
    complain "Python.h of '$python' is missing (looked in $include)." \
      "sudo apt-get install python3-dev" "sudo dnf install python3-devel" "brew install python"
  fi
fi

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
printf '#include <optional>\nint main() { std::optional<int> ok = 0; return *ok; }\n' >"$scratch/probe.cpp"
compiles() { "$@" -std=c++17 "$scratch/probe.cpp" -o "$scratch/probe" >/dev/null 2>&1; }
# CXX may carry flags, so it is split into words on purpose.
# shellcheck disable=SC2086
if [ -n "${CXX:-}" ]; then
  compiles ${CXX} || complain "The compiler that CXX names, '$CXX', does not compile C++17." \
    "sudo apt-get install g++" "sudo dnf install gcc-c++" "xcode-select --install"
elif ! compiles c++ && ! compiles g++ && ! compiles clang++; then
  complain "A C++17 compiler is needed (looked for c++, g++, clang++)." \
    "sudo apt-get install g++" "sudo dnf install gcc-c++" "xcode-select --install"
fi
exit $missing
