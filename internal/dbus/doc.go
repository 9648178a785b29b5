// Package dbus is keepalived's place on the system bus: enable_dbus.
//
//	Apply, State, Reloaded --> queue --> Run --> signals
//	                                      |
//	            the bus <-- connection ---+--> methods --> Daemon
//
// There is an object for VRRP as a whole and one for each instance, named after
// interface, VRID and family, so that it stays the same when the instance gets
// another name. A bus that is not there is looked for again and again, with one
// line in the log.
package dbus
