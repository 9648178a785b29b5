# Managers that walk KEEPALIVED-MIB, VRRP-MIB and VRRPV3-MIB, set what can be
# set, and receive notifications.
export MIBS=
K=1.3.6.1.4.1.9586.100.5 V2=1.3.6.1.2.1.68 V3=1.3.6.1.2.1.207
for dir in /var/agentx /var/lib/snmp; do mkdir -p $dir; mount -t tmpfs none $dir; done

# Links that have the same numbers and hardware addresses every time.
for n in 0 1 2; do
	ip link add e$n index 10$n address 02:00:00:00:00:0$n type veth peer name peer-e$n
	ip link set e$n up; ip link set peer-e$n up
	ip address add 10.8.10$n.1/24 dev e$n
done
ip link set lo up
settled() { ! ip -6 address show tentative | grep -q .; }
until_ settled

cat >/run/snmpd.conf <<C
master agentx
agentaddress udp:127.0.0.1:161
rocommunity public
rwcommunity private
trap2sink 127.0.0.1
C
echo disableAuthorization yes >/run/trapd.conf
snmptrapd -f -On -Lf /run/traps -C -c /run/trapd.conf -p /run/trapd.pid udp:127.0.0.1:162 &
TRAPD=$!
snmpd -f -Lf /run/snmpd.log -C -c /run/snmpd.conf -p /run/snmpd.pid &
SNMPD=$!
until_ test -S /var/agentx/master
until_ grep -q 1.3.6.1.6.3.1.1.5.1 /run/traps # coldStart

echo 7 >/run/number
cat >/run/snmp.conf <<C
global_defs {
	router_id clients
	enable_script_security
	script_user root
	notification_email {
		a@example.com
		b@example.com
	}
	notification_email_from me@example.com
	smtp_server 10.8.100.77 2525
	smtp_connect_timeout 17
	smtp_alert_vrrp off
	enable_traps
	dynamic_interfaces
	lvs_flush_on_stop VS
}
vrrp_script good {
	script "/usr/bin/sh -c 'exit 0'"
	interval 1
	weight 5
	rise 2
	fall 3
}
vrrp_script bad {
	script "/usr/bin/false a b"
	interval 2
	weight 10 reverse
}
vrrp_script unused {
	script "/usr/bin/true"
}
track_file number {
	file /run/number
	weight 3
}
vrrp_track_process none {
	process none -f
	param_match partial
	weight 4
	quorum 2
	quorum_max 5
	terminate_delay 1
	fork_delay 0.5
}
bfd_instance bf {
	neighbor_ip 10.8.100.88
	source_ip 10.8.100.1
	weight -7
}
vrrp_sync_group G1 {
	group {
		VI_1
		VI_2
	}
	track_interface {
		e2 weight 3
	}
	track_script {
		good weight 2
	}
	track_file {
		number weight 3
	}
	track_bfd {
		bf
	}
	track_process {
		none
	}
	notify_master "/usr/bin/true m"
	notify_backup "/usr/bin/true b"
	notify_fault "/usr/bin/true f"
	notify_stop "/usr/bin/true s"
	notify "/usr/bin/true n"
	sync_group_tracking_weight
}
vrrp_instance VI_1 {
	interface e0
	state MASTER
	virtual_router_id 51
	priority 200
	advert_int 1
	virtual_ipaddress {
		10.8.0.100/24
		10.8.0.101/24 label e0:1
		10.8.0.102/24 brd 10.8.0.255 dev e1 scope link
	}
	virtual_ipaddress_excluded {
		10.8.1.1/32
		fd00::100/64
	}
	authentication {
		auth_type PASS
		auth_pass secret
	}
}
vrrp_instance VI_2 {
	interface e0
	state BACKUP
	virtual_router_id 52
	priority 150
	advert_int 1
	garp_master_delay 3
	virtual_ipaddress {
		10.8.100.110/24
		10.8.0.105 peer 10.8.0.106
	}
	virtual_routes {
		10.10.0.0/16 via 10.8.100.5 dev e0 src 10.8.100.110 metric 7 mtu lock 1400 hoplimit 7 table 100 tos 4 advmss 900 features ecn quickack 1 realms 3/4
		default via 10.8.100.6
		blackhole 10.11.0.0/16
		10.12.0.0/16 nexthop via 10.8.100.7 dev e0 weight 2 nexthop via 10.8.100.8 dev e0 weight 3 onlink
		fd01::/64 dev e0 pref high
	}
	virtual_rules {
		from 10.8.0.0/24 table 100 priority 100
		to 10.13.0.0/16 fwmark 3/7 iif e0 table 101 priority 101
		not from 10.8.5.0/24 to 10.14.0.0/16 oif e0 table 100 priority 102 suppress_prefixlength 3
		from fd00::/64 table 100 priority 103
		from 10.16.0.0/16 prohibit priority 204
		from 10.17.0.0/16 uidrange 3-4 table 5 priority 205
	}
}
vrrp_instance VI_3 {
	interface e0
	version 3
	virtual_router_id 53
	priority 120
	advert_int 0.5
	nopreempt
	state BACKUP
	accept
	notify /usr/bin/true
	notify_deleted
	smtp_alert
	track_interface {
		e2 weight -5
	}
	track_script {
		good
		bad weight 3 reverse
	}
	track_file {
		number
	}
	track_process {
		none
	}
	track_bfd {
		bf
	}
	virtual_ipaddress {
		fe80::53/64
		fd00::53/64
	}
}
vrrp_instance VI_4 {
	interface e1
	virtual_router_id 54
	priority 100
	version 3
	advert_int 2
	preempt_delay 30
	dont_track_primary
	virtual_ipaddress {
		10.8.101.100
	}
	notify_master "/usr/bin/true m"
	notify_backup "/usr/bin/true b"
	notify_fault "/usr/bin/true f"
	notify_stop "/usr/bin/true s"
	notify_master_rx_lower_pri "/usr/bin/true l"
	notify_deleted "/usr/bin/true d"
}
vrrp_instance VI_5 {
	interface e2
	virtual_router_id 55
	priority 110
	unicast_src_ip 10.8.102.1
	unicast_peer {
		10.8.102.2
	}
	virtual_ipaddress {
		10.8.102.100
	}
	promote_secondaries
}
C
keepalived -n -l -D --snmp -f /run/snmp.conf >/run/log 2>&1 &
MAIN=$!

# is waits for the state of an instance: backup 1, master 2, fault 3.
is() { snmpget -v2c -c public -Oqv 127.0.0.1 $K.2.3.1.4.$1 | grep -qx $2; }
for instance in 1 2 3 4 5; do until_ is $instance 2; done
ran() { snmpwalk -v2c -c public -Oqv 127.0.0.1 $K.2.9.1.6 | tr '\n' ' ' | grep -qx '3 2 '; }
until_ ran

# What is left out of the comparison: docs/compatibility.md has the reasons.
#   version
#   vrrpInstanceTrackPrimaryIf, vrrpAddressAdvertising, vrrpProcessParamMatch
#   vrrpRuleProtocol to vrrpRuleDstPortEnd, which keepalived does not have
#   vrrpOperTable and vrrpRouterStatsTable, of which keepalived has one row, of an instance that changes
#   times that things are up
same() {
	grep -Ev \
		-e "^\.$K\.1\.1\.0 " \
		-e "^\.$K\.2\.(3\.1\.11|6\.1\.11|21\.1\.5|8\.1\.3[3-8])\." \
		-e "^\.$V2\.(1\.3|2\.4)\.1\." \
		-e "^\.$V3\.1\.1\.1\.1\.12\."
}
walk() { snmp$1 -v2c -c public -On -Oe 127.0.0.1 $2; }
for root in 1.3.6.1.4.1.9586 $V2 $V3; do
	walk walk $root | same
	diff <(walk walk $root | same) <(walk bulkwalk $root | same) >/dev/null && echo bulk is the same
done
walk walk 1.3.6.1.2.1.1.9.1.2 | grep -E "$K|$V2|$V3"

# set says what comes of it, and what there is then.
set_() {
	snmpset -v2c -c private -On 127.0.0.1 $1 $2 $3 2>&1 | grep -v '^$'
	walk get $1
}
set_ $K.2.3.1.7.4 i 90
walk get $K.2.3.1.8.4
for n in 0 256; do set_ $K.2.3.1.7.4 i $n; done
set_ $K.2.3.1.7.4 s x
set_ $K.2.3.1.7.9 i 120
set_ $K.2.3.1.13.4 i 2
set_ $K.2.3.1.13.4 i 3
set_ $K.2.3.1.28.4 i 1
set_ $K.2.3.1.2.4 s foo
set_ $V2.1.2.0 i 2
set_ $V3.1.1.1.1.7.100.51.1 u 99

for oid in $K.1.1 $K.1.1.1 $K.2.3.1.1.1 $K.2.3.1.17.1 $K.2.3.1.99.1 $K.2.3.1.2.99 $K.2.99.1; do walk get $oid; done
walk getnext $K.1.1.0
walk getnext $K.2.3.1.2.1.5

# A failure, and its end.
ip link set e0 down
for instance in 1 2 3; do until_ is $instance 3; done
ip link set e0 up
for instance in 1 2 3; do until_ is $instance 2; done

kill $MAIN
wait $MAIN
echo "stopped with $?"

# The notifications of each object, in their order: with keepalived the first
# ones of all objects come together.
heard() { grep -o "$K.2.10.0.*" /run/traps | grep -c 'INTEGER: 5'; }
all_heard() { test "$(heard)" = 6; }
until_ all_heard
notifications() { tr '\t' ' ' </run/traps | grep -o 'OID: .*' | grep -F "$1"; }
for name in G1 VI_1 VI_2 VI_3 VI_4 VI_5; do notifications "\"$name\""; done
for vrid in 51 52 55; do notifications "$V2.0.1 " | grep "\.$vrid = "; done
for vrid in 51 52 53 54 55; do notifications "$V3.0.1 " | grep "\.$vrid\.[12] = "; done
kill $SNMPD $TRAPD
echo done
