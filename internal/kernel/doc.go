// Package kernel is the one place that changes and watches links and
// addresses. Callers declare which addresses they want; [Host] makes it so,
// additions before deletions, remembers what is really there, and repairs what
// others removed. [Links] reports the state of every link.
//
//	Claim ---+                       +--> rtnetlink: add, delete
//	Hold  ---+-> Host (one mutex) ---+
//	resync --+                       +--> AF_PACKET: ARP, NA
//	   ^
//	   +---- Links.Run <-- rtnetlink: link and address changes
//	              |
//	              +--> changed(Link)
//
// Sockets are opened by [Open] and by [Links.Run], on the calling thread: a
// caller that is in another network namespace works on that one.
package kernel
