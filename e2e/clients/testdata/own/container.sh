# What dist/Containerfile makes: the program alone in a file system that has
# nothing else, as process 1, with the capabilities of the comment and what
# container runtimes leave of /proc and /sys.
file=$SCRIPTS/../../../dist/Containerfile
image=/run/image
mkdir -p $image/etc $image/proc $image/sys $image/dev
mount -t tmpfs none $image/dev
touch $image/dev/null
mount --bind /dev/null $image/dev/null
while read -r word arguments; do
	case $word in
	COPY) # bin/lvsd is the program
		set -- $arguments
		install -D -m 755 /usr/sbin/keepalived "$image$2"
		;;
	VOLUME) mkdir -p $(printf '%s' "$arguments" | tr -d '[]",' | sed "s|/|$image/|g") ;;
	esac
done <"$file"
mkdir -p $image/etc/keepalived
cp /etc/keepalived/keepalived.conf $image/etc/keepalived
sed -i '/^vrrp_script/,/^}/d; /track_script/,/}/d; /script/d' $image/etc/keepalived/keepalived.conf
mount --bind $image/etc/keepalived $image/etc/keepalived
mount -o remount,bind,ro $image/etc/keepalived
cat >/run/runtime.py <<'P'
import ctypes, json, os, re, sys
text = open(sys.argv[1]).read()
names = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE".split()
keep = {names.index(n) for n in re.findall(r"--cap-add (\w+)", text)}
entry = json.loads(re.search(r"^ENTRYPOINT (.*)", text, re.M).group(1))
print("capabilities:", *(names[n] for n in sorted(keep)), flush=True)
os.chroot(sys.argv[2])
os.chdir("/")
libc = ctypes.CDLL(None, use_errno=True)
for n in range(64):
    if n not in keep:
        libc.prctl(24, n, 0, 0, 0)  # PR_CAPBSET_DROP
os.execve(entry[0], entry, {"PATH": "/usr/sbin"})
P
unshare --pid --mount --fork sh -c "mount -t proc none $image/proc; mount -o remount,bind,ro $image/proc/sys 2>/dev/null || { mount --bind $image/proc/sys $image/proc/sys; mount -o remount,bind,ro $image/proc/sys; }; exec python3 /run/runtime.py $file $image" >/run/log 2>&1 &
MAIN=$!
until_ holds
sed 's/^... ... .. ..:..:.. ....: //' /run/log | grep -v '^Starting\|^Running\|^Command'
MAIN=$(pgrep -P $MAIN)
ls $image/run
kill -USR1 "$MAIN"
until_ test -s $image/tmp/keepalived.data
stat -c '%a %n' $image/tmp/keepalived.data
grep -m 1 'State = ' $image/tmp/keepalived.data
kill "$MAIN"
gone() { ! holds; }
until_ gone
wait
tail -n 1 /run/log | sed 's/^... ... .. ..:..:.. ....: //'
ls -A $image/run
echo done
