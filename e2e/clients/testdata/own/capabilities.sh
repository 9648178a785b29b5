# lvsd with the capabilities of dist/lvsd.service does all of its work.
cat >/run/note <<'P'
#!/bin/sh
echo "$(id -un) $*" >>/tmp/notes
P
chmod 755 /run/note
touch /tmp/notes
chmod 666 /tmp/notes
cat >/run/conf <<'P'
global_defs {
	enable_script_security
	script_user nobody
	notify_fifo /run/fifo nobody
	vrrp_priority -5
	vrrp_rt_priority 40
	vrrp_no_swap
}
vrrp_script good {
	script "/bin/sleep 0"
	interval 1
	user daemon
}
static_routes {
	198.51.100.0/24 dev eth0
}
vrrp_instance VI_1 {
	interface eth0
	use_vmac
	virtual_router_id 51
	priority 200
	virtual_ipaddress {
		10.9.0.101/24
	}
	track_script {
		good
	}
	notify /run/note
}
P
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$SCRIPTS/../../../dist/lvsd.service" | tr ' A-Z' ',a-z' | sed 's/cap_/+/g')
ln -s /usr/sbin/keepalived /run/lvsd
setpriv --no-new-privs --bounding-set="-all,$caps" /run/lvsd -n -l -D -f /run/conf >/run/log 2>&1 &
MAIN=$!
until_ holds
until_ grep -q 'MASTER' /tmp/notes
cat /tmp/notes
stat -c '%U %F' /run/fifo
ip -o route show 198.51.100.0/24 | cut -d' ' -f 1-3
grep -i 'not permitted\|denied' /run/log
sed -i 's/priority 200/priority 210/' /run/conf
/run/lvsd plan
/run/lvsd reload
echo "reloaded: $?"
sed -i 's/priority 210/priority high/' /run/conf
/run/lvsd reload 2>&1 | cut -d: -f 1-3
echo "refused: ${PIPESTATUS[0]}"
setpriv --reuid=nobody --clear-groups /run/lvsd plan 2>/dev/null
echo "nobody: $?"
finish
