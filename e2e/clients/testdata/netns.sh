# net_namespace, as Octavia and VyOS' VRFs have it: pid files of the namespace
# are in a folder of their own, seen from outside.
ip netns add inside
ip netns exec inside ip link set lo up
ip link set eth0 netns inside
ip netns exec inside ip address add 10.9.0.1/24 dev eth0
ip netns exec inside ip link set eth0 up
(echo 'net_namespace inside'; sed 's/umask 022/umask 022\n data_use_instance/' /etc/keepalived/keepalived.conf) >/run/conf
inside() { ip netns exec inside ip -o address show to 10.9.0.101 | grep -q .; }
keepalived -t -f /run/conf
echo "tested: $?"
keepalived -D -f /run/conf
echo "returned $?"
until_ inside
holds || echo "not outside"
find /run/keepalived -name '*.pid' | sort
MAIN=$(cat /run/keepalived/inside/keepalived.pid)
[ /proc/"$MAIN"/ns/net -ef /run/netns/inside ] && echo "in the namespace"
cat /proc/"$MAIN"/comm
keepalived -D -f /run/conf
echo "a second one: $?"
kill -USR1 "$MAIN"
sleep 1
find /tmp -name '*.data' -printf '%f %m\n' | sort
kill "$MAIN"
until_ sh -c "! kill -0 $MAIN"
inside || echo "gave the addresses back"
find /run/keepalived -name '*.pid'
keepalived -n -s nowhere -f /run/conf -G
echo "no such namespace: $?"
keepalived -s inside -f /etc/keepalived/keepalived.conf
until_ inside
find /run/keepalived -name '*.pid' | sort
kill "$(cat /run/keepalived/inside/keepalived.pid)"
until_ sh -c '! ls /run/keepalived/inside/keepalived.pid'
echo done
