# An SNMP daemon that comes late, is killed, and comes back: it is found each
# time, and hears what has happened while it was away.
export MIBS=
K=1.3.6.1.4.1.9586.100.5
for dir in /var/agentx /var/lib/snmp; do mkdir -p $dir; mount -t tmpfs none $dir; done
ip link set lo up
cat >/run/snmpd.conf <<C
master agentx
agentaddress udp:127.0.0.1:161
rocommunity public
trap2sink 127.0.0.1
C
echo disableAuthorization yes >/run/trapd.conf
snmptrapd -f -On -Lf /run/traps -C -c /run/trapd.conf -p /run/trapd udp:127.0.0.1:162 &
TRAPD=$!
daemon() {
	snmpd -f -Lf /run/snmpd.log -C -c /run/snmpd.conf -p /run/snmpd &
	SNMPD=$!
}
state() { snmpget -v2c -c public -t 1 -r 0 -Oqv 127.0.0.1 $K.2.3.1.4.1 2>&1; }
is() { state | grep -qx "$1"; }
told() { tr '\t' ' ' </run/traps | grep -q "$K.2.3.1.4 = INTEGER: $1"; }

sed 's|umask 022|umask 022\n enable_snmp_vrrp\n enable_traps|' /etc/keepalived/keepalived.conf >/run/snmp.conf
start -f /run/snmp.conf
until_ grep -q 'no SNMP master agent' /run/log
daemon
until_ is 2
echo "found, master"
kill -9 $SNMPD
wait $SNMPD 2>/dev/null
rm -f /var/agentx/master
ip link set eth0 down
until_ grep -q 'Entering FAULT STATE' /run/log
daemon
until_ is 3
until_ told 3
echo "found again, fault, and it was told"
ip link set eth0 up
until_ is 2
kill -STOP $SNMPD # it answers nothing from now on
ip link set eth0 down
twice() { test "$(grep -c "Entering FAULT STATE" /run/log)" = 2; }
until_ twice
ip link set eth0 up
until_ holds
echo "master beside a daemon that stands still"
kill -CONT $SNMPD
until_ is 2
kill $SNMPD $TRAPD
finish
