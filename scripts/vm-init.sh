#!/bin/bash
# First process of the virtual machine of scripts/test-vm.sh.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "+cpu +memory +pids +io +cpuset" >/sys/fs/cgroup/cgroup.subtree_control
. /sebring/options
for module in btrfs loop overlay veth nf_tables nft_ct nft_masq nft_chain_nat nft_reject_inet virtio_net; do modprobe "$module" 2>/dev/null; done
ip link set lo up
interface=$(ls /sys/class/net | grep -v lo | head -n 1)
ip link set "$interface" up
ip address add 10.0.2.15/24 dev "$interface"
ip route add default via 10.0.2.2
echo "nameserver 10.0.2.3" >/etc/resolv.conf
hostname vm
result=ok
finish() {
  echo "VM-RESULT: $result"
  sync
  sleep 1
  echo o >/proc/sysrq-trigger
  sleep 60
}
echo "VM-KERNEL: $(uname -r), $(stat -fc %T /sys/fs/cgroup)"
cd /sebring
./sebring doctor || true
./sebring up --data-dir /var/lib/sebring --listen 0.0.0.0:3000 --images /sebring/image --default-snapshot "$IMAGE" \
  --pool-size-gib 4 --slots 2 >/run/up.out 2>/run/up.err &
up=$!
for _ in $(seq 600); do
  grep -q '^ready ' /run/up.out && break
  kill -0 $up 2>/dev/null || break
  sleep 1
done
if ! grep -q '^ready ' /run/up.out; then
  cat /run/up.out /run/up.err
  result="failed: the server did not get ready"
  echo "VM-RESULT: failed"
  finish
fi
key=$(./sebring key create vm --json --data-dir /var/lib/sebring | python3 -c 'import json, sys; print(json.load(sys.stdin)["value"])')
echo "VM-KEY: $key"
echo "VM-SERVING"
# The story runs from outside meanwhile; its end is seen by the request that follows it.
if [ "$SHORT" = 1 ]; then filter=(--test-suite="*short*"); else filter=(); fi
if [ -x ./root_test ]; then
  ./root_test "${filter[@]}" >/run/root_test.out 2>&1 || result=failed
  tail -n 40 /run/root_test.out
fi
for _ in $(seq 300); do
  curl -s "http://127.0.0.1:3000/api/sandbox" -H "Authorization: Bearer $key" | grep -q '"items":\[\]' && [ -f /run/seen ] && break
  curl -s "http://127.0.0.1:3000/api/sandbox" -H "Authorization: Bearer $key" | grep -q '"id"' && touch /run/seen
  sleep 1
done
kill -TERM $up
wait $up
[ -z "$(ip -o link | grep -o ': sb[0-9]*')" ] || { echo "links left"; result=failed; }
finish
