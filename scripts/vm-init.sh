#!/bin/bash
# First process of the virtual machine of scripts/test-vm.sh. Speaks in lines that begin with VM- and takes orders from
# the serial port.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
data=/var/lib/sebring
say() { echo "VM-$*"; }
end() {
  say "END: $*"
  sync
  sleep 1
  echo o >/proc/sysrq-trigger
  sleep 60
}

set_up() {
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mount -t devtmpfs dev /dev 2>/dev/null
  mkdir -p /dev/pts /dev/shm
  mount -t devpts devpts /dev/pts
  mount -t tmpfs -o mode=755 run /run
  mount -t tmpfs tmp /tmp
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  stty -F /dev/ttyS0 -echo
  local module interface
  # What udev would load for this hardware; everything else must come by itself or by the server.
  for module in virtio_net virtio_rng; do modprobe "$module" 2>/dev/null; done
  ip link set lo up
  interface=$(ls /sys/class/net | grep -v lo | head -n 1)
  ip link set "$interface" up
  ip address add 10.0.2.15/24 dev "$interface"
  echo "nameserver 10.0.2.3" >/etc/resolv.conf
  hostname vm
}

# What must be gone when no server runs: one line each.
traces() {
  ip -o link | grep -o ': sb[0-9]*' | sed 's/^/link/'
  nft list tables | grep sebring
  grep sebring /proc/self/mountinfo | grep -v ' /sebring ' # the disk with the programs
  find /sys/fs/cgroup -type d -name '*sebring*'
  losetup -a | grep sebring
  ps -eo comm | grep sebring
}

# In a mount namespace of its own: a machine without some programs and without modules to load.
lack() {
  local program
  for program in nft mkfs.btrfs modprobe; do mount --bind /dev/null /usr/sbin/$program; done
  mount -t tmpfs none /lib/modules
}
doctor() {
  ./sebring doctor --json --images /sebring/image --pool-size-gib 4 | tr -d '\n'
}

serve() {
  ./sebring up --data-dir $data --listen 0.0.0.0:3000 --images /sebring/image \
    --public-url "http://127.0.0.1:$PORT" --pool-size-gib 4 --slots 2 --patience "$PATIENCE" >/run/up.out 2>/run/up.err &
  up=$!
  until grep -q '^ready ' /run/up.out; do
    if ! kill -0 $up 2>/dev/null; then
      cat /run/up.out /run/up.err
      end "the server did not get ready"
    fi
    sleep 0.2
  done
  say "KEY: $(./sebring key create vm --json --data-dir $data | sed -n 's/.*"value": *"\([^"]*\)".*/\1/p')"
  say "SERVING"
}

take_orders() {
  local order
  while read -r order </dev/ttyS0; do
    case $order in
      server-log) tail -n 100 /run/up.out /run/up.err ;;
      stop) return ;;
    esac
  done
}

stop() {
  local code=0 left=
  kill -TERM $up
  wait $up || code=$?
  for _ in $(seq 100); do # links and groups go a moment after the last process
    left=$(traces)
    [[ -z $left ]] && break
    sleep 0.2
  done
  if [[ $code = 0 && -z $left ]]; then
    say "STOPPED: clean"
  else
    tail -n 50 /run/up.err
    say "STOPPED: exit code $code, left: ${left//$'\n'/; }"
  fi
}

root_tests() {
  local code=0
  ./root_test >/run/root_test.out 2>&1 || code=$?
  cat /run/root_test.out
  say "ROOT-TESTS: $code"
}

set_up
cd /sebring
. ./options
say "KERNEL: $(uname -r), $(stat -fc %T /sys/fs/cgroup)"
# Before anything has loaded a module.
say "POOR: $(unshare -m bash -c "$(declare -f lack doctor); lack; doctor")"
ip route add default via 10.0.2.2
ulimit -n 1048576 # as a service manager would
say "DOCTOR: $(doctor)"
serve
take_orders
stop
[[ $SHORT = 1 ]] || root_tests
complaints=$(dmesg | grep -E 'WARNING:|BUG:|Oops|blocked for more than')
if [[ -n $complaints ]]; then end "the kernel complained: ${complaints//$'\n'/; }"; fi
end ok
