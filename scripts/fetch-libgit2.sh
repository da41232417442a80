#!/bin/bash
# Builds the static libraries that sebring-toolbox-git links: libgit2 with OpenSSL and libssh2, position independent,
# without GSSAPI and NTLM. Both sources come vendored inside crates, fetched with cargo and checked against the sums
# below; nothing of the crates is compiled but the C sources, after libgit2.patch. Done once per version of this file and
# of the patch, then cached.
#
#   fetch-libgit2.sh            builds when the cache has it not; prints nothing when there is nothing to do
#   fetch-libgit2.sh --prefix   prints where the result lies (or would lie)
#
# SEBRING_CACHE   cache folder, /var/cache/sebring by default
set -euo pipefail

libgit2_crate=0.18.8
libgit2_version=1.9.7
libgit2_sha256=7f7c568b25d7489bc3fb2988ed69ab111d2944d2f5fec3d5c987fe545ea97b50
libssh2_crate=0.3.4
libssh2_sha256=fce5a0b125f6aeac93b304b35f7f1e9f054aad29ddac57091928e41df3ccd233

cache=${SEBRING_CACHE:-/var/cache/sebring}/libgit2
patch=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/libgit2.patch
recipe=$(cat "${BASH_SOURCE[0]}" "$patch" | sha256sum | cut -c1-12)
prefix=$cache/$libgit2_version-$recipe
downloads=$cache/downloads

die() {
  echo "fetch-libgit2: $*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need PACKAGE WANTED...: installs the package unless one of the commands or files is there.
need() {
  local package=$1 wanted
  shift
  for wanted in "$@"; do
    if command -v "$wanted" >/dev/null || [[ $wanted == /* && -r $wanted ]]; then return; fi
  done
  command -v apt-get >/dev/null || die "$package is missing; install it and run this again"
  echo "fetch-libgit2: installing $package" >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
    die "$package is missing and apt-get could not install it"
}

matches() {
  [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]
}

# take FILE SHA256: takes the crate from cargo's download folder into ours once its sum is right.
take() {
  local found
  found=$(find "$work/cargo/registry/cache" -name "$1" -print -quit)
  matches "$found" "$2" || die "$1 has another content than expected (SHA-256 $2)"
  cp "$found" "$downloads/$1.part"
  mv "$downloads/$1.part" "$downloads/$1"
}

download() {
  need ca-certificates /etc/ssl/certs/ca-certificates.crt
  need cargo-web cargo  # Debian 12's package `cargo` is too old for today's index format
  mkdir -p "$work/manifest" "$downloads"
  cat >"$work/manifest/Cargo.toml" <<END
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"
[lib]
path = "lib.rs"
[dependencies]
libgit2-sys = { version = "=$libgit2_crate", default-features = false }
libssh2-sys = { version = "=$libssh2_crate", default-features = false }
END
  : >"$work/manifest/lib.rs"
  CARGO_HOME=$work/cargo cargo fetch --quiet --manifest-path "$work/manifest/Cargo.toml" ||
    die "cargo could not fetch the sources"
  take "$git_file" "$libgit2_sha256"
  take "$ssh_file" "$libssh2_sha256"
}

# quietly LOG COMMAND...: the output is shown only when the command fails.
quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return
  tail -n 20 "$log" >&2
  die "failed: $*"
}

flags="-O2 -g1 -fPIC -fstack-protector-strong -fstack-clash-protection -ffunction-sections -fdata-sections"
flags="$flags -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
[ "$(uname -m)" != x86_64 ] || flags="$flags -fcf-protection"

# build NAME SOURCE OPTIONS...
build() {
  local name=$1 source=$2
  shift 2
  quietly "$work/$name.configure.log" cmake -G Ninja -S "$source" -B "$work/$name" -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_C_COMPILER="$compiler" -DCMAKE_C_FLAGS="$flags" -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DCMAKE_INSTALL_PREFIX="$staging" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_PREFIX_PATH="$staging" \
    -DBUILD_SHARED_LIBS=OFF -Wno-dev "$@"
  quietly "$work/$name.build.log" cmake --build "$work/$name" --target install
}

# The checksums of .crate files pin what is compiled; a folder left by an interrupted run is never used, because the
# result gets its name last.
build_all() {
  compiler=$(command -v clang-19 || command -v clang || command -v cc) || die "no C compiler"
  staging=$work/staging
  tar -xzf "$downloads/$ssh_file" -C "$work"
  tar -xzf "$downloads/$git_file" -C "$work"
  need patch patch
  quietly "$work/patch.log" patch -p1 -d "$work/libgit2-sys-$libgit2_crate+$libgit2_version/libgit2" -i "$patch"
  build ssh "$work/libssh2-sys-$libssh2_crate/libssh2" -DCRYPTO_BACKEND=OpenSSL -DENABLE_ZLIB_COMPRESSION=OFF \
    -DBUILD_STATIC_LIBS=ON -DBUILD_EXAMPLES=OFF -DBUILD_TESTING=OFF
  build git "$work/libgit2-sys-$libgit2_crate+$libgit2_version/libgit2" -DUSE_HTTPS=OpenSSL -DUSE_SSH=libssh2 \
    -DUSE_GSSAPI=OFF -DUSE_NTLMCLIENT=OFF -DUSE_HTTP_PARSER=builtin -DREGEX_BACKEND=pcre2 \
    -DBUILD_TESTS=OFF -DBUILD_CLI=OFF
  rm -rf "$staging/share" "$staging/lib/cmake" "$staging/lib/pkgconfig"  # they name the staging folder
  mkdir -p "$staging/share/licenses"
  cp "$work/libgit2-sys-$libgit2_crate+$libgit2_version/libgit2/COPYING" "$staging/share/licenses/libgit2"
  cp "$work/libssh2-sys-$libssh2_crate/libssh2/COPYING" "$staging/share/licenses/libssh2"
  mv -T "$staging" "$prefix"
}

if [ "${1:-}" = --prefix ]; then
  echo "$prefix"
  exit
fi
[ $# = 0 ] || die "unknown argument $1"
[ ! -e "$prefix/lib/libgit2.a" ] || exit 0

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ ! -e "$prefix/lib/libgit2.a" ] || exit 0
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
git_file=libgit2-sys-$libgit2_crate+$libgit2_version.crate
ssh_file=libssh2-sys-$libssh2_crate.crate
if ! matches "$downloads/$git_file" "$libgit2_sha256" || ! matches "$downloads/$ssh_file" "$libssh2_sha256"; then
  download
fi
build_all
