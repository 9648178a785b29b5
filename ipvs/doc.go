// Package ipvs keeps the kernel's virtual services as the configuration and
// the health of the real servers want them.
//
// Two pure parts decide: a [Pool] for each service knows the health of its
// real servers and says what the service should be, and whether it has its
// quorum; [Diff] says which operations lead there. [Manager] is the shell
// around them: one goroutine that owns all pools and remembers what is really
// in the kernel. A service of a group is several in the kernel, a row for each
// of its addresses and marks.
//
//	supervisor --Apply--+                 +--> Kernel.Do, all operations together
//	                    |                 |
//	                    +-> Manager.Run --+--> OnChange: notify_*, quorum_*, FIFOs
//	                    |   Pool.Step     |
//	checker ----Health--+   Diff          +--> log
//
// What the kernel refuses is read again and repaired with a growing delay, and
// every row is compared with the kernel's from time to time. Services that are
// in the kernel but not in the configuration belong to somebody else and are
// left alone.
//
// With nftables_ipvs a service of a group is one of a firewall mark, which
// [Marks] gives and a [Marker] puts on the packets to its addresses: after the
// service is there, and until it goes.
//
// [SyncDaemons] is a second, smaller shell: the kernel's daemons that send and
// receive connections.
package ipvs
