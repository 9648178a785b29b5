# mehdy/keepalived-exporter: version, signal numbers, text and JSON.
start -f /etc/keepalived/faulty.conf
bash -c "keepalived -v" 2>&1 >/dev/null | python3 "$SCRIPTS/mehdy.py" version
kill -"$(keepalived --signum=DATA)" "$(cat /run/keepalived.pid)"
kill -"$(keepalived --signum=STATS)" "$(cat /run/keepalived.pid)"
sleep 1
python3 "$SCRIPTS/mehdy.py" text
kill -"$(keepalived --signum=JSON | sed 's/[^0-9]*//g')" "$(cat /run/keepalived.pid)"
sleep 1
python3 "$SCRIPTS/mehdy.py" json
finish
