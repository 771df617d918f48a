#!/usr/bin/env bash
# Back up a folder and keep the newest copies.
set -euo pipefail

readonly KEEP=7
export BACKUP_DIR="${BACKUP_DIR:-/var/backups}"
log_file=/tmp/backup.log

# Say something with a time stamp.
log() {
  printf '%s %s\n' "$(date +%T)" "$*" >> "$log_file"
}

# Remove what is older than the newest $KEEP copies.
function prune {
  local count=0 file
  for file in $(ls -t "$BACKUP_DIR"); do
    count=$((count + 1))
    if [ "$count" -gt "$KEEP" ]; then
      log "remove $file"
      rm -f -- "$BACKUP_DIR/$file"
    fi
  done
  case "$count" in
    0) log "nothing there" ;;
    *) log "$count copies" ;;
  esac
}

function backup::run() {
  tar czf "$BACKUP_DIR/$(date +%F).tar.gz" "$1"
  prune
}

alias bk='backup::run'

backup::run "$@"
