#!/usr/bin/env bash
# Installs every client of the suite, at pinned versions, under .clients/ of the project. Quick when all is there already.
# Debian packages need root; without it, the missing ones are named and the script fails.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
place="$root/.clients"
debian=(rclone restic docker-registry nodejs npm chromium)
programs=(rclone restic docker-registry node npm chromium)
mkdir -p "$place"

fail() {
    echo "clients: $*" >&2
    exit 1
}

install_debian_packages() {
    local missing=() position
    for position in "${!programs[@]}"; do
        command -v "${programs[$position]}" >/dev/null || missing+=("${debian[$position]}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" -eq 0 ] || fail "missing: ${missing[*]}. Install them: sudo apt-get install -y ${missing[*]}"
    command -v apt-get >/dev/null || fail "missing: ${missing[*]}, and there is no apt-get to install them with"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A stamp beside each installation holds the pinned list that it was made from.
is_current() { # list, stamp
    [ -f "$2" ] && cmp -s "$1" "$2"
}

install_python_clients() { # a, b, c or d
    local list="$here/requirements/$1.txt" stamp="$place/$1.installed"
    is_current "$list" "$stamp" && return
    echo "clients: installing the Python clients, set $1"
    rm -f "$stamp"
    python3 -m venv --clear "$place/$1" || fail "python3 -m venv does not work here. Install it: apt-get install -y python3-venv"
    "$place/$1/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$list"
    cp "$list" "$stamp"
}

install_npm_clients() {
    local lock="$here/npm/package-lock.json" stamp="$place/npm.installed"
    is_current "$lock" "$stamp" && return
    echo "clients: installing the JavaScript clients"
    rm -f "$stamp"
    mkdir -p "$place/npm"
    cp "$here/npm/package.json" "$lock" "$place/npm/"
    (cd "$place/npm" && npm ci --silent --no-audit --no-fund)
    cp "$lock" "$stamp"
}

install_debian_packages
for set in a b c d; do install_python_clients "$set"; done
install_npm_clients
