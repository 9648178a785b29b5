// Package checker watches the real servers.
//
// A [Checker] is one probe: one deadline, no memory. A [Policy] is pure and
// decides what a result means and when the next probe is due. [Scheduler] is
// the shell around them. An idle check costs a timer and no goroutine; a timer
// that fires takes one of a bounded number of places, or leaves its check in
// the queue of those that wait for one.
//
//	timers --due--> at most Options.InFlight probes --+--> OnResult, on change
//	                  a worker in Checker.Check, or   +--> log
//	                  a socket of the poller          +--> Policy.Step, and the
//	                                                       timer again
//
// What there may be tens of thousands of is a talk on the poller: one goroutine
// and one epoll instance for all. TLS, HTTP/2 and scripts have a worker each while
// they are in flight. [Once] runs a check by itself, with a goroutine, and tells
// its steps.
//
// The script of a MISC_CHECK is run by whoever makes the Scheduler, see [Script].
// [Watch] holds the checks that do not probe: FILE_CHECK and BFD_CHECK.
//
// A new kind of check is a file with its [Checker], and a line in recipe. Its
// way to the server is a dialer, dial.go, or a journey, journey.go.
package checker
