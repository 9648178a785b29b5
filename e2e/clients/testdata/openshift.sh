# OpenShift MCO, templates/common/on-prem/files/keepalived.yaml.
probe() {
	/bin/bash -c 'echo "State = FAULT" >/tmp/keepalived.data
kill -s SIGUSR1 "$(pgrep -o keepalived)" && for i in $(seq 5); do grep -q "State = FAULT" /tmp/keepalived.data && sleep 1 || exit 0; done && exit 1'
	echo "the probe says $?"
}
cp /etc/keepalived/keepalived.conf /run/keepalived.conf
/usr/sbin/keepalived -f /run/keepalived.conf --dont-fork --vrrp --log-detail --log-console >/run/log 2>&1 &
MAIN=$!
until_ holds
probe
cp /etc/keepalived/faulty.conf /run/keepalived.conf
kill -s SIGHUP "$(pgrep -o keepalived)"
sleep 1
probe
cp /etc/keepalived/keepalived.conf /run/keepalived.conf
kill -s SIGHUP "$(pgrep -o keepalived)"
sleep 1
probe
holds && echo "still master"
# ZStack reads the first state within six lines of the title.
kill -USR1 "$MAIN"
sleep 0.5
grep -A 6 'VRRP Topology' /tmp/keepalived.data | awk -F '=' '/State/{print $2}'
finish
