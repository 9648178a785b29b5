#!/bin/sh
# Keeps a line for each notification.
echo "$@" >>/etc/keepalived/notified
