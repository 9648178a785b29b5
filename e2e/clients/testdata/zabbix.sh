# nser77/zabbix-keepalived keepalived.py, with a private /tmp and a pid folder.
mkdir -p /run/keepalived
start -f /etc/keepalived/keepalived.conf -p /run/keepalived/keepalived.pid
kill -s "$(keepalived --signum=JSON)" "$(cat /run/keepalived/keepalived.pid)"
sleep 1
ls /tmp | grep -i keepalived
python3 -c '
import json
data = json.load(open("/tmp/keepalived.json"))[0]["data"]
for key in sorted(data):
    if key not in ("last_transition", "auth_data"):
        print(key, data[key])'
finish
