#!/usr/bin/env bash
# Makes sure that SoftHSM is there, a PKCS#11 token in software: tests of root keys in tokens need one.
set -euo pipefail

for module in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
    [ ! -e "$module" ] || ! command -v softhsm2-util >/dev/null || exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "siegel: installing softhsm2" >&2
    (apt-get install -y -qq softhsm2 || { apt-get update -qq && apt-get install -y -qq softhsm2; }) >&2 </dev/null
    exit 0
fi
echo "siegel: tests need SoftHSM; on Debian, as root: apt-get install softhsm2" >&2
exit 1
