# What scripts ask the command itself.
ask() {
	out=$("$@" 2>/tmp/err)
	status=$?
	echo "$*: $status, out [$(echo "$out" | head -n 2)], err [$(grep -v '^Keepalived v\|^ \|^$' /tmp/err | head -n 2)]"
}
for signal in STOP RELOAD DATA STATS STATS_CLEAR JSON TDATA; do
	ask keepalived --signum=$signal
	ask keepalived --signum $signal
done
ask keepalived --signum=
ask keepalived -z
ask keepalived --wrong
ask keepalived --log
ask keepalived --vrrp=1
ask keepalived -f
ask keepalived --use-file=
ask keepalived -nlz -q
ask keepalived -z extra
ask keepalived extra --signum=JSON
ask keepalived extra -h
echo "-vz: $(keepalived -vz 2>&1 | grep -c 'Unknown option')"
ask keepalived -t/none/log -f /etc/keepalived/keepalived.conf
ask keepalived -t -f /etc/keepalived/keepalived.conf
ask keepalived -t -f /etc/keepalived/keepalived.conf extra
ask keepalived -tf -f /etc/keepalived/keepalived.conf
ask keepalived --config-t --use /etc/keepalived/keepalived.conf
ask keepalived --config-te= -f /etc/keepalived/keepalived.conf
ask keepalived --genhash=1
ask keepalived --genhash -h
ask keepalived -S 9 -t -f /etc/keepalived/keepalived.conf
ask keepalived -u 999 -t -f /etc/keepalived/keepalived.conf
keepalived -n -f /etc/keepalived/none.conf -G >/dev/null 2>&1
echo "no configuration: $?"
keepalived -t -f /etc/keepalived/none.conf
keepalived -n -l -G -f /etc/keepalived/none.conf 2>&1 | grep -o 'Config files.*'
for token in VRRP LVS JSON BFD DBUS SNMP_VRRP SNMP_CHECKER SNMP_RFCV2 SNMP_RFCV3 NFTABLES; do
	keepalived -v 2>&1 | grep '^Config options' | grep -cw $token
done
for option in snmp dbus json bfd; do
	keepalived -v 2>&1 | grep '^configure options' | grep -cw -- "--enable-$option"
done
keepalived -v 2>&1 >/dev/null | head -n 1 | grep -c '^Keepalived v[0-9]*\.[0-9]*\.[0-9]* ([0-9]*/[0-9]*,20[0-9][0-9])'
keepalived -v >/dev/null 2>&1
echo "-v: $?"
keepalived --help 2>&1 >/dev/null | grep -c -- '--config-test'
keepalived -h >/dev/null 2>&1
echo "-h: $?"
echo done
