// Package bfd detects whether a neighbor can be reached: Bidirectional
// Forwarding Detection, RFC 5880, over IP as RFC 5881 and RFC 5883 say,
// asynchronous mode, without authentication, echo and demand, as keepalived.
//
// A [Session] is pure: packets and time in, packets and changes of state out.
// [Runner] is the shell around all sessions: one loop on a real-time thread, a
// socket to receive for each family and port, one to send for each session.
//
//	supervisor --Apply--+
//	                    +--> Runner.Run --> those who follow
//	sockets --datagram--+      Session.Step --> sockets
package bfd
