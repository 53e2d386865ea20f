#!/usr/bin/env bash
# Runs the real-client suite: `tests/clients/run.sh [pytest arguments]`. `make clients` calls it.
#
# Virtual-host addressing needs names below s3.localhost that lead to this machine. Where the system does not resolve them
# by itself, the suite runs with a hosts file of its own, which only its processes see (a private mount namespace).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
python="$root/.venv/bin/python"

run_tests() {
    local word chosen=(tests/clients)
    cd "$root"
    for word in "$@"; do [[ "$word" == tests/clients/* ]] && chosen=(); done
    exec "$python" -m pytest -p no:cacheprovider "${chosen[@]}" "$@"
}

if [ "${1:-}" = "--inside-namespace" ]; then
    shift
    hosts=$(mktemp)
    { cat /etc/hosts; "$python" "$here/bucket_names.py" --hosts; } >"$hosts"
    chmod 644 "$hosts"
    mount --bind "$hosts" /etc/hosts
    rm -f "$hosts"
    run_tests "$@"
fi

[ -x "$python" ] || { echo "clients: no $python yet. Run: make run (or make test) once" >&2; exit 1; }
"$here/setup.sh"
if "$python" "$here/bucket_names.py" --check; then
    run_tests "$@"
elif unshare --mount true 2>/dev/null; then
    exec unshare --mount "$0" --inside-namespace "$@"
elif unshare --map-root-user --mount true 2>/dev/null; then
    exec unshare --map-root-user --mount "$0" --inside-namespace "$@"
fi
{
    echo "clients: names below s3.localhost do not lead to this machine, and no private hosts file can be mounted here."
    echo "clients: either install libnss-myhostname, or add these lines to /etc/hosts:"
    "$python" "$here/bucket_names.py" --hosts
} >&2
exit 1
