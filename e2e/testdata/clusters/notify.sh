#!/bin/bash
# keepalived calls: notify.sh TYPE NAME STATE PRIORITY.
# The state file /etc/keepalived/NAME holds the last state that was mailed.
file=/etc/keepalived/$2
[[ -f $file && $(<"$file") == "$3" ]] && exit 0
/bin/python /etc/keepalived/sendmail.py "$3" "$1" "$2" && echo "$3" >"$file"
