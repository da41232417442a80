#!/usr/bin/env bash
# Makes the parts of scripts/test-vm.sh that no change of this project alters: Debian's stock kernel, an initramfs that
# reaches the disk, and a small Debian as a disk image. Once per kernel version and version of this file, then cached in
# ${SEBRING_CACHE:-/var/cache/sebring}/vm. Prints the folder with vmlinuz, initrd.gz, root.img. Needs root.
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
umask 022
suite=bookworm
# What a machine for sebring has, and nothing that builds or tests it.
packages=btrfs-progs,nftables,iproute2,kmod,procps,util-linux,mount,passwd,ca-certificates,libseccomp2,libsqlite3-0,libssl3,libssh-4,libnghttp2-14,libstdc++6,libzstd1
# What the initramfs loads before there is a root to load more from.
early_modules=(virtio_pci virtio_blk crc32c_generic ext4)
cache=${SEBRING_CACHE:-/var/cache/sebring}/vm

die() { echo "vm-image: $*" >&2; exit 1; }
step() { printf 'vm-image: [%4ds] %s\n' "$SECONDS" "$*" >&2; }

kernel_package() { apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends: linux-image/{print $2; exit}'; }

fetch_kernel() {
  mkdir -p "$work/kernel" "$work/deb"
  chmod 755 "$work" "$work/deb"
  (cd "$work/deb" && { apt-get -q -o APT::Sandbox::User=root download "$kernel" ||
    { apt-get -q update && apt-get -q -o APT::Sandbox::User=root download "$kernel"; }; }) >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; die "$kernel could not be fetched"; }
  dpkg-deb -x "$work"/deb/*.deb "$work/kernel"
  depmod -b "$work/kernel" "$version"
  cp "$work/kernel/boot/vmlinuz-$version" "$work/out/vmlinuz"
}

make_initramfs() {
  local root=$work/initramfs module path name
  local order=()
  mkdir -p "$root"/{bin,modules,root,proc,dev}
  cp /bin/busybox "$root/bin/"
  for module in "${early_modules[@]}"; do
    while read -r path; do
      name=$(basename "$path")
      if [[ ! -f $root/modules/$name ]]; then
        cp "$path" "$root/modules/"
        order+=("$name")
      fi
    done < <(modprobe -d "$work/kernel" -S "$version" --show-depends "$module" | awk '$1 == "insmod" {print $2}')
  done
  {
    echo '#!/bin/busybox sh'
    echo '/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t devtmpfs dev /dev'
    for name in "${order[@]}"; do echo "/bin/busybox insmod /modules/$name"; done
    echo 'n=0; until [ -b /dev/vda ] && [ -b /dev/vdb ] || [ $n -gt 300 ]; do n=$((n+1)); /bin/busybox sleep 0.1; done'
    echo '/bin/busybox mount -t ext4 -o noatime,nobarrier /dev/vda /root && /bin/busybox mount -t ext4 -o ro /dev/vdb /root/sebring &&'
    echo '  exec /bin/busybox switch_root /root /sebring/init'
    echo 'echo VM-END: no root; /bin/busybox poweroff -f'
  } >"$root/init"
  chmod 755 "$root/init"
  (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/out/initrd.gz"
}

# The mirrors of this machine, and its way to them; Debian's own where it has none.
mirrors() {
  apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$suite" '$1 ~ "^" suite "(-updates|-security)?$" && $2 == "main" && $3 == "Debian" && !seen[$1]++ {
      print "deb", $4, $1, $2 }' | grep . || echo "deb http://deb.debian.org/debian $suite main"
}

make_root() {
  local options=(--quiet --format=tar --variant=minbase --architectures=amd64 --include="$packages" --skip=output/dev)
  local line
  while IFS= read -r line; do options+=(--aptopt="$line"); done < <(
    apt-config dump 2>/dev/null | grep -E '^Acquire::((http|https|ftp)(::|-|Proxy)|Check-(Valid-Until|Date) |Retries )')
  mkdir -p "$work/tmp" "$work/root"
  # A mount namespace of its own, since mmdebstrap leaves its mounts behind when it is killed.
  mirrors | TMPDIR=$work/tmp unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
    mmdebstrap "${options[@]}" "$suite" "$work/root.tar" - >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; die "the root could not be made"; }
  tar -xf "$work/root.tar" -C "$work/root"
  rm -rf "$work/root/usr/share/"{doc,man,locale} "$work/root/var/cache/apt"
  mkdir -p "$work/root/"{dev,sebring} "$work/root/lib/modules"
  cp -a "$work/kernel/lib/modules/$version" "$work/root/lib/modules/"
  mke2fs -q -t ext4 -d "$work/root" -L root "$work/out/root.img" 12G >&2
}

[[ $(id -u) = 0 ]] || die "must run as root"
kernel=$(kernel_package)
if [[ -z $kernel ]]; then
  apt-get -q update >/dev/null
  kernel=$(kernel_package)
fi
[[ -n $kernel ]] || die "apt knows no linux-image-amd64"
version=${kernel#linux-image-}
result=$cache/$version-$(sha256sum <"${BASH_SOURCE[0]}" | cut -c1-12)

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [[ ! -f $result/root.img ]]; then
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/out"
  step "fetching $kernel"
  fetch_kernel
  make_initramfs
  step "making a small Debian"
  make_root
  mv -T "$work/out" "$result"
  step "done"
fi
echo "$result"
