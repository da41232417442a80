#!/usr/bin/env bash
# Boots Debian's stock kernel (6.1) with cgroup v2 only in a virtual machine under software emulation, runs the root
# tests and a server in it, and one story of the official Python SDK against that server from outside.
#   scripts/test-vm.sh [--short] [--keep]     --short: the root tests marked short, the story; --keep: leave the images
set -euo pipefail
cd "$(dirname "$0")/.."
short=0
keep=0
for argument in "$@"; do
  case "$argument" in
    --short) short=1 ;;
    --keep) keep=1 ;;
    *) echo "usage: scripts/test-vm.sh [--short] [--keep]" >&2; exit 2 ;;
  esac
done
cache=${SEBRING_CACHE:-/var/cache/sebring}/vm
mkdir -p "$cache"
work=$(mktemp -d /tmp/sebring-vm.XXXXXX)
qemu_pid=
cleanup() {
  if [ -n "$qemu_pid" ]; then kill "$qemu_pid" 2>/dev/null || true; wait "$qemu_pid" 2>/dev/null || true; fi
  [ "$keep" = 1 ] || rm -rf "$work"
}
trap cleanup EXIT
say() { printf '[%4ds] %s\n' "$SECONDS" "$*"; }

kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/{print $2; exit}')
version=${kernel#linux-image-}
if [ ! -d "$cache/$version/lib/modules" ]; then
  say "fetching $kernel"
  rm -rf "$cache/$version.part" && mkdir -p "$cache/$version.part"
  (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$kernel" >/dev/null && dpkg-deb -x ./*.deb "$cache/$version.part" && rm -f ./*.deb)
  depmod -b "$cache/$version.part" "$version"
  mv "$cache/$version.part" "$cache/$version"
fi
modules="$cache/$version/lib/modules/$version"

# The guest's root: a small Debian with what the server needs, as an ext4 image made without mounting anything.
packages=btrfs-progs,nftables,iproute2,e2fsprogs,zstd,kmod,procps,curl,python3-minimal,libpython3-stdlib,libseccomp2,libsqlite3-0,libarchive13,libcurl4,libmnl0,libnftnl11,libssl3,libssh-4,libfmt9,libspdlog1.10,libstdc++6,util-linux,mount,login,passwd,ca-certificates
base="$cache/base-$(echo "$packages $version 2" | sha256sum | cut -c1-16)"
if [ ! -f "$base.tar" ]; then
  say "bootstrapping the guest's root"
  mmdebstrap --quiet --variant=minbase --include="$packages" bookworm "$base.part.tar"
  mv "$base.part.tar" "$base.tar"
fi
say "making the disk"
mkdir -p "$work/root" && tar -xf "$base.tar" -C "$work/root" --exclude='./dev/*'
mkdir -p "$work/root/lib/modules" "$work/root/sebring"
cp -a "$modules" "$work/root/lib/modules/"
for file in sebring sebring-toolbox sebring-toolbox-git root_test; do
  [ ! -f "build/$file" ] || { cp "build/$file" "$work/root/sebring/"; strip "$work/root/sebring/$file"; }
done
image_name=tiny
snapshots/build tiny "$work/root/sebring/image" >/dev/null
cp scripts/vm-init.sh "$work/root/sebring/init"
chmod 755 "$work/root/sebring/init"
echo "SHORT=$short IMAGE=$image_name" >"$work/root/sebring/options"
mke2fs -q -t ext4 -d "$work/root" -L root "$work/root.img" 12G

# An initramfs with busybox and the few modules that reach the disk.
say "making the initramfs"
mkdir -p "$work/initramfs/bin" "$work/initramfs/modules" "$work/initramfs/root" "$work/initramfs/proc" "$work/initramfs/dev"
cp /bin/busybox "$work/initramfs/bin/"
order=()
for module in virtio_pci virtio_blk crc32c_generic ext4; do
  while read -r _ path; do
    name=$(basename "$path")
    [ -f "$work/initramfs/modules/$name" ] || { cp "$cache/$version/$path" "$work/initramfs/modules/$name" && order+=("$name"); }
  done < <(modprobe -d "$cache/$version" -S "$version" --show-depends "$module" 2>/dev/null | sed "s#$cache/$version/##" | grep '^insmod')
done
{
  echo '#!/bin/busybox sh'
  echo '/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t devtmpfs dev /dev'
  for name in "${order[@]}"; do echo "/bin/busybox insmod /modules/$name"; done
  echo 'n=0; until [ -b /dev/vda ] || [ $n -gt 100 ]; do n=$((n+1)); /bin/busybox sleep 0.1; done'
  echo '/bin/busybox mount -t ext4 -o noatime,nobarrier /dev/vda /root && exec /bin/busybox switch_root /root /sebring/init'
  echo 'echo VM-RESULT: no root; /bin/busybox poweroff -f'
} >"$work/initramfs/init"
chmod 755 "$work/initramfs/init"
(cd "$work/initramfs" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs.gz"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
say "booting $version"
qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 -nographic -no-reboot \
  -kernel "$cache/$version/boot/vmlinuz-$version" -initrd "$work/initramfs.gz" \
  -append "console=ttyS0 quiet panic=-1 systemd.unified_cgroup_hierarchy=1 mitigations=off" \
  -drive file="$work/root.img",format=raw,if=virtio,cache=unsafe \
  -netdev user,id=net0,hostfwd=tcp:127.0.0.1:"$port"-:3000 -device virtio-net-pci,netdev=net0 \
  </dev/null >"$work/console" 2>&1 &
qemu_pid=$!

wait_for() {  # PATTERN SECONDS
  local end=$((SECONDS + $2))
  while ! grep -qa "$1" "$work/console"; do
    if [ $SECONDS -ge $end ] || ! kill -0 "$qemu_pid" 2>/dev/null || grep -qa 'VM-RESULT: failed' "$work/console"; then
      sed 's/^/  vm: /' "$work/console" | tail -n 80
      echo "FAILED: no '$1' from the machine"
      exit 1
    fi
    sleep 0.5
  done
}
wait_for 'VM-SERVING' 900
key=$(grep -ao 'VM-KEY: [^[:cntrl:]]*' "$work/console" | tail -n 1 | cut -d' ' -f2)
grep -a 'VM-' "$work/console" | sed 's/^/  vm: /'
say "one story of the official Python SDK"
env_path=$(tests/integration/env/create python-newest | tail -n 1)
SEBRING_URL="http://127.0.0.1:$port" SEBRING_KEY="$key" "$env_path/bin/python" tests/integration/stories/short_story.py
curl -s -m 5 "http://127.0.0.1:$port/api/health" >/dev/null
wait_for 'VM-RESULT: ok' 1800
sed 's/^/  vm: /' "$work/console" | grep -aE 'test cases|VM-|SKIP' | tail -n 20
say "done"
echo "2 passed, 0 failed"
