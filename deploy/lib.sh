# Shared by the scripts of this folder, which source it: machines, and what is done with a program once it is built.
# shellcheck shell=bash

# Machines that there are files for, as `uname -m` has them (armv7: armv7l).
MACHINES=(x86_64 aarch64 armv7)
# A static file larger than this is not handed out by `deploy/release`.
export LARGEST=6000000

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# x86_64, aarch64 or armv7, from any of the names that these have.
machine() { # NAME
    case $1 in
        x86_64 | amd64 | x86_64-unknown-linux-*) echo x86_64 ;;
        aarch64 | arm64 | aarch64-unknown-linux-*) echo aarch64 ;;
        armv7 | armv7l | armhf | armv7-unknown-linux-*eabihf) echo armv7 ;;
        *) fail "no files for $1: --target is one of ${MACHINES[*]}" ;;
    esac
}

# `machine` and `more` from a script's arguments: --target MACHINE, this machine without it, and all the rest.
# shellcheck disable=SC2034 # the scripts read them
read_arguments() { # ARGUMENTS...
    machine=$(machine "$(uname -m)")
    more=()
    while [ $# -gt 0 ]; do
        case $1 in
            --target=*) machine=$(machine "${1#*=}") ;;
            --target)
                [ $# -gt 1 ] || fail "--target is one of ${MACHINES[*]}"
                machine=$(machine "$2")
                shift
                ;;
            *) more+=("$1") ;;
        esac
        shift
    done
}

# The compiler's name of a machine with a C library, gnu or musl.
triple() { # MACHINE LIBRARY
    case $1 in
        armv7) echo "armv7-unknown-linux-$2eabihf" ;;
        *) echo "$1-unknown-linux-$2" ;;
    esac
}

# Debian's name of a machine.
debian() { # MACHINE
    case $1 in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        armv7) echo armhf ;;
    esac
}

# What the GNU tools for a machine begin with.
prefix() { # MACHINE
    case $1 in
        armv7) echo arm-linux-gnueabihf ;;
        *) echo "$1-linux-gnu" ;;
    esac
}

# The machine that a file is for, by its ELF header: class at byte 4, machine at byte 18.
machine_of() { # FILE
    local bytes
    read -r -a bytes < <(od -An -v -tu1 -N20 -- "$1" | tr '\n' ' ')
    case ${bytes[*]:0:4}/${bytes[4]:-}-${bytes[18]:-}-${bytes[19]:-} in
        "127 69 76 70/2-62-0") echo x86_64 ;;
        "127 69 76 70/2-183-0") echo aarch64 ;;
        "127 69 76 70/1-40-0") echo armv7 ;;
        *) echo unknown ;;
    esac
}

# Ends the script unless a file is a program for this machine.
require_machine() { # FILE MACHINE
    local found
    found=$(machine_of "$1")
    [ "$found" = "$2" ] || fail "$1 is for machine $found, not $2: it is not handed out"
}

# Ends the script unless a program needs no other file to run.
require_static() { # FILE
    if LC_ALL=C grep -aqE '/(ld-linux|ld-musl)[-_a-z0-9.]*\.so' -- <(head -c 4096 -- "$1"); then
        fail "$1 is not static: it names a dynamic loader"
    fi
}

# The program to OUT, stripped, its line tables to OUT.debug, which debuggers and backtraces find beside it.
split_debug() { # OBJCOPY... -- BUILT OUT
    local objcopy=()
    while [ "$1" != -- ]; do objcopy+=("$1"); shift; done
    local built=$2 out=$3 new
    new=$(mktemp -d -- "${out%/*}/new.XXXXXX")
    # Under their last names: the link has the name of the tables and their checksum.
    local program=$new/${out##*/}
    if ! {
        "${objcopy[@]}" --only-keep-debug "$built" "$program.debug" &&
            "${objcopy[@]}" --strip-all "$built" "$program" &&
            "${objcopy[@]}" --add-gnu-debuglink="$program.debug" "$program"
    }; then
        rm -rf -- "$new"
        fail "${objcopy[*]} cannot strip $built"
    fi
    chmod 755 -- "$program"
    chmod 644 -- "$program.debug"
    mv -- "$program" "$program.debug" "${out%/*}"
    rmdir -- "$new"
}

# SHA256SUMS of all other files of a folder.
checksums() { # FOLDER
    (
        cd -- "$1" || exit
        rm -f SHA256SUMS
        sums=$(find . -maxdepth 1 -type f ! -name 'SHA256SUMS*' -printf '%f\n' | LC_ALL=C sort | xargs -d '\n' sha256sum)
        new=$(mktemp SHA256SUMS.XXXXXX)
        printf '%s\n' "$sums" >"$new"
        chmod 644 "$new"
        mv "$new" SHA256SUMS
    )
}

size_of() { # FILE
    stat -c %s -- "$1"
}
