#!/bin/sh
# Sees to it that `nats-server` is there, which the tests of NATS and the example `cluster` start.
#
#   tests/clients/nats-server.sh
#
# On Debian, root or who may use sudo without a password gets it where it is missing.
set -eu

die() { echo "nats-server.sh: $*" >&2; exit 1; }

# as_root COMMAND...: runs it as root, where that is possible.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

command -v nats-server >/dev/null && exit 0
command -v apt-get >/dev/null || die "install nats-server"
as_root apt-get update -qq >&2 || die "install what Debian calls nats-server"
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends nats-server >&2
command -v nats-server >/dev/null || die "nats-server was installed, but is not in PATH"
