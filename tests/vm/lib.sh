# Shared by the scripts of this folder, which source it: the guests, and where things are kept.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts read them

VM=$(realpath -m -- "${PTPPROXY_VM:-target/vm}")
HERE=$(uname -m)

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# NAME  MACHINE  SUITE  KERNEL PACKAGE  MEMORY (MB)  ROOT  KERNEL COMMAND LINE  ROUNDS
# Rounds are functions of guest/rounds. A kernel's version is its suite's newest. A root file system is in memory or on a disk.
# Of x86_64 not even the smallest of these kernels starts in 64 MB: it takes more to unpack itself.
GUESTS='
x86_64-5.10   x86_64  bullseye linux-image-amd64       512 memory -              lock,map,precise,rights,ring
x86_64-6.1    x86_64  bookworm linux-image-amd64       512 memory -              lock,map,precise,rights,ring
x86_64-6.12   x86_64  trixie   linux-image-amd64       512 memory -              lock,map,precise,rights,ring
x86_64-new    x86_64  sid      linux-image-amd64       512 memory -              lock,map,precise,rights,ring
aarch64-6.12  aarch64 trixie   linux-image-arm64       512 memory -              lock,map,precise,rights,ring
aarch64-16k   aarch64 trixie   linux-image-arm64-16k   512 memory -              lock,map,precise,rights,ring
armv7-6.12    armv7   trixie   linux-image-armmp       512 memory -              lock,map,precise,rights,year2040,ring
armv7-small   armv7   trixie   linux-image-armmp        64 disk   ipv6.disable=1 memory,lock
x86_64-small  x86_64  trixie   linux-image-cloud-amd64  96 disk   ipv6.disable=1 memory,lock
cards         x86_64  bookworm linux-image-amd64       512 memory -              shared,two,two_precise,one16
cards-slow    x86_64  bookworm linux-image-amd64       512 memory -              one64,late,lost
cards-faulty  x86_64  bookworm linux-image-amd64       512 memory -              never,deaf,busy,untagged,no_software,late_done
cards-kept    x86_64  bookworm linux-image-amd64       512 memory -              switched,reset,remade,alone
cards-above   x86_64  bookworm linux-image-amd64       512 memory -              vlan,macvlan,bond
cards-lock    x86_64  bookworm linux-image-amd64       512 memory -              lock_shared,lock_two
cards-real    x86_64  bookworm linux-image-amd64       768 memory -              real,real_auto
drivers       x86_64  trixie   linux-image-amd64       768 memory -              drivers
'

# The fields of a guest into variables.
guest() { # NAME
    read -r name machine suite package memory root line rounds < <(awk -v name="$1" '$1 == name' <<<"$GUESTS")
    [ -n "$name" ] || fail "no guest $1; there are: $(awk 'NF { printf "%s ", $1 }' <<<"$GUESTS")"
    [ "$line" != - ] || line=
    line=${line//,/ }
    rounds=${PTPPROXY_VM_ROUNDS:-$rounds}
    # The package is tried where there is one.
    case $name in
        drivers | cards* | *-small) ;;
        *) if [ -z "${PTPPROXY_VM_ROUNDS:-}" ] && [ -n "${PTPPROXY_VM_FILES:-}" ]; then rounds+=,package; fi ;;
    esac
}

# Debian's name of a machine.
debian() { # MACHINE
    case $1 in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        armv7) echo armhf ;;
        *) fail "no guests of machine $1" ;;
    esac
}

# Debian's packages for MACHINE, as of these lists: this machine's own lists and packages are not touched. The lists are parsed once:
# images of containers switch that off.
apt() { # MACHINE PROGRAM ARGUMENTS...
    local architecture program=$2
    architecture=$(debian "$1")
    shift 2
    mkdir -p "$VM/apt/cache/$architecture/archives/partial"
    "$program" -qq -o Dir::Etc::sourcelist="$VM/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::Lists="$VM/apt/lists" -o Dir::State::status="$VM/apt/status" -o Dir::Cache="$VM/apt/cache/$architecture" \
        -o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin \
        -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" -o APT::Sandbox::User="$(id -un)" \
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o DPkg::Lock::Timeout=600 "$@"
}
