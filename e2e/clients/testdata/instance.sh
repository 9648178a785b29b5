# instance, names, scripts at both ends and what a reload leaves alone.
cat >/run/note <<'P'
#!/bin/sh
echo "$*" >>/run/notes
exit 3
P
chmod 755 /run/note
sed 's|umask 022|umask 027\n process_name karma\n data_use_instance\n reload_file /run/reloading\n startup_script "/run/note first"\n shutdown_script "/run/note last"|' /etc/keepalived/keepalived.conf >/run/conf
sed -i '1i use_pid_dir\ninstance one' /run/conf
keepalived -D -f /run/conf
until_ holds
ls /run/keepalived/*.pid
MAIN=$(cat /run/keepalived/keepalived_one.pid)
cat /proc/"$MAIN"/comm
cat /run/notes
kill -USR1 "$MAIN"
kill -USR2 "$MAIN"
kill -36 "$MAIN"
sleep 1
find /tmp -name 'keepalived*' -printf '%f %m\n' | sort
# Another name is refused, and a file that is not there.
sed 's/instance one/instance two/' /run/conf >/run/new
mv /run/new /run/conf
kill -HUP "$MAIN"
sleep 1
ls /run/keepalived/*.pid
[ -e /run/reloading ] || echo "no marker"
holds && echo "still master"
kill "$MAIN"
until_ sh -c "! kill -0 $MAIN"
cat /run/notes
[ -e /run/keepalived ] || echo "no folder"
# All pid files, of whatever is not configured, too.
keepalived --all -f /etc/keepalived/keepalived.conf
until_ test -e /run/bfd.pid -a -e /run/checkers.pid -a -e /run/vrrp.pid
kill "$(cat /run/keepalived.pid)"
until_ sh -c '! ls /run/*.pid'
echo done
