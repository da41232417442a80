#!/bin/bash
# install-packages.sh GROUP...: installs the Debian 12 packages that the groups need and that are missing, and says
# nothing when there are none. Services that come with them are not started.
#   build    compiler, tools and libraries to build sebring
#   run      what a running sebring calls
#   test     registries, servers and languages of the integration tests
#   bench    the runtimes that benchmarks compare with
#   vm       QEMU and what makes disks for it, for scripts/test-vm.sh
#   browser  Chromium, for the tests of what people see
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

group_packages() {
    case $1 in
    build)
        echo clang-19 lld-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev ccache ninja-build cmake pkg-config
        echo libboost1.81-dev libssl-dev libseccomp-dev libsqlite3-dev libspdlog-dev libfmt-dev libcli11-dev
        echo libarchive-dev libzstd-dev libssh-dev libssh2-1-dev libcurl4-openssl-dev libmnl-dev libnftnl-dev
        echo doctest-dev zlib1g-dev libpcre2-dev libnghttp2-dev libjemalloc-dev
        ;;
    run)
        echo mmdebstrap btrfs-progs nftables iproute2 e2fsprogs zstd python3
        # Names under localhost, as previews have, for programs that ask the C library.
        echo libnss-myhostname
        ;;
    test)
        echo python3 python3-venv docker-registry skopeo umoci openssh-client openssh-server rsync nginx git strace curl procps
        echo busybox-static musl-tools gcc zsh openssl nghttp2-client
        # Languages often come from elsewhere, newer than Debian's.
        if ! has_command node || ! has_command npm; then echo nodejs npm; fi
        ;;
    bench) echo crun runc bubblewrap caddy ;;
    vm) echo qemu-system-x86 mmdebstrap busybox-static kmod cpio e2fsprogs binutils curl python3 ;;
    browser) echo chromium ;;
    *) fail "unknown group '$1', see the head of $0" ;;
    esac
}

fail() { echo "install-packages: $*" >&2; exit 1; }
has_command() { command -v "$1" >/dev/null; }
as_root() { if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi; }

missing_of() { # PACKAGE...: one per line
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' || true)
    printf '%s\n' "$@" | sort -u | grep -vxF -f <(echo "$installed") || true
}

# Maintainer scripts ask this program whether they may start a service; 101 is no. One that was there before comes
# back at the end, or, when that end never came, at the beginning of the next run.
policy=/usr/sbin/policy-rc.d
saved=$policy.before-sebring
restore_policy() {
    if as_root test -e "$saved" || as_root test -L "$saved"; then
        as_root mv -f "$saved" "$policy"
    elif as_root grep -qs 'sebring: no services' "$policy"; then
        as_root rm -f "$policy"
    fi
}
forbid_services() {
    restore_policy
    trap restore_policy EXIT
    trap 'exit 130' INT TERM HUP
    if [[ -e $policy || -L $policy ]]; then as_root mv "$policy" "$saved"; fi
    printf '#!/bin/sh\n# sebring: no services during an installation\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -q -o Dpkg::Use-Pty=0 \
        -o DPkg::Lock::Timeout=300 "$@"
}
have_candidates() { # PACKAGE...
    local package
    for package in "$@"; do
        apt-cache policy "$package" 2>/dev/null | grep -q '^  Candidate: [^(]' || return 1
    done
}
install_all() { # PACKAGE...
    local updated=
    have_candidates "$@" || { apt update; updated=1; }
    apt install --no-install-recommends "$@" && return
    # The lists may be older than the archive.
    [[ -z $updated ]] || return 1
    apt update
    apt install --no-install-recommends "$@"
}

main() {
    [[ $# -gt 0 ]] || fail "which group? see the head of $0"
    local group wanted missing
    wanted=$(for group in "$@"; do group_packages "$group"; done) || exit 1
    # shellcheck disable=SC2086
    missing=$(missing_of $wanted)
    [[ -n $missing ]] || return 0
    grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release ||
        fail "this is not Debian 12; it needs what corresponds to:" $missing
    # One at a time, or two runs would exchange each other's policy.
    exec 9</usr/sbin
    flock 9
    # shellcheck disable=SC2086
    missing=$(missing_of $missing)
    [[ -n $missing ]] || return 0
    echo "installing:" $missing
    forbid_services
    # shellcheck disable=SC2086
    install_all $missing
}

main "$@"
