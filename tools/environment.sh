#!/usr/bin/env bash
# Makes .venv with exactly the locked dependencies: `tools/environment.sh run` (the service and the printed examples) or
# `tools/environment.sh dev` (everything that checks and tests need). Quick when all is there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

groups=$1
uv_version=0.13.9
stamp=.venv/.locked-$groups

if [ -f "$stamp" ] && [ "$stamp" -nt uv.lock ] && [ "$stamp" -nt pyproject.toml ]; then
    exit 0
fi

fail() {
    echo "siegel: $*" >&2
    exit 1
}

# A bare Debian has python3 without the venv module, or no python3 at all. Debian's own comes first: it is built with optimisation
# by profile, which what version managers compile mostly is not, and that makes a third of the speed.
find_python() {
    local name
    for name in /usr/bin/python3.11 python3.11 python3.12 python3.13 python3.14 python3; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "siegel: installing python3 and python3-venv" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv >&2
    python=$(find_python)
fi
[ -n "$python" ] || fail "Python 3.11 or newer with its venv module is needed; on Debian, as root: apt-get install python3 python3-venv"

[ -x .venv/bin/python ] || "$python" -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet "uv==$uv_version"

case $groups in
    run) chosen=(--no-default-groups --group client) ;;
    dev) chosen=(--group dev) ;;
    *) fail "no such set of dependencies: $groups" ;;
esac
# Where the machine has certificates of its own, those count: a company's network may need them.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || chosen+=(--system-certs)
# Inexact: uv itself, and the other set, may stay.
.venv/bin/uv sync --quiet --locked --inexact --python .venv/bin/python "${chosen[@]}"
touch "$stamp"
[ "$groups" != dev ] || touch .venv/.locked-run
