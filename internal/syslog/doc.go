// Package syslog is where lvsd's log goes: to syslog as keepalived writes it,
// with its idents, to the console and to log files in keepalived's form or one
// for programs, and to systemd's journal with fields.
//
// Logging never waits. Each destination has a bounded buffer and a goroutine;
// what a stuck or missing one cannot take is lost, the oldest lines first, and
// counted in the log itself once it is back. The others are told when one of
// them begins to fail.
//
//	zap.Logger --> core --+--> buffer --> goroutine --> /dev/log, or the journal
//	                      +--> buffer --> goroutine --> console
//	                      +--> buffer --> goroutine --> log files
package syslog
