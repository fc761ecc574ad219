# apt-isolated.sh, sourced by what fetches Debian packages: they come from the mirror that this machine's
# apt is configured with and are never installed. apt has state and cache of its own: the system's package
# lists stay as they are, and signatures are checked as always.

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

# fetch_from_mirrors WORK ARCHITECTURE SUITE COMMAND...: asks one configured mirror after the other for
# SUITE's lists, then runs COMMAND in the folder WORK (an absolute path), where isolated_apt is apt with
# those lists and packages for ARCHITECTURE. The first mirror with which COMMAND succeeds ends it; 1 when
# none did. What was printed is in WORK/log.
fetch_from_mirrors()
{
    isolated_work=$1
    isolated_architecture=$2
    isolated_suite=$3
    shift 3
    VERSION_CODENAME=
    # shellcheck source=/dev/null
    [ ! -r /etc/os-release ] || . /etc/os-release
    mkdir -p "$isolated_work/state/lists/partial" "$isolated_work/cache/archives/partial"
    : >"$isolated_work/status"
    : >"$isolated_work/log"
    cat >"$isolated_work/apt.conf" <<END
APT::Architecture "$isolated_architecture";
#clear APT::Architectures;
APT::Architectures { "$isolated_architecture"; };
Dir::State "$isolated_work/state";
Dir::State::status "$isolated_work/status";
Dir::Cache "$isolated_work/cache";
Dir::Log "$isolated_work";
Dir::Etc::sourcelist "$isolated_work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
APT::Sandbox::User "$(id -un)";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END
    configured_mirrors "$VERSION_CODENAME" /etc/apt >"$isolated_work/mirrors"
    while read -r isolated_uri isolated_keyring; do
        isolated_options="arch=$isolated_architecture target=Packages"
        [ "$isolated_keyring" = - ] || isolated_options="$isolated_options signed-by=$isolated_keyring"
        echo "deb [$isolated_options] $isolated_uri $isolated_suite main" >"$isolated_work/sources.list"
        if (cd "$isolated_work" && isolated_apt get -o APT::Update::Error-Mode=any update &&
            "$@") >>"$isolated_work/log" 2>&1 </dev/null; then
            return 0
        fi
    done <"$isolated_work/mirrors"
    return 1
}

# isolated_apt get|cache ARGUMENTS...: for COMMAND above.
isolated_apt()
{
    isolated_program=apt-$1
    shift
    "$isolated_program" -q -c "$isolated_work/apt.conf" "$@"
}
