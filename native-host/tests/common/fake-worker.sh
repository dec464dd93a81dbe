#!/bin/sh
# Stands in for godwit-worker: does what the cookie in its orders says, and notes what it was told.
IFS= read -r start || exit 1
printf '%s\n' "$start" >> "$GODWIT_HOME/starts"
session() { printf '{"type":"session","transport":"quic","fingerprint":"SHA256:x","server_version":"0"}\n'; }
stats() { printf '{"type":"stats","bytes_expected":1000,"bytes_written":%s,"rate_kbps":100}\n' "$1"; }
obey() {
  while IFS= read -r line; do
    printf '%s\n' "$line" >> "$GODWIT_HOME/commands"
    case "$line" in *'"stop"'*) printf '{"type":"error","code":28,"message":"stopped"}\n'; exit 1 ;; esac
  done
  printf 'end of input\n' >> "$GODWIT_HOME/commands"
  exit 1
}
case "$start" in
*'"cookie":"complete"'*) session; stats 1000; printf '{"type":"done","bytes_expected":1000,"bytes_written":1000}\n' ;;
*'"cookie":"crash once"'*'"attempt":1,'* | *'"attempt":1,'*'"cookie":"crash once"'*) session; stats 500; kill -9 $$ ;;
*'"cookie":"crash once"'*) session; printf '{"type":"done","bytes_expected":1000,"bytes_written":1000}\n' ;;
*'"cookie":"deaf"'*) session; trap '' TERM; exec sleep 600 ;;
*'"cookie":"babble"'*) head -c 6000000 /dev/zero | tr '\0' x; exec sleep 600 ;;
*'"cookie":"wrong password"'*) printf 'no report\n{"type":"error","code":19,"message":"no"}\n' ;;
*) session; stats 500; obey ;;
esac
