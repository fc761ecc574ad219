#!/bin/sh
# fetch-capstone.sh DIR: make sure of a capstone that knows RISC-V (5 or newer) on Debian 12.
# fetch-capstone.sh --mirrors RELEASE APT_FOLDER: only print the mirrors it would ask.
#
# Debian 12 has 4.0.2, but Debian 13's two packages run there. They come from the mirror that this
# machine's apt is configured with and are unpacked into DIR (usr/include, usr/lib/TRIPLET), never
# installed. apt fetches them with state and cache of its own: the system's package lists stay as
# they are, and signatures are checked as always. Other systems have or lack capstone 5 themselves;
# CMake says so.
set -eu

suite=trixie
packages="libcapstone5 libcapstone-dev"

# one_line_sources FILES...: "URI KEYRING" of each one-line entry for this release's main archive,
# KEYRING being "-" where the entry names none by path.
one_line_sources()
{
    awk -v release="$release" '
        $1 == "deb" {
            sub(/#.*/, "")
            keyring = "-"
            if (match($0, /\[[^]]*\]/)) {
                count = split(substr($0, RSTART + 1, RLENGTH - 2), options, " ")
                for (i = 1; i <= count; i++)
                    if (options[i] ~ /^signed-by=\//)
                        keyring = substr(options[i], length("signed-by=") + 1)
                $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
            }
            if ($3 != release && $3 != "stable" && $3 != "oldstable")
                next
            for (i = 4; i <= NF; i++)
                if ($i == "main")
                    print $2, keyring
        }' "$@"
}

# deb822_sources FILES...: the same for stanzas of "Field: words" with continuation lines.
deb822_sources()
{
    awk -v release="$release" '
        function has(field, word) { return index(" " fields[field] " ", " " word " ") > 0 }
        function stanza_end(    count, uris, i, keyring) {
            keyring = fields["signed-by"]
            gsub(/^ +| +$/, "", keyring)
            if (keyring !~ /^\/[^ ]*$/)
                keyring = "-"
            if (has("types", "deb") && has("components", "main") && !has("enabled", "no") &&
                !has("enabled", "false") &&
                (has("suites", release) || has("suites", "stable") || has("suites", "oldstable"))) {
                count = split(fields["uris"], uris, " ")
                for (i = 1; i <= count; i++)
                    print uris[i], keyring
            }
            split("", fields)
        }
        /^#/ { next }
        FNR == 1 || /^[ \t]*$/ { stanza_end() }
        /^[ \t]+[^ \t]/ { fields[field] = fields[field] " " $0; next }
        /^[A-Za-z-]+:/ {
            field = tolower(substr($0, 1, index($0, ":") - 1))
            fields[field] = substr($0, index($0, ":") + 1)
            gsub(/[ \t]+/, " ", fields[field])
        }
        END { stanza_end() }' "$@"
}

# Debian's own mirrors end in /debian by convention and are asked first; somebody else's
# repository may carry the same release name.
# configured_mirrors RELEASE APT_FOLDER
configured_mirrors()
{
    release=$1
    apt_folder=$2
    {
        set -- "$apt_folder/sources.list" "$apt_folder"/sources.list.d/*.list
        for file in "$@"; do
            [ ! -r "$file" ] || one_line_sources "$file"
        done
        set -- "$apt_folder"/sources.list.d/*.sources
        for file in "$@"; do
            [ ! -r "$file" ] || deb822_sources "$file"
        done
    } | grep -v '^cdrom:' | awk '
        !seen[$1]++ { if ($1 ~ /\/debian\/?$/) print; else others = others $0 "\n" }
        END { printf "%s", others }'
}

if [ "$1" = --mirrors ]; then
    configured_mirrors "$2" "$3"
    exit 0
fi

target=$1
[ ! -e "$target/usr/include/capstone/capstone.h" ] || exit 0
! pkg-config --atleast-version=5 capstone 2>/dev/null || exit 0
ID=
VERSION_ID=
VERSION_CODENAME=
# shellcheck source=/dev/null
[ ! -r /etc/os-release ] || . /etc/os-release
[ "$ID $VERSION_ID" = "debian 12" ] || exit 0

# Unpacking beside the target and renaming at the end: an interrupted run leaves nothing half done.
mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$(dirname "$target")/fetch.XXXXXX")
work=$(cd "$work" && pwd)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/unpacked"
: >"$work/status"
cat >"$work/apt.conf" <<END
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
architecture=$(dpkg --print-architecture)

# fetch URI KEYRING: both packages into the work folder.
fetch()
{
    options="arch=$architecture target=Packages"
    [ "$2" = - ] || options="$options signed-by=$2"
    echo "deb [$options] $1 $suite main" >"$work/sources.list"
    rm -f "$work"/*.deb
    # shellcheck disable=SC2086 # a list of words
    (cd "$work" && apt-get -q -c apt.conf -o APT::Update::Error-Mode=any update &&
        apt-get -q -c apt.conf download $packages) >>"$work/log" 2>&1 </dev/null
}

echo "fetching capstone 5 from Debian 13 into $target" >&2
configured_mirrors "$VERSION_CODENAME" /etc/apt >"$work/mirrors"
fetched=no
while [ $fetched = no ] && read -r uri keyring; do
    ! fetch "$uri" "$keyring" || fetched=yes
done <"$work/mirrors"
if [ $fetched = no ]; then
    [ ! -e "$work/log" ] || cat "$work/log" >&2
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
