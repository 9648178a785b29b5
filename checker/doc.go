// Package checker watches the real servers.
//
// A [Checker] is one probe: one deadline, no memory. A [Policy] is pure and
// decides what a result means and when the next probe is due. [Scheduler] is
// the shell around them. An idle check costs a line of the agenda and no
// goroutine. Run is the loop that begins what is due; a check that is due takes
// one of a bounded number of places, or waits in the queue for one.
//
//	agenda --due--> at most Options.InFlight probes --+--> OnResult, on change
//	                  a worker in Checker.Check, or   +--> log
//	                  a socket of the poller          +--> Policy.Step, and the
//	                                                       agenda again
//
// What there may be tens of thousands of is a talk on the poller: the loop waits
// for its one epoll instance, brings the sockets on and judges what has come, all
// in one goroutine. TLS, HTTP/2 and scripts have a worker each while they are in
// flight, and what is told has one. [Once] runs a check by itself, with a goroutine,
// and tells its steps.
//
// The script of a MISC_CHECK is run by whoever makes the Scheduler, see [Script].
// [Watch] holds the checks that do not probe: FILE_CHECK and BFD_CHECK.
//
// A new kind of check is a file with its [Checker], and a line in recipe. Its
// way to the server is a dialer, dial.go, or a journey, journey.go.
package checker
