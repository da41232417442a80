#!/usr/bin/env bash
# Boots Debian 12's stock kernel (6.1) with cgroup v2 only in a virtual machine under software emulation, and in it:
# `sebring doctor`, a server, one story of the official Python SDK from outside against it, its end without traces, and
# the root tests. build/ must be finished. The guest's half is scripts/vm-init.sh, its disk scripts/vm-image.sh.
#   scripts/test-vm.sh [--short] [--keep]     --short: without the root tests; --keep: leave the working folder
# SEBRING_VM_ACCEL     tcg (default) or kvm
# SEBRING_VM_PATIENCE  factor on how long this script waits for the guest, 1 by default
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
build=${SEBRING_BUILD:-build}
patience=${SEBRING_VM_PATIENCE:-1}
work=$(mktemp -d /tmp/sebring-vm.XXXXXX)
console=$work/console
qemu_pid=
passed=0
cleanup() {
  if [[ -n $qemu_pid ]]; then
    kill "$qemu_pid" 2>/dev/null || true
    wait "$qemu_pid" 2>/dev/null || true
  fi
  if [[ $keep = 1 ]]; then echo "kept: $work"; else rm -rf "$work"; fi
}
touch "$console"
trap cleanup EXIT
trap 'exit 130' INT TERM
say() { printf '[%4ds] %s\n' "$SECONDS" "$*"; }
passed() {
  passed=$((passed + 1))
  say "ok: $*"
}
fail() {
  tr -d '\r' <"$console" 2>/dev/null | tail -n "${console_lines:-100}" | sed 's/^/  vm: /'
  say "FAILED: $*"
  echo "$passed passed, 1 failed"
  exit 1
}

make_programs_disk() {
  local programs=$work/programs file
  mkdir "$programs"
  for file in sebring sebring-toolbox sebring-toolbox-git root_test root_probe test_toolbox test_runner; do
    [[ $short = 1 && $file == *_* ]] || strip -o "$programs/$file" "$build/$file"
  done
  snapshots/build tiny "$programs/image" >"$work/snapshot.log" 2>&1 || { cat "$work/snapshot.log"; exit 1; }
  cp scripts/vm-init.sh "$programs/init"
  chmod 755 "$programs/init"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf 'SHORT=%s\nPATIENCE=%s\nPORT=%s\n' "$short" "$((patience * 20))" "$port" >"$programs/options"
  mke2fs -q -t ext4 -d "$programs" "$work/programs.img" 256M >&2
}

# The guest's console is its answer, a line into its serial port our order.
boot() {
  local image=$1 append="console=ttyS0 quiet panic=-1 mitigations=off no_timer_check random.trust_cpu=on"
  mkfifo "$work/orders"
  exec 8<>"$work/orders"
  TMPDIR=$work qemu-system-x86_64 -machine q35 -accel "${SEBRING_VM_ACCEL:-tcg}" -cpu max -smp 2 -m 3072 \
    -display none -monitor none -no-reboot -nodefaults -chardev stdio,id=console,signal=off -serial chardev:console \
    -kernel "$image/vmlinuz" -initrd "$image/initrd.gz" -append "$append" \
    -drive file="$image/root.img",format=raw,if=virtio,cache=unsafe,snapshot=on \
    -drive file="$work/programs.img",format=raw,if=virtio,readonly=on \
    -netdev user,id=net0,hostfwd=tcp:127.0.0.1:"$port"-:3000 -device virtio-net-pci,netdev=net0,romfile= \
    -device virtio-rng-pci <&8 >"$console" 2>&1 &
  qemu_pid=$!
}

# A line that begins with VM-$1, for at most $2 seconds.
wait_for() {
  local end=$((SECONDS + $2 * patience))
  until grep -qa "^VM-$1" "$console"; do
    if grep -qa '^VM-END' "$console"; then fail "the guest ended without '$1'"; fi
    kill -0 "$qemu_pid" 2>/dev/null || fail "the machine went off without '$1'"
    [[ $SECONDS -lt $end ]] || fail "no '$1' within its time"
    sleep 0.2
  done
}
said() { tr -d '\r' <"$console" | sed -n "s/^VM-$1: //p" | tail -n 1; }

story() {
  SEBRING_URL="http://127.0.0.1:$port" SEBRING_KEY="$(said KEY)" "$python" -W ignore \
    tests/integration/stories/short_story.py >"$work/story" 2>&1
}

say "preparing"
image=$(scripts/vm-image.sh)
python=$(tests/integration/env/create python-newest | tail -n 1)/bin/python
make_programs_disk
say "booting"
boot "$image"
wait_for KERNEL 300
passed "booted $(said KERNEL)"
wait_for DOCTOR 120
for machine in POOR DOCTOR; do
  said "$machine" | python3 scripts/vm-doctor-check.py "$machine" || fail "sebring doctor said something else about this machine"
done
passed "sebring doctor knows this machine"
wait_for SERVING 600
passed "the server serves"
story || { tail -n 40 "$work/story"; console_lines=200; echo "server-log" >&8; sleep 5; fail "the story of the official Python SDK"; }
passed "the story of the official Python SDK"
echo "stop" >&8
wait_for STOPPED 120
[[ $(said STOPPED) = clean ]] || fail "the server did not end cleanly"
passed "the server ended without traces"
if [[ $short = 0 ]]; then
  wait_for ROOT-TESTS 1800
  tr -d '\r' <"$console" | grep -a '^\[doctest\]' | sed 's/^/  vm: /' || true
  [[ $(said ROOT-TESTS) = 0 ]] || { console_lines=300; fail "the root tests"; }
  passed "the root tests"
fi
wait_for END 60
[[ $(said END) = ok ]] || fail "the guest: $(said END)"
say "done"
echo "$passed passed, 0 failed"
