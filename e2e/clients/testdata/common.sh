# What every script begins with.
[ "$DAEMON" -ef /usr/sbin/keepalived ] || mount --bind "$DAEMON" /usr/sbin/keepalived
mount --rbind "$SCRIPTS/../../.." /mnt # the project, which may be in /tmp
SCRIPTS=/mnt/e2e/clients/testdata
mount -t tmpfs none /tmp
mount -t tmpfs none /run
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /tmp

# until_ waits until a command succeeds.
until_() {
	for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	echo "waited in vain for: $*"
	exit 1
}

# holds says that the router is master.
holds() { ip -o address show to 10.9.0.101 | grep -q .; }

# start runs the daemon in the foreground of a background job, as init systems
# do, until it is master.
start() {
	keepalived -n -l -D "$@" >/run/log 2>&1 &
	MAIN=$!
	until_ holds
}

# finish ends it.
finish() {
	kill "$MAIN"
	wait "$MAIN"
	echo "stopped with $?"
	ls /run/*.pid /run/keepalived/*.pid 2>/dev/null
	echo done
}
