// Package vrrp tests lvsd's VRRP as other routers see it: whole daemons in
// network namespaces on one Ethernet segment, next to Debian's keepalived,
// judged by the frames on the wire, by the addresses in the namespaces and by
// the logs. It takes root and no IPVS.
//
// Tests mostly wait, for adverts and deadlines, so many run at once.
package vrrp
