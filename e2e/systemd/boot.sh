#!/bin/bash
# Boots systemd in new namespaces, on this machine's files under a tmpfs, with
# the network and the control group of the caller. $1 is an empty folder.
exec unshare --mount --pid --fork --kill-child --uts --ipc --cgroup env -i PATH="$PATH" LC_ALL=C folder="$1" bash <<'END'
set -e
mount --make-rprivate /
root=$folder/root
mkdir "$folder/files" "$root"
mount -t tmpfs -o mode=0755 tmpfs "$folder/files"
mkdir "$folder/files/upper" "$folder/files/work"
mount -t overlay -o "lowerdir=/,upperdir=$folder/files/upper,workdir=$folder/files/work" overlay "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
	touch dev/$device
	mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
rm -rf etc/systemd/system/*.wants var/log/journal # what is enabled here is no concern of the test
hostname lvsd
mkdir former
pivot_root . former
umount -l /former
rmdir /former
cat >/etc/systemd/system/test.target <<UNIT
[Unit]
Description=what a test needs
Wants=systemd-journald.service
After=systemd-journald.service
UNIT
export container=lvsd
exec /lib/systemd/systemd --unit=test.target --log-target=journal --show-status=false
END
