// Package agentx is a subagent of RFC 2741: what a program says to an SNMP
// daemon to have a part of its tree, and to send notifications through it.
//
// The codec (oid.go, value.go, pdu.go) is pure and trusts nothing that it
// reads. A [Subagent] is the shell:
//
//	Run ── connect, open, register ──┬── reads PDUs ── Handler answers
//	Notify ── queue (bounded) ───────┘
//
// Whoever notifies never waits: what does not fit is dropped. A daemon that is
// not there is tried again, from a second up to half a minute later.
package agentx
