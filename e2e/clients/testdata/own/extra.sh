# What is no option is said by the command, not by the daemon once more.
keepalived -G -f /etc/keepalived/none.conf extra 2>/dev/null
echo "$?"
echo done
