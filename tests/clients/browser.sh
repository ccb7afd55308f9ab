#!/bin/sh
# Walks through the shop of the example `gateway` in headless Chromium; leaves screenshots in target/browser.
#
#   tests/clients/browser.sh             with a release build of the example
#   tests/clients/browser.sh PROGRAM     with this program
#
#   CHROMIUM  the browser (default /usr/bin/chromium)
#
# Needs Node 20 with npm, and Chromium; on Debian, root gets what is missing.
set -eu

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export CHROMIUM="${CHROMIUM:-/usr/bin/chromium}"

die() { echo "browser.sh: $*" >&2; exit 1; }

. "$ROOT/tests/clients/needs.sh"

# One at a time, and unless that was done for this very lock file.
install_client() (
  cd "$ROOT/examples/gateway/browser"
  exec 9>.lock
  flock 9
  listed=$(sha256sum package-lock.json)
  [ "$(cat node_modules/.stamp 2>/dev/null)" != "$listed" ] || return 0
  patiently npm ci --loglevel=error --ignore-scripts --no-audit --no-fund >&2
  echo "$listed" >node_modules/.stamp
)

command -v node >/dev/null && command -v npm >/dev/null || debian nodejs npm
[ -x "$CHROMIUM" ] || debian chromium
install_client

PROGRAM=${1:-}
if [ -z "$PROGRAM" ]; then
  (cd "$ROOT" && cargo build --locked --release --example gateway)
  PROGRAM=$TARGET/release/examples/gateway
fi
node "$ROOT/examples/gateway/browser/walk.js" "$PROGRAM" "$TARGET/browser"
