#!/bin/sh
# Godwit @VERSION@ in one file. Run it as the user who browses: it checks itself and installs into your home folder, without
# root and without the internet. `sh FILE --help` says what else it can do.
set -eu

version='@VERSION@'
sum='@SHA256@'
first_line='@FIRST_LINE@'
file=$0

say() { printf '%s\n' "$*" >&2; }

usage() {
    cat <<END
Godwit $version

  sh ${file##*/}                      install for you, or put this version in the place of an older one
  sh ${file##*/} install OPTIONS      the same with options of godwit-setup: --browsers LIST, --dry-run, --json, --system
  sh ${file##*/} uninstall OPTIONS    remove what was installed; --purge also removes settings, queue and logs
  sh ${file##*/} --check              only check that this file is whole
  sh ${file##*/} --extract DIR        only unpack the release into DIR
END
}

content() { tail -n "+$first_line" "$file"; }

check() {
    [ "$(content | sha256sum | cut -d ' ' -f 1)" = "$sum" ] && return
    say "This file is damaged or incomplete: download or copy it again. Nothing was changed."
    exit 1
}

case ${1-} in
    -h | --help) usage; exit 0 ;;
    --check) check; say "This file is whole."; exit 0 ;;
    --extract)
        [ -n "${2-}" ] || { usage >&2; exit 2; }
        check
        mkdir -p -- "$2"
        content | tar -xz -C "$2"
        exit 0
        ;;
    '' | -*) set -- install "$@" ;;
    install | uninstall) ;;
    *) usage >&2; exit 2 ;;
esac

check
folder=
trap '[ -z "$folder" ] || rm -rf -- "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# Some machines do not let programs run from /tmp.
for base in "${TMPDIR:-/tmp}" "${XDG_CACHE_HOME:-$HOME/.cache}"; do
    [ -d "$base" ] || continue
    folder=$(mktemp -d "$base/godwit-setup.XXXXXX") || continue
    content | tar -xz -C "$folder"
    setup=$folder/godwit-$version/bin/godwit-setup
    if "$setup" --version >/dev/null 2>&1; then
        "$setup" "$@"
        exit
    fi
    rm -rf -- "$folder"
    folder=
done
say "The installer can be run neither from ${TMPDIR:-/tmp} nor from ${XDG_CACHE_HOME:-$HOME/.cache}: no room, or programs may not run there."
say "Set TMPDIR to a folder where they may, and try again. Nothing was changed."
exit 1
