#!/usr/bin/env bash
# Put a new webhook key in place, in two steps that may lie days apart:
#
#   rotate-keys.sh start     make a new key; the old one is accepted beside it
#   rotate-keys.sh finish    stop accepting the old one, once every carrier has the new key
#
# The folder is COURIER_KEYS_DIR, or /etc/courier/keys.
set -euo pipefail

folder="${COURIER_KEYS_DIR:-/etc/courier/keys}"

fail() {
    echo "rotate-keys: $1" >&2
    exit 1
}

# Write a key of 32 random bytes in hexadecimal, readable by its owner only.
make_key() {
    local target="$1"
    (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$target.new")
    mv -- "$target.new" "$target" # a rename, so that no reader ever sees half a key
}

start() {
    [[ ! -e "$folder/previous" ]] || fail "a rotation is under way: finish it first"
    if [[ -e "$folder/current" ]]; then
        cp -p -- "$folder/current" "$folder/previous"
        echo "The old key is accepted until you run: $0 finish"
    fi
    make_key "$folder/current"
    echo "New key in $folder/current: send it to the carriers."
}

finish() {
    [[ -e "$folder/previous" ]] || fail "no rotation is under way"
    rm -- "$folder/previous"
    echo "Only the key in $folder/current is accepted now."
}

[[ -d "$folder" ]] || fail "there is no folder $folder"
case "${1:-}" in
    start) start ;;
    finish) finish ;;
    *) fail "say start or finish" ;;
esac
