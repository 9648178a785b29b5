# mayrstefan/checkmk-extensions keepalived_vrrp.sh. It looks at once; keepalived
# is given a second try.
start -f /etc/keepalived/keepalived.conf
check() {
	kill -s "$(keepalived --signum=JSON)" "$(</var/run/keepalived.pid)"
	[ -e /tmp/keepalived.json ] || sleep 0.5
	[ -e /tmp/keepalived.json ] || return
	python3 -c 'import json, sys; print([(i["data"]["iname"], i["data"]["state"], i["data"]["wantstate"]) for i in json.load(sys.stdin)])' </tmp/keepalived.json
	rm /tmp/keepalived.json
}
check
check
finish
