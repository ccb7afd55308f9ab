#!/bin/sh
# Sees to it that `nats-server` is there, which the tests of NATS and the example `cluster` start.
#
#   tests/clients/nats-server.sh
#
# On Debian, root or who may use sudo without a password gets it where it is missing.
set -eu

die() { echo "nats-server.sh: $*" >&2; exit 1; }

. "$(dirname "$0")/needs.sh"

command -v nats-server >/dev/null && exit 0
debian nats-server
command -v nats-server >/dev/null || die "nats-server was installed, but is not in PATH"
