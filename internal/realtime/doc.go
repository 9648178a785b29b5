// Package realtime schedules the threads on which milliseconds count: that of
// VRRP and that of BFD.
package realtime
