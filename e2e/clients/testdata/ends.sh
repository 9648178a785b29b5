# startup_script and shutdown_script: where and as whom they run, which do not
# run at all, and that neither a failure nor a timeout is in the way.
cat >/run/note <<'N'
#!/bin/sh
echo "$* in $(pwd) as $(id -u) with $(umask)" >>/run/notes
sleep "${2:-0}"
exit 3
N
chmod 755 /run/note
mkdir -m 777 /run/open
cp /run/note /run/open
# life is a start and a stop with lines of global_defs.
life() {
	echo "$1:"
	: >/run/notes
	(printf 'global_defs {\n%s\n}\n' "$2"; sed 's/enable_script_security//; s/script_user.*//; s/advert_int 1/advert_int 0.1\nversion 3/; /authentication/,/}/d' /etc/keepalived/keepalived.conf) >/run/conf
	[ "$1" = late ] || keepalived -t -f /run/conf # keepalived crashes
	echo "tested: $?"
	keepalived -f /run/conf
	echo "returned $?"
	until_ holds
	MAIN=$(cat /run/keepalived.pid)
	kill "$MAIN"
	until_ sh -c "! kill -0 $MAIN"
	cat /run/notes
}
life failing 'startup_script "/run/note first"
shutdown_script "/run/note last" root'
life hanging 'startup_script "/run/note first 60"
startup_script_timeout 1
shutdown_script "/run/note last 60"
shutdown_script_timeout 1'
life unsafe 'enable_script_security
script_user root
startup_script "/run/open/note first"
shutdown_script "/run/note last"'
life strangers 'startup_script "/run/note first" nobody-knows
shutdown_script "/run/note last" root nobody-knows'
life late 'startup_script "/run/note first"
script_user nobody
enable_script_security'
echo done
