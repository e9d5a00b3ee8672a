#!/bin/sh
# Install the Debian packages that packages.txt lists and that are missing. Does nothing, quickly, when none is.
set -eu
list=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$(dirname "$0")/packages.txt")

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This machine has no apt. Please install what these Debian packages contain, then run the command again:" >&2
    echo "$list" | sed 's/^/  /' >&2
    exit 1
fi

installed() { [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c1-2)" = ii ]; }

missing=
for name in $list; do
    installed "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "These packages are missing, and installing them needs root (there is no sudo):$missing" >&2
        exit 1
    fi
    root=sudo
fi

$root apt-get update -q

# The packages would start daemons of their own on the default ports: a file answers "not now" to them while we install.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod 755 "$policy"
fi
# shellcheck disable=SC2086  # one word per package is meant
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
