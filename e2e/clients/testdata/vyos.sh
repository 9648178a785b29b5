# VyOS: python/vyos/ifconfig/vrrp.py and src/system/keepalived-fifo.py.
mkdir -p /run/keepalived
cat >/run/reader <<'P'
#!/usr/bin/python3
import re, sys
line = re.compile(r'^(?P<type>\w+) "(?P<name>[\w-]+)" (?P<state>\w+) (?P<priority>\d+)$')
with open(sys.argv[1]) as fifo, open("/run/read", "a") as out:
    for l in fifo:
        m = line.match(l)
        print(m.groups() if m else "not understood: " + l, file=out, flush=True)
P
chmod 755 /run/reader
sed 's|umask 022|umask 022\n notify_fifo /run/keepalived/keepalived_notify_fifo\n notify_fifo_script /run/reader|' /etc/keepalived/keepalived.conf >/run/keepalived/keepalived.conf
start --use-file /run/keepalived/keepalived.conf --pid /run/keepalived/keepalived.pid
until_ grep -q MASTER /run/read
cat /run/read
python3 - <<'P'
import ctypes, json, os, select, signal, struct
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
libc.inotify_add_watch(fd, b"/tmp", 0x8)  # IN_CLOSE_WRITE

def collect():
    """wait_for_file_write_complete"""
    os.kill(int(open("/run/keepalived/keepalived.pid").read()), signal.SIGRTMIN + 2)
    while select.select([fd], [], [], 30)[0]:
        events = os.read(fd, 4096)
        while events:
            size = struct.unpack("iIII", events[:16])[3]
            if events[16:16 + size].rstrip(b"\0") == b"keepalived.json":
                return True
            events = events[16 + size:]
    return False

for _ in range(2):
    print("complete:", collect())
    for i in json.load(open("/tmp/keepalived.json")):
        d = i["data"]
        print(d["iname"], d["ifp_ifname"], d["vrid"], d["state"], d["effective_priority"], d["last_transition"] > 0)
    os.remove("/tmp/keepalived.json")
P
finish
