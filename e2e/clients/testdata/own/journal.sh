# A service whose standard error is systemd's journal: lines arrive once, with
# fields, and so do those of a start without -l. With a format of its own the
# console is left as it is.
mkdir -p /run/log/journal /run/systemd/journal
mount -t cgroup2 none /sys/fs/cgroup # journald looks up whose a message is
/lib/systemd/systemd-journald >/dev/null 2>&1 &
JOURNALD=$!
until_ systemd-cat true
ln -s /usr/sbin/keepalived /run/lvsd
cat >/run/service <<'P'
#!/bin/sh
export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
exec /run/lvsd "$@"
P
chmod 755 /run/service
for options in "-n -l" "-n" "-n -l -G --log-format json"; do
	echo "with $options:"
	systemd-cat -t "console" /run/service $options -f /etc/keepalived/keepalived.conf &
	MAIN=$!
	until_ holds
	kill "$MAIN"
	wait "$MAIN"
	journalctl --sync
	journalctl -D /run/log/journal -o json "_PID=$MAIN" | python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    if "MASTER" in e["MESSAGE"]:
        text = e.pop("MESSAGE")
        if text.startswith("{"):
            text = json.dumps({k: v for k, v in json.loads(text).items() if k != "time"})
        print(text)
        shown = ("PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "_TRANSPORT")
        print(*(k + "=" + e[k] for k in sorted(e) if k in shown or k.startswith("VRRP_")))
'
done
kill "$JOURNALD"
echo done
