#!/bin/sh
# Builds the large guests, which are too large to be committed, into out/.
#
#   tests/guests/large/build.sh                      all of them
#   tests/guests/large/build.sh json-spidermonkey    this one
#
# Needs Node 18 with npm for SpiderMonkey, and Python 3 with venv or pip for Python; on Debian, root gets what is
# missing. The http guests need cargo as well. The tools themselves go into node_modules/ and python/ here. What was
# built from the same sources is left as it is: running it again does nothing.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
cd "$HERE"
WIT=../../../wit
HTTP_WIT=out/wit
ALL="http-python http-spidermonkey json-python json-spidermonkey"

die() { echo "build.sh: $*" >&2; exit 1; }

. ../../clients/needs.sh

# content FILE...: a hash of the files and of all that every guest is made from.
content() {
  cat build.sh "$@" | sha256sum
}

# install_once FOLDER FILE COMMAND...: runs the command unless it made the folder from this file already.
install_once() {
  folder=$1 listed=$(sha256sum "$2")
  shift 2
  [ "$(cat "$folder/.stamp" 2>/dev/null)" != "$listed" ] || return 0
  rm -rf "$folder"
  "$@"
  echo "$listed" >"$folder/.stamp"
}

# The world `http` with the WASI that it includes: that of the crate wasip2, called what the engine of componentize-js
# calls it. From 0.2.9 to 0.2.12 nothing changed in what http.wit imports and exports.
http_wit() (
  cd ..
  patiently cargo fetch --locked --quiet
  version=$(sed -n '/^name = "wasip2"/{n;s/^version = "\(2.*\)"/\1/p}' Cargo.lock)
  cd "$HERE"
  rm -rf $HTTP_WIT
  mkdir -p $HTTP_WIT/deps
  cp http.wit $HTTP_WIT
  for package in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"wasip2-$version"/wit/deps/*.wit; do
    sed "s/${version#*wasi-}/0.2.10/g" "$package" >"$HTTP_WIT/deps/${package##*/}"
  done
)

# spidermonkey SOURCE WIT WORLD OUTPUT
spidermonkey() {
  command -v node >/dev/null && command -v npm >/dev/null || debian nodejs npm
  install_once node_modules package-lock.json \
    patiently npm ci --loglevel=error --ignore-scripts --no-audit --no-fund >&2
  node componentize.js "$@" >&2
}

# python SOURCE WIT WORLD OUTPUT
python() {
  command -v python3 >/dev/null || debian python3 python3-venv
  install_once python requirements.txt install_python >&2
  PYTHONPATH=python python3 -c 'from componentize_py import script; script()' \
    --quiet --wit-path "$2" --world "$3" componentize --python-path . "${1%.py}" --output "$4" >&2
}

# The packages go into a folder of their own, with whichever pip there is.
install_python() {
  if python3 -m pip --version >/dev/null 2>&1; then
    pip="python3 -m pip"
  else
    python3 -c 'import ensurepip' 2>/dev/null || debian python3-venv
    python3 -m venv out/venv
    pip="out/venv/bin/python -m pip"
  fi
  patiently $pip install --quiet --root-user-action=ignore --disable-pip-version-check --target python \
    -r requirements.txt
  rm -rf out/venv
}

build() {
  case $1 in
    *-spidermonkey) source=${1%%-*}.js how=spidermonkey tools="componentize.js package-lock.json" ;;
    *-python) source=${1%%-*}_app.py how=python tools=requirements.txt ;;
  esac
  case $1 in
    http-python | http-spidermonkey) wit=$HTTP_WIT world=http interface="http.wit ../Cargo.lock" ;;
    json-python | json-spidermonkey) wit=$WIT world=function interface=$(echo $WIT/*.wit) ;;
    *) die "no guest $1; there are: $ALL" ;;
  esac
  file=out/$1.wasm stamp=out/$1.stamp
  made_from=$(content "$source" $tools $interface)
  if [ -f "$file" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$made_from" ]; then
    echo "$1 is there: $(wc -c <"$file") bytes"
    return
  fi
  began=$(date +%s)
  [ $world != http ] || http_wit
  # Whoever reads the file meanwhile must see a whole one.
  $how "$source" "$wit" "$world" "out/$1.new"
  mv "out/$1.new" "$file"
  echo "$made_from" >"$stamp"
  echo "built $1: $(wc -c <"$file") bytes in $(($(date +%s) - began)) s"
}

mkdir -p out
# One at a time, or two runs would install over each other.
exec 9>out/.lock
flock 9

[ $# -gt 0 ] || set -- $ALL
for guest in "$@"; do
  build "$guest"
done
