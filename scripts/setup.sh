# shellcheck shell=sh disable=SC2154,SC2086
# What ./run, ./test and .ci/run share: install what is missing, configure, build. Sourced with
# `root` set to the top of the tree. Everything here talks on stderr, stdout belongs to the caller's
# program, and nothing here costs noticeable time once it has been done. Package lists are split
# on purpose.

build_packages="gcc libc6-dev cmake ninja-build pkg-config libedit-dev zlib1g-dev libcriterion-dev
    libuv1-dev libslirp-dev libfdt-dev libelf-dev libdw-dev libxxhash-dev libjansson-dev
    gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
# The demo is a conversation with gdb about a guest; the rest are what -bios and -kernel default to.
run_packages="opensbi u-boot-qemu gdb-multiarch"
test_packages="python3 clang libclang-rt-dev clang-format e2fsprogs"

say()
{
    printf '%s\n' "$*" >&2
}

die()
{
    say "$*"
    exit 2
}

# missing_packages NAMES...: those of them that are not installed.
missing_packages()
{
    dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        awk -v wanted="$*" '
            $1 == "installed" { have[$2] = 1 }
            END {
                count = split(wanted, names)
                for (i = 1; i <= count; i++)
                    if (!(names[i] in have))
                        print names[i]
            }'
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Debian 13 moved QEMU's RISC-V system emulator from qemu-system-misc to a package of its own.
qemu_package()
{
    if apt-cache show qemu-system-riscv >/dev/null 2>&1; then
        echo qemu-system-riscv
    else
        echo qemu-system-misc
    fi
}

# The LLDB that the tests are written for, or what the release has.
lldb_package()
{
    if apt-cache show lldb-19 >/dev/null 2>&1; then
        echo lldb-19
    else
        echo lldb
    fi
}

# Where the release has capstone 5 its package is as good as any; Debian 12's is too old to help.
capstone_package()
{
    [ ! -e "$root/build/deps/capstone" ] || return 0
    # shellcheck source=/dev/null
    (. /etc/os-release && [ "$ID $VERSION_ID" = "debian 12" ]) 2>/dev/null || echo libcapstone-dev
}

# install_packages run|test: sets `installed` to yes when something had to be installed.
# Systems without dpkg are left to their owner: CMake names what it does not find.
install_packages()
{
    installed=no
    command -v dpkg-query >/dev/null || return 0
    wanted="$build_packages $run_packages $(capstone_package)"
    want_qemu=no
    want_lldb=no
    if [ "$1" = test ]; then
        wanted="$wanted $test_packages"
        command -v qemu-system-riscv64 >/dev/null || want_qemu=yes
        command -v lldb-19 >/dev/null || command -v lldb >/dev/null || want_lldb=yes
    fi
    missing=$(missing_packages $wanted)
    [ -n "$missing" ] || [ $want_qemu = yes ] || [ $want_lldb = yes ] || return 0

    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        [ $want_qemu = no ] || missing="$missing $(qemu_package)"
        [ $want_lldb = no ] || missing="$missing $(lldb_package)"
        die "these packages are missing and there is no sudo to install them with:" $missing
    fi
    say "installing what is missing:" $missing "$([ $want_qemu = no ] || echo qemu-system-riscv64)" \
        "$([ $want_lldb = no ] || echo lldb)"
    log=$(mktemp) || exit 2
    if ! as_root apt-get -q update >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        say "apt-get update failed; going on with the package lists at hand"
    fi
    [ $want_qemu = no ] || missing="$missing $(qemu_package)"
    [ $want_lldb = no ] || missing="$missing $(lldb_package)"
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install \
        $missing >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        die "apt-get could not install:" $missing
    fi
    rm -f "$log"
    installed=yes
}

# configure PRESET [cmake arguments]: always runs CMake.
configure()
{
    (cd "$root" && cmake --preset "$@" --log-level=WARNING) >/dev/null || die "configuring failed"
}

# build PRESET DIR [targets]: configures only where that was never done or packages came in since.
build()
{
    preset=$1
    dir=$2
    shift 2
    if [ "$installed" = yes ] || [ ! -f "$root/$dir/build.ninja" ]; then
        configure "$preset"
    fi
    # Ninja's --quiet still tells of an idle build and of CMake's own lines. A pipe would hide its
    # exit status, which therefore takes descriptor 3.
    status=$({
        { ninja -C "$root/$dir" --quiet "$@" 2>&1 3>&-; echo $? >&3; } |
            sed -u -e '/^ninja: no work to do/d' -e '/^ninja: Entering directory/d' \
                -e '/^\[0\/1\] Re-running CMake/d' -e '/^-- /d' >&2
    } 3>&1)
    [ "$status" = 0 ] || die "building failed"
}

# prepare run|test: packages and libraries.
prepare()
{
    install_packages "$1"
    "$root/scripts/fetch-capstone.sh" "$root/build/deps/capstone" || exit 2
}
