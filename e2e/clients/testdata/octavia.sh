# OpenStack Octavia: a forking unit, pid files that are there together, and
# newer than the configuration after a reload.
CONF=/run/octavia.conf
cp /etc/keepalived/keepalived.conf $CONF
keepalived --log-facility=1 -f $CONF -p /run/octavia.pid -r /run/octavia-vrrp.pid -P
echo "returned $?"
until_ test -e /run/octavia-vrrp.pid
until_ holds
for f in /run/octavia.pid /run/octavia-vrrp.pid; do
	python3 -c 'import os, sys; print(sys.argv[2], "is up to date:", os.stat(sys.argv[2]).st_mtime >= os.stat(sys.argv[1]).st_mtime)' $CONF $f
	kill -0 "$(cat $f)" && echo "$f names a process"
	wc -l <$f
done
MAIN=$(cat /run/octavia.pid)
kill "$MAIN"
until_ sh -c "! kill -0 $MAIN"
ls /run/octavia*.pid 2>/dev/null
echo done
