#!/usr/bin/env bash
# Compares the gateway with `wasmtime serve`, by its defaults and tuned, and with a bare axum route, on a thread for
# each core and as axum itself serves it, under wrk with 64 connections: they take turns, and what counts is the ratio
# within a round.
#
#     benches/http/wrk.sh [hello|p3|spidermonkey]...
#
# It wants wrk and `wasmtime` (48, from `cargo install wasmtime-cli`). LTO=fat (or thin) builds ours and axum's with
# link-time optimization, in a target folder of its own; ROUNDS and SECONDS_EACH say how long it takes.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${ROUNDS:-7} seconds=${SECONDS_EACH:-2} wasmtime=${WASMTIME:-wasmtime}
guests=("$@")
[ $# -gt 0 ] || guests=(hello p3 spidermonkey)

if [ -n "${LTO:-}" ]; then
    export CARGO_PROFILE_RELEASE_LTO=$LTO CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/lto
fi
bench=$(cargo bench --bench http --no-run 2>&1 | tee /dev/stderr | sed -n 's/.*Executable .*(\(.*\))$/\1/p')

declare -A port
running=()
trap 'kill "${running[@]}" 2>/dev/null || true' EXIT

# start NAME COMMAND...: the last word of the command is to be completed by the port.
start() {
    local name=$1 free=$((next_port++))
    shift
    "${@:1:$#-1}" "${!#}$free" >/dev/null 2>&1 &
    running+=($!) port[$name]=$free
    until curl -s -o /dev/null "http://127.0.0.1:$free/"; do
        kill -0 "${running[-1]}" 2>/dev/null || { echo "$name does not start" >&2; exit 1; }
        sleep 0.1
    done
}

serve_wasmtime() {
    local name=$1 code=$2
    shift 2
    start "$name" "$wasmtime" serve -S cli "$@" "$code" --addr 127.0.0.1:
}

load() {
    wrk -t2 -c64 -d"$1"s "http://127.0.0.1:${port[$2]}/" | awk '
        /Non-2xx|Socket errors/ { print "'"$2"': " $0 > "/dev/stderr" }
        /^Requests\/sec/ { print $2 }'
}

compare() {
    local guest=$1 code=$2 names=(fnhost default tuned) others name round line
    running=() port=() next_port=${PORT:-9700}
    start fnhost "$bench" serve fnhost "$guest" ""
    serve_wasmtime default "$code"
    serve_wasmtime tuned "$code" -O pooling-allocator=y -O pooling-memory-keep-resident=1048576 \
        -O pooling-table-keep-resident=65536 -O pooling-pagemap-scan=y
    others=()
    [ "$guest" != hello ] || others=(axum axum-serve)
    for name in "${others[@]}"; do start "$name" "$bench" serve "$name" "$guest" ""; done
    names+=("${others[@]}")
    for name in "${names[@]}"; do load 1 "$name" >/dev/null; done
    for ((round = 0; round < rounds; round++)); do
        line=
        for name in "${names[@]}"; do line+="$(load "$seconds" "$name") "; done
        echo "$line"
    done | awk -v guest="$guest" -v names="${names[*]}" '
        function sorted(from, to, count,    i, j, t) {
            for (i = 1; i <= count; i++) to[i] = from[i]
            for (i = 2; i <= count; i++)
                for (j = i; j > 1 && to[j - 1] > to[j]; j--) { t = to[j]; to[j] = to[j - 1]; to[j - 1] = t }
        }
        { for (i = 1; i <= NF; i++) rate[i, NR] = $i + 0 }
        END {
            many = split(names, name, " "); middle = int((NR + 1) / 2)
            print guest ": requests a second, and ours to theirs: the median round, the lowest and the highest"
            for (i = 1; i <= many; i++) {
                for (r = 1; r <= NR; r++) { rates[r] = rate[i, r]; ratios[r] = rate[1, r] / rate[i, r] }
                sorted(rates, a, NR); sorted(ratios, b, NR)
                printf "  %-10s %8.0f   %5.2f (%.2f .. %.2f)\n", name[i], a[middle], b[middle], b[1], b[NR]
            }
        }'
    kill "${running[@]}"
    wait "${running[@]}" 2>/dev/null || true
}

for guest in "${guests[@]}"; do
    case $guest in
        hello) code=tests/guests/http-hello.wasm ;;
        p3) code=tests/guests/http-hello-p3.wasm ;;
        spidermonkey) code=tests/guests/large/out/http-spidermonkey.wasm ;;
        *) echo "no guest is called $guest" >&2; exit 2 ;;
    esac
    if [ -f "$code" ]; then compare "$guest" "$code"; else echo "$guest: not built"; fi
done
