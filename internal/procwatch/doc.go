// Package procwatch counts processes: vrrp_track_process of keepalived.conf(5).
//
//	proc connector -----+
//	                    +--> Run --wakes--> Follow (delays) --> report
//	/proc, every second +
//
// The kernel tells of processes through the proc connector, a netlink family.
// Where it does not, in a container or a network namespace of its own, /proc
// is read every second.
package procwatch
