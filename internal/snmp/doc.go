// Package snmp is what lvsd shows to an SNMP daemon, and what it tells it:
// KEEPALIVED-MIB, VRRP-MIB (RFC 2787) and VRRPV3-MIB (RFC 6527), with their
// notifications. The objects are named as in these.
//
// A [State], the configuration and what dumps show, is made to a view: columns
// that find their values when they are asked for. The [Agent] asks for a state
// when somebody reads, and not more often than once a second.
package snmp
