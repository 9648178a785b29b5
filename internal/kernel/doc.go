// Package kernel is the one place that changes and watches the network
// configuration of the kernel. Callers declare which links, sysctls, closed
// addresses, addresses, routes and rules they want; [Host] makes it so,
// additions before deletions, remembers what is really there, and repairs what
// others removed. [Links] reports the state of every link.
//
//	Claim ---+                       +--> rtnetlink: add, delete
//	Hold  ---+-> Host (one mutex) ---+--> nftables, net.ipv4.conf
//	survey --+                       +--> AF_PACKET: ARP, NA
//	   ^
//	   +---- Links.Run <-- rtnetlink: links, addresses, routes, rules change
//	              |
//	              +--> changed(Link)
//
// What is claimed is an object of one of several kinds; the order of the kinds
// is that of additions, deletions go the other way.
//
// Sockets are opened by [Open] and by [Links.Run], on the calling thread: a
// caller that is in another network namespace works on that one.
package kernel
