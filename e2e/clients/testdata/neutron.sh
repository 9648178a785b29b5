# OpenStack neutron: keepalived.py and external_process.py. The identifier of
# the router is in the path of the configuration.
UUID=8a1b6d1e-2f0c-4c67-9d3a-5a9b3f6d2c11
mkdir -p /run/ha_confs/$UUID
CONF=/run/ha_confs/$UUID/keepalived.conf
PID=/run/ha_confs/$UUID.pid
cp /etc/keepalived/keepalived.conf $CONF
active() { tr '\0' ' ' </proc/"$(cat "$1")"/cmdline | grep -q $UUID && echo "$1 is active"; }

keepalived -P -f $CONF -p $PID -r $PID-vrrp -D
echo "returned $?"
until_ test -s $PID-vrrp
active $PID
active $PID-vrrp
until_ holds
# A second one finds the first.
keepalived -P -f $CONF -p $PID -r $PID-vrrp -D
echo "returned $?"

sed -i 's/10.9.1.1/10.9.1.2/' $CONF
kill -HUP "$(cat $PID)"
until_ sh -c 'ip -o address show to 10.9.1.2 | grep -q .'
holds && echo "still master"
active $PID
active $PID-vrrp

STOP=$(cat $PID)
kill "$STOP"
until_ sh -c "! kill -0 $STOP"
ls /run/ha_confs
holds || echo "gave the addresses back"

# Killed, with what it leaves: the next one starts all the same.
keepalived -P -f $CONF -p $PID -r $PID-vrrp -D
until_ holds
KILLED=$(cat $PID $PID-vrrp)
kill -9 $KILLED
for pid in $KILLED; do until_ sh -c "! kill -0 $pid"; done
keepalived -P -f $CONF -p $PID -r $PID-vrrp -D
echo "returned $?"
until_ holds
until_ active $PID
until_ active $PID-vrrp
active $PID
active $PID-vrrp
echo done
