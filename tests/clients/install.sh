#!/bin/sh
# Makes a virtual environment with the clients that the tests use, listed in requirements.txt.
#
#   tests/clients/install.sh FOLDER
#
# Needs Python 3 with venv; on Debian, root gets what is missing. A folder that was made from the same list is left
# as it is: running it again does nothing.
set -eu

FOLDER=${1:?usage: install.sh FOLDER}
LIST=$(cd "$(dirname "$0")" && pwd)/requirements.txt

die() { echo "install.sh: $*" >&2; exit 1; }

. "$(dirname "$0")/needs.sh"

command -v python3 >/dev/null || debian python3 python3-venv
python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3-venv

mkdir -p "$(dirname "$FOLDER")"
# One at a time, or two runs would install over each other.
exec 9>"$FOLDER.lock"
flock 9

made_from="$(python3 --version) $(sha256sum <"$LIST")"
[ "$(cat "$FOLDER/.stamp" 2>/dev/null)" != "$made_from" ] || exit 0
rm -rf "$FOLDER"
python3 -m venv "$FOLDER"
patiently "$FOLDER/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$LIST" >&2
echo "$made_from" >"$FOLDER/.stamp"
