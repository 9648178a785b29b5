# gen2brain/keepalived_exporter: finds the process by its name, waits 100 ms.
start -f /etc/keepalived/faulty.conf
touch /tmp/keepalived.json.old
PID=$(ps -axwwo pid,pcpu,pmem,args | awk '{ n = split($4, path, "/"); if (path[n] == "keepalived") { print $1; exit } }')
kill -36 "$PID"
sleep 0.1
find /tmp -name 'keepalived.json*' ! -name keepalived.json -delete
python3 - <<'P'
import json
for i in json.load(open("/tmp/keepalived.json")):
    d, s = i["data"], i["stats"]
    print(d["iname"], d["ifp_ifname"], d["vrid"], d["state"], d["base_priority"], d["effective_priority"], d["adver_int"],
          d["accept"], d["nopreempt"], d["preempt_delay"], d["garp_rep"], s["become_master"], s["release_master"], s["pri_zero_rcvd"])
P
ls -l /tmp/keepalived.json | cut -c 1-10
finish
