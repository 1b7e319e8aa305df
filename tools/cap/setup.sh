#!/bin/sh
# Installs what building and running needs and this machine lacks: Debian packages and parts of the Rust toolchain. Says what it
# installs and is silent when nothing is missing. With --tests also what only the tests use; those may be impossible to install,
# and the gate then skips them with that reason. With --cue also what evaluates system.cue: `cap` asks for it when that was changed or
# has an overlay, so that nobody waits for it who only runs what is there. With --gdb also the debugger.
set -eu

tests=no
cue=no
gdb=no
case "${1:-}" in
    --tests) tests=yes ;;
    --cue) cue=yes ;;
    --gdb) gdb=yes ;;
esac
cd "$(dirname "$0")/../.."

say() { printf 'setup: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# apt with its lock waited for, and once more after a refresh of its lists: on a fresh machine there are none.
apt_install() {
    say "installing packages: $*"
    options='-y -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0'
    # shellcheck disable=SC2086
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install $options --no-install-recommends "$@" >/dev/null 2>&1; then
        as_root apt-get update -qq -o DPkg::Lock::Timeout=300
        # shellcheck disable=SC2086
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install $options --no-install-recommends "$@" >/dev/null
    fi
}

# A package is missing if the file that we use of it is.
packages=
need() { [ -e "$1" ] || command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }

need cc gcc
need /usr/include/stdio.h libc6-dev
need git git
need qemu-system-x86_64 qemu-system-x86
need /usr/share/ovmf/OVMF.fd ovmf
need grub-mkimage grub-common
need /usr/lib/grub/i386-pc/kernel.img grub-pc-bin
need /usr/lib/grub/x86_64-efi/kernel.img grub-efi-amd64-bin
need mformat mtools
need xorriso xorriso
need capnp capnproto
[ "$tests" = no ] || need c++ g++
[ "$tests" = no ] || need /usr/sbin/sgdisk gdisk
[ "$tests" = no ] || need /usr/sbin/sfdisk fdisk
[ "$tests" = no ] || need /usr/sbin/mkfs.fat dosfstools
[ "$tests" = no ] || need chromium chromium
[ "$tests" = no ] || need /usr/sbin/dnsmasq dnsmasq-base
[ "$tests" = no ] || need tcpdump tcpdump
[ "$tests" = no ] || need ip iproute2
[ "$tests" = no ] || need ping iputils-ping
[ "$tests" = no ] || need nc netcat-openbsd
[ "$tests" = no ] || need curl curl
[ "$tests$gdb" = nono ] || need gdb gdb
if [ "$cue" = yes ] && ! command -v cue >/dev/null 2>&1; then
    need node nodejs
    need npm npm
fi

if [ -n "$packages" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        say "missing, and this system has no apt-get to install them with:$packages"
        exit 1
    fi
    # shellcheck disable=SC2086
    apt_install $packages
fi

if ! command -v cargo >/dev/null 2>&1; then
    say "cargo is missing: install Rust with rustup (https://rustup.rs), then run this again"
    exit 1
fi

# The toolchain with its target and components, all as in rust-toolchain.toml.
field() { sed -n "s/^$1 = \[\(.*\)\]/\1/p" rust-toolchain.toml | tr -d '",'; }

if command -v rustup >/dev/null 2>&1; then
    installed=$(rustup component list --installed 2>/dev/null || true)
    missing=
    for component in $(field components); do
        case "$installed" in *"$component"*) ;; *) missing="$missing $component" ;; esac
    done
    for target in $(field targets); do
        case "$installed" in *"rust-std-$target"*) ;; *) missing="$missing $target" ;; esac
    done
    if [ -n "$missing" ]; then
        say "installing for Rust:$missing"
        # Older versions of rustup install a missing toolchain when asked for it, newer ones on this command.
        rustup toolchain install --no-self-update >/dev/null 2>&1 || rustup show active-toolchain >/dev/null
        # shellcheck disable=SC2046
        rustup component add $(field components) >/dev/null 2>&1
        # shellcheck disable=SC2046
        rustup target add $(field targets) >/dev/null 2>&1
    fi
fi

[ "$tests" = yes ] || exit 0

if command -v rustup >/dev/null 2>&1 && ! cargo +nightly miri --version >/dev/null 2>&1; then
    say "installing nightly Rust with Miri (tests only)"
    rustup toolchain install nightly --profile minimal --component miri --component rust-src --no-self-update >/dev/null 2>&1 \
        || say "nightly Rust with Miri cannot be installed here; the gate skips what needs it"
fi
