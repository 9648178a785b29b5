# Every signal by the number that --signum tells: which files it makes, and of
# what mode, that they are made anew, through no link, and what it leaves alone.
start -f /etc/keepalived/keepalived.conf
# What comes of a signal is there within a second.
signal() {
	echo "$1:"
	kill -s "$(keepalived "--signum=$1")" "$MAIN"
	sleep 1
	stat -c '%a %F %n' /tmp/* 2>/dev/null
}
# sent is how many adverts the statistics tell of: many, or just begun.
sent() { awk '/Sent:/ { print ($2 > 3) ? "many" : "few"; exit }' /tmp/keepalived.stats; }
sleep 3
for name in DATA STATS JSON; do
	signal $name
	rm -f /tmp/*
done
signal STATS
sent
signal STATS_CLEAR
sent
signal STATS
sent
rm -f /tmp/*
echo mine >/run/mine
for file in keepalived.data keepalived.stats; do ln -s /run/mine /tmp/$file; done
signal DATA >/dev/null
signal STATS >/dev/null
cat /run/mine
kill -PIPE "$MAIN"
for name in WINCH QUIT STKFLT ALRM VTALRM PROF IO PWR 34 35 50 62 64; do kill -s $name "$MAIN"; done
for _ in $(seq 100); do kill -HUP "$MAIN"; done
sleep 3
holds && echo "still master"
rm -f /tmp/*
signal JSON
kill -INT "$MAIN"
wait "$MAIN"
echo "stopped with $?"
echo done
