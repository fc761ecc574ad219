#!/bin/sh
# fetch-capstone.sh DIR: make sure of a capstone that knows RISC-V (5 or newer) on Debian 12.
# fetch-capstone.sh --mirrors RELEASE APT_FOLDER: only print the mirrors it would ask.
#
# Debian 12 has 4.0.2, but Debian 13's two packages run there. They are unpacked into DIR
# (usr/include, usr/lib/TRIPLET), never installed. Other systems have or lack capstone 5 themselves;
# CMake says so.
set -eu

suite=trixie
packages="libcapstone5 libcapstone-dev"
# shellcheck source=scripts/apt-isolated.sh
. "$(dirname -- "$0")/apt-isolated.sh"

if [ "$1" = --mirrors ]; then
    configured_mirrors "$2" "$3"
    exit 0
fi

target=$1
[ ! -e "$target/usr/include/capstone/capstone.h" ] || exit 0
! pkg-config --atleast-version=5 capstone 2>/dev/null || exit 0
ID=
VERSION_ID=
# shellcheck source=/dev/null
[ ! -r /etc/os-release ] || . /etc/os-release
[ "$ID $VERSION_ID" = "debian 12" ] || exit 0

# Unpacking beside the target and renaming at the end: an interrupted run leaves nothing half done.
mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$(dirname "$target")/fetch.XXXXXX")
work=$(cd "$work" && pwd)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$work/unpacked"

# packages_of_mirror: both into the work folder.
packages_of_mirror()
{
    rm -f "$work"/*.deb
    # shellcheck disable=SC2086 # a list of words
    isolated_apt get download $packages
}

echo "fetching capstone 5 from Debian 13 into $target" >&2
if ! fetch_from_mirrors "$work" "$(dpkg --print-architecture)" $suite packages_of_mirror; then
    cat "$work/log" >&2
    echo "capstone 5 could not be fetched: no mirror configured for apt gave $packages of $suite" >&2
    echo "(a signature that cannot be checked means an old debian-archive-keyring: upgrade it)" >&2
    exit 1
fi
for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/unpacked"
done
chmod 755 "$work/unpacked"
rm -rf "$target"
mv -T "$work/unpacked" "$target"
