// Package vrrp is the Virtual Router Redundancy Protocol, versions 2
// (RFC 3768) and 3 (RFC 9568), with keepalived's additions: FAULT, tracking,
// sync groups, nopreempt, startup delays, authentication (PASS, AH, auth_hmac).
//
// The protocol is pure: [Group.Step] is a function of state, time and event,
// and answers with effects in the order in which they must happen. A timeout
// is an event, time an argument. The shell around it, [Runner], only carries:
// datagrams, deadlines and link changes in, effects out.
//
//	sockets --+                     +--> adverts, on the loop itself
//	timer  ---+-> Runner's loop ----+
//	posts  ---+   Group.Step        +--> one ordered queue per group:
//	 links, scripts, reloads             Claim, Announce, notify, log
//
// The loop has a real-time thread to itself. Nothing on it blocks, and nothing
// that is done often allocates.
//
// Announcements that must keep a distance wait behind that queue, in a lane for
// each interface or garp_group.
package vrrp
