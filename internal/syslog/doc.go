// Package syslog is where lvsd's log goes: to syslog as keepalived writes it,
// with its idents, and to the console in keepalived's form.
//
// Logging never waits. Each destination has a bounded buffer and a goroutine;
// what a stuck or missing one cannot take is lost, the oldest lines first, and
// counted in the log itself once it is back.
//
//	zap.Logger --> core --+--> buffer --> goroutine --> /dev/log
//	                      +--> buffer --> goroutine --> console
package syslog
