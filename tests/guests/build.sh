#!/bin/sh
# Builds every guest from its source and puts the .wasm beside its folder.
#
#   tests/guests/build.sh                  all of them
#   tests/guests/build.sh json command     these
#
#   GUEST_TARGET  where cargo builds    (default ${TMPDIR:-/tmp}/fnhost-guests)
#   RUSTC         the compiler          (default: rustc when it has the WebAssembly targets, else
#                                        the one that install-rust-wasm.sh sets up)
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
EXAMPLES=$(cd "$HERE/../../examples/guests" && pwd)
TARGET=${GUEST_TARGET:-${TMPDIR:-/tmp}/fnhost-guests}
CARGO_DIR=${CARGO_HOME:-$HOME/.cargo}
HOST_RUSTC=$(command -v rustc)
ALL="command command-p2 counter echo echo-wasi http-hello http-hello-p3 http-rs http-rs-p3 init-none init-none-bytes init-slow init-slow-bytes
  json json-rs misbehave misbehave-bytes snapshot-probe snapshot-probe-p1 clicks hello plugin-good plugin-bad purchase search hello-js json-qjs"

has_targets() {
  for t in wasm32-unknown-unknown wasm32-wasip1 wasm32-wasip2; do
    [ -d "$("$1" --print target-libdir --target "$t" 2>/dev/null)" ] || return 1
  done
}

# Once, and only when a guest in Rust is built.
choose_compiler() {
  [ -z "${RUSTC:-}" ] || return 0
  RUSTC=$HOST_RUSTC
  if has_targets "$RUSTC"; then return 0; fi
  "$HERE/install-rust-wasm.sh" >&2
  RUSTC=${RUST_WASM_PREFIX:-$HOME/.rust-wasm}/bin/rustc
}

# No path of the machine may stand in a guest, and the bytes must not depend on it.
# Of several prefixes that fit, the last one given is taken.
remap_paths() {
  flags="--remap-path-prefix=$CARGO_DIR=/cargo --remap-path-prefix=$TARGET=/target"
  flags="$flags --remap-path-prefix=$HERE=/guests --remap-path-prefix=$EXAMPLES=/examples"
  for sources in "$CARGO_DIR"/registry/src/*; do
    flags="$flags --remap-path-prefix=$sources=/crates"
  done
  echo "$flags --remap-path-prefix=$("$RUSTC" --print sysroot)=/rust"
}

# cargo_build WORKSPACE PACKAGE TARGET: the file that was built is in $TARGET/TARGET/release.
cargo_build() {
  choose_compiler
  (cd "$1" && cargo fetch --locked --quiet)
  (cd "$1" && RUSTC=$RUSTC RUSTFLAGS=$(remap_paths) \
    cargo build --locked --quiet --release -p "$2" --target "$3" --target-dir "$TARGET")
}

# The tool is the host's: the host's compiler builds it.
build_tool() {
  [ -z "${TOOL:-}" ] || return 0
  TOOL=$TARGET/tool/debug/componentize
  (cd "$HERE" && RUSTC=$HOST_RUSTC cargo build --locked --quiet -p componentize --target-dir "$TARGET/tool")
}

# A component without any WASI import.
pure_component() {
  build_tool
  cargo_build "$1" "$2" wasm32-unknown-unknown
  "$TOOL" encode "$TARGET/wasm32-unknown-unknown/release/$(echo "$2" | tr - _).wasm" "$1/$2.wasm"
}

wasi_component() {
  cargo_build "$1" "$2" wasm32-wasip2
  cp "$TARGET/wasm32-wasip2/release/$(echo "$2" | tr - _).wasm" "$1/$2.wasm"
}

# A core module that is a library: with WASI for wasm32-wasip1, without it for wasm32-unknown-unknown.
core_module() {
  cargo_build "$HERE" "$2" "$1"
  cp "$TARGET/$1/release/$(echo "$2" | tr - _).wasm" "$HERE/$2.wasm"
}

command_for() {
  cargo_build "$HERE" "$2" "$1"
  cp "$TARGET/$1/release/$2.wasm" "$HERE/$2.wasm"
}

javascript() {
  (
    cd "$HERE/$1"
    npm install --silent
    npx componentize-qjs --sync --stub-wasi --wit ../../../wit --world function --js "$1.js" -o "../$1.wasm"
    node scrub.js "../$1.wasm"
  ) >&2
}

# A path of the machine in a guest would end up in the repository.
check_paths() {
  for prefix in "$HOME/" "$CARGO_DIR" "$HERE" "$EXAMPLES" "$TARGET" registry/src; do
    if grep -qaF -e "$prefix" "$1"; then
      echo "build.sh: $1 names $prefix" >&2
      exit 1
    fi
  done
}

build() {
  case $1 in
    echo | http-hello | http-hello-p3 | init-none | init-slow | json | json-rs) pure_component "$HERE" "$1" ;;
    counter | echo-wasi | http-rs | http-rs-p3 | misbehave | snapshot-probe) wasi_component "$HERE" "$1" ;;
    init-none-bytes | init-slow-bytes | misbehave-bytes) core_module wasm32-unknown-unknown "$1" ;;
    snapshot-probe-p1) core_module wasm32-wasip1 "$1" ;;
    command) command_for wasm32-wasip1 "$1" ;;
    command-p2) command_for wasm32-wasip2 "$1" ;;
    clicks | hello | plugin-good | purchase) pure_component "$EXAMPLES" "$1" ;;
    plugin-bad | search) wasi_component "$EXAMPLES" "$1" ;;
    hello-js | json-qjs) javascript "$1" ;;
    *) echo "build.sh: no guest $1; there are: $ALL" >&2; exit 1 ;;
  esac
  file=$HERE/$1.wasm
  [ -d "$HERE/$1" ] || file=$EXAMPLES/$1.wasm
  check_paths "$file"
  chmod 644 "$file"
  echo "built $1: $(wc -c <"$file") bytes"
}

[ $# -gt 0 ] || set -- $ALL
for guest in "$@"; do
  build "$guest"
done
