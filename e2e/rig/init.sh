#!/bin/busybox sh
# The virtual machine's first process: from the initramfs to the host's files,
# which lie read-only under a tmpfs, and on to guest.sh.
bb=/bin/busybox
share=trans=virtio,version=9p2000.L,msize=512000
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do $bb insmod "$module"; done
$bb mount -t 9p -o $share,ro,cache=loose host /lower
$bb mount -t tmpfs -o mode=0755 tmpfs /upper
$bb mkdir /upper/files /upper/work
$bb mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new
version=$($bb uname -r)
$bb mkdir -p "/new/usr/lib/modules/$version"
[ -e /new/lib ] || $bb ln -s usr/lib /new/lib
$bb mount -t 9p -o $share,ro,cache=loose modules "/new/usr/lib/modules/$version"
$bb mount -t tmpfs -o mode=0755 tmpfs /new/run
$bb mkdir -p /new/run/netns /new/run/lock /new/run/rig /new/etc/netns
$bb mount -t 9p -o $share,cache=none share /new/run/rig
$bb mount -t tmpfs -o mode=0755 tmpfs /new/etc/netns
for dir in proc sys dev; do $bb mount --move /$dir /new/$dir; done
$bb mkdir -p /new/dev/pts /new/dev/shm
$bb mount -t devpts devpts /new/dev/pts
$bb mount -t tmpfs -o mode=1777 tmpfs /new/dev/shm
exec $bb switch_root /new /bin/bash /run/rig/guest.sh
