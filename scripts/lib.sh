# Shared by the scripts of this repository; sourced, never run.
# shellcheck shell=bash

repository="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache_dir="${XDG_CACHE_HOME:-$HOME/.cache}/tipoff"

# Where cargo builds: what the caller set, else the machine's shared folder if there is one, else the clone's own.
choose_target_dir() {
    if [[ -z "${CARGO_TARGET_DIR:-}" && -d "$cache_dir/target" ]]; then
        export CARGO_TARGET_DIR="$cache_dir/target"
    fi
}

# Prints the packages of a group (first column of scripts/packages) whose command is missing.
missing_packages() {
    local group="$1" who package command _why
    while read -r who package command _why; do
        if [[ "$who" == "$group" ]] && ! command -v "$command" >/dev/null; then
            printf '%s\n' "$package"
        fi
    done <"$repository/scripts/packages"
}

# Installs what a group needs; without root it says what to type.
install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$1")
    if ((${#missing[@]} == 0)); then
        return 0
    fi
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        printf 'missing: %s; install with: sudo apt-get install %s\n' "${missing[*]}" "${missing[*]}" >&2
        return 1
    fi
    apt-get update -q || return 1
    # Debian starts a service after installing one; the tests bring their own servers.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# ONNX Runtime is no crate: the shared library comes in a Python wheel, and only tests need it. Pinned as in
# models/training/requirements.txt; kept outside the clone, so that it is fetched once for a machine.
onnxruntime_version=1.31.1

# Installs the library unless it is there, and tells the tests which it is and that they may not do without.
install_onnxruntime() {
    local folder="$cache_dir/onnxruntime-$onnxruntime_version" found
    if ! compgen -G "$folder/onnxruntime/capi/libonnxruntime.so.*" >/dev/null; then
        # Debian's own pip installs nothing outside an environment; --no-deps, for nobody imports it.
        rm -rf "$folder.new" || return 1
        python3 -m venv "$folder.new/venv" || return 1
        "$folder.new/venv/bin/pip" install --quiet --no-deps --only-binary :all: --target "$folder.new/packages" \
            "onnxruntime==$onnxruntime_version" || return 1
        rm -rf "$folder" || return 1
        mv "$folder.new/packages" "$folder" || return 1
        rm -rf "$folder.new"
    fi
    found="$(compgen -G "$folder/onnxruntime/capi/libonnxruntime.so.*" | head -n 1)"
    if [[ -z "$found" ]]; then
        printf 'the wheel onnxruntime %s holds no libonnxruntime.so\n' "$onnxruntime_version" >&2
        return 1
    fi
    export ORT_DYLIB_PATH="$found" TIPOFF_REQUIRE_ORT=1
    printf 'ONNX Runtime: %s\n' "$found"
}

# start_redis FOLDER: a throwaway server on a free loopback port; sets redis_port, and stop_redis ends it.
# It keeps a log as the deployment of a state store does, so that nobody is measured without durability.
start_redis() {
    local folder="$1" tries=0
    redis_port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$folder" --save '' --appendonly yes \
        --appendfsync everysec --maxmemory-policy noeviction --loglevel warning >"$folder/redis.log" 2>&1 &
    redis_pid=$!
    until redis-cli -p "$redis_port" ping >/dev/null 2>&1; do
        if ((++tries > 100)) || ! kill -0 "$redis_pid" 2>/dev/null; then
            printf 'redis-server did not come up within 10 s:\n%s\n' "$(<"$folder/redis.log")" >&2
            return 1
        fi
        sleep 0.1
    done
}

stop_redis() {
    if [[ -n "${redis_pid:-}" ]]; then
        kill "$redis_pid" 2>/dev/null || true
        wait "$redis_pid" 2>/dev/null || true
        redis_pid=""
    fi
}

# build_release [BINARY]: builds a release binary and sets tipoff to the path of the binary of that name.
# shellcheck disable=SC2034 # the script that sources this runs it
build_release() {
    choose_target_dir
    # Of the whole workspace, so that every campaign finds the same dependencies built.
    cargo build --manifest-path "$repository/Cargo.toml" --release --locked --workspace --bin "${1:-tipoff}" >&2
    tipoff="${CARGO_TARGET_DIR:-$repository/target}/release/tipoff"
}

# step NAME COMMAND…: a heading, the command, the seconds it took; the first failure ends the script.
step_names=()
step_seconds=()
step() {
    local name="$1" started=$SECONDS status=0
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" </dev/null || status=$?
    step_names+=("$name")
    step_seconds+=($((SECONDS - started)))
    printf -- '-- %s: %d s\n' "$name" $((SECONDS - started))
    if ((status != 0)); then
        printf '\nFAILED in "%s" after %d s (exit code %d)\n' "$name" "$SECONDS" "$status" >&2
        exit 1
    fi
}

# One line with the time of every step.
summary() {
    local i line=""
    for i in "${!step_names[@]}"; do
        line+="${line:+, }${step_names[i]} ${step_seconds[i]} s"
    done
    printf '\n%s in %d s: %s\n' "$1" "$SECONDS" "$line"
}
