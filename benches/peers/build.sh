#!/bin/sh
# Builds the plug-ins from their source and puts each .wasm beside its folder.
#
#   benches/peers/build.sh
#
#   GUEST_TARGET  where cargo builds    (default ${TMPDIR:-/tmp}/fnhost-peers-plugin)
#   RUSTC         the compiler          (default: rustc when it has wasm32-unknown-unknown, else the
#                                        one that tests/guests/install-rust-wasm.sh sets up)
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
TARGET=${GUEST_TARGET:-${TMPDIR:-/tmp}/fnhost-peers-plugin}
CARGO_DIR=${CARGO_HOME:-$HOME/.cargo}
TRIPLE=wasm32-unknown-unknown

if [ -z "${RUSTC:-}" ]; then
  RUSTC=$(command -v rustc)
  if ! [ -d "$("$RUSTC" --print target-libdir --target $TRIPLE 2>/dev/null)" ]; then
    "$HERE/../../tests/guests/install-rust-wasm.sh" >&2
    RUSTC=${RUST_WASM_PREFIX:-$HOME/.rust-wasm}/bin/rustc
  fi
fi

# No path of the machine may stand in a plug-in, and the bytes must not depend on it.
# Of several prefixes that fit, the last one given is taken.
flags="--remap-path-prefix=$CARGO_DIR=/cargo --remap-path-prefix=$TARGET=/target"
flags="$flags --remap-path-prefix=$HERE=/peers"
for sources in "$CARGO_DIR"/registry/src/*; do
  flags="$flags --remap-path-prefix=$sources=/crates"
done
flags="$flags --remap-path-prefix=$("$RUSTC" --print sysroot)=/rust"

cd "$HERE/plugin"
cargo fetch --locked --quiet
RUSTC=$RUSTC RUSTFLAGS=$flags \
  cargo build --locked --quiet --release --workspace --target $TRIPLE --target-dir "$TARGET"

for plugin in echo json; do
  file=$HERE/plugin/$plugin.wasm
  cp "$TARGET/$TRIPLE/release/$plugin.wasm" "$file"
  chmod 644 "$file"
  # A path of the machine in a plug-in would end up in the repository.
  for prefix in "$HOME/" "$CARGO_DIR" "$HERE" "$TARGET" registry/src; do
    if grep -qaF -e "$prefix" "$file"; then
      echo "build.sh: $plugin.wasm names $prefix" >&2
      exit 1
    fi
  done
  echo "built $plugin.wasm: $(wc -c <"$file") bytes"
done
