# How scripts get what they need. They read this file with `.`, and have a function `die` before that.

# patiently COMMAND...: runs what depends on somebody's server, up to three times.
patiently() {
  for pause in 5 20; do
    "$@" && return || echo "failed, once more in $pause s: $*" >&2
    sleep $pause
  done
  "$@"
}

# debian PACKAGE...: installs them, where that is possible: by root, or by who may use sudo without a password.
debian() {
  command -v apt-get >/dev/null || die "install what Debian calls $*"
  sudo="sudo -n"
  [ "$(id -u)" != 0 ] || sudo=
  [ -z "$sudo" ] || $sudo true 2>/dev/null || die "install what Debian calls $*"
  patiently $sudo apt-get update -qq >&2
  patiently $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >&2
}
