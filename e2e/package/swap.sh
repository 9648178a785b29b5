#!/usr/bin/env bash
# Swaps Debian's keepalived for the package and back, in a copy of this machine that nobody else sees: an overlay of
# its root, in a mount namespace of its own (`unshare --mount swap.sh LVSD.deb`). Every line that is printed was found true.
set -euo pipefail
deb=$1

work=$(mktemp -d)
mount -t tmpfs none "$work"
mkdir "$work"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
mount --bind /dev "$work/root/dev"
mount -t proc none "$work/root/proc"
mount -t tmpfs none "$work/root/run"
cp "$deb" "$work/root/root/lvsd.deb"
printf '#!/bin/sh\nexit 101\n' >"$work/root/usr/sbin/policy-rc.d" # start no service
chmod 755 "$work/root/usr/sbin/policy-rc.d"

inside() { chroot "$work/root" env DEBIAN_FRONTEND=noninteractive "$@"; }
holds() { # SENTENCE COMMAND...
	local says=$1
	shift
	if ! inside bash -c "$*" >"$work/said" 2>&1; then
		echo "NOT TRUE: $says: $*"
		cat "$work/said"
		exit 1
	fi
	echo "$says"
}

install_debian() { inside apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold keepalived >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }; }
inside dpkg -s keepalived >/dev/null 2>&1 || install_debian

# what an administrator has
inside mkdir -p /etc/keepalived
cat >"$work/root/etc/keepalived/keepalived.conf" <<'CONF'
vrrp_instance VI_1 {
    interface lo0
    virtual_router_id 51
    virtual_ipaddress {
        192.0.2.10/32
    }
}
CONF
echo 'DAEMON_ARGS="-D"' >"$work/root/etc/default/keepalived"
touch "$work/root/etc/keepalived/notify.sh"
holds "Debian's keepalived is enabled" '[ -e /etc/systemd/system/multi-user.target.wants/keepalived.service ]'

holds "dpkg installs lvsd over keepalived" dpkg -i --force-confold /root/lvsd.deb
holds "Debian's package has gone, its settings have not" 'dpkg-query -W -f "\${Status}" keepalived | grep -q config-files'
holds "keepalived is lvsd" 'keepalived -v 2>&1 | grep -q lvsd'
holds "the version is one that readers of keepalived -v understand" 'keepalived -v 2>&1 | grep -q "^Keepalived v2"'
holds "genhash is there" '[ "$(readlink -f /usr/bin/genhash)" = /usr/sbin/lvsd ]'
holds "the configuration is untouched" 'grep -q "virtual_router_id 51" /etc/keepalived/keepalived.conf && [ -e /etc/keepalived/notify.sh ]'
holds "the options are untouched" 'grep -q "^DAEMON_ARGS=\"-D\"" /etc/default/keepalived'
holds "the unit is enabled and not masked" '[ -e /etc/systemd/system/multi-user.target.wants/keepalived.service ] && ! [ -e /etc/systemd/system/keepalived.service ]'
holds "the unit starts what the package has" 'grep -q "^ExecStart=/usr/sbin/keepalived " /lib/systemd/system/keepalived.service'
holds "the manual pages are there" 'for page in man8/lvsd.8 man8/keepalived.8 man5/keepalived.conf.5; do gzip -dc /usr/share/man/$page.gz | grep -q "^.TH" || exit 1; done'
holds "who depends on keepalived is content" 'dpkg-query -W -f "\${Provides}" lvsd | grep -q "keepalived (= "'
holds "bash completes" '[ -s /usr/share/bash-completion/completions/lvsd ]'
holds "the sample is a configuration" 'lvsd -t --offline -f /etc/keepalived/keepalived.conf.sample'

install_debian
holds "apt goes back to Debian's keepalived" 'dpkg -s keepalived | grep -q "^Status: install ok installed" && keepalived -v 2>&1 | grep -q "^Keepalived v" && ! keepalived -v 2>&1 | grep -q lvsd'
holds "lvsd has gone" '! [ -e /usr/sbin/lvsd ]'
holds "nothing was lost on the way" 'grep -q "virtual_router_id 51" /etc/keepalived/keepalived.conf && [ -e /etc/keepalived/notify.sh ] && grep -q "^DAEMON_ARGS=\"-D\"" /etc/default/keepalived'
holds "the unit is enabled as before" '[ -e /etc/systemd/system/multi-user.target.wants/keepalived.service ] && ! [ -e /etc/systemd/system/keepalived.service ]'
