// Package checker watches the real servers.
//
// A [Checker] is one probe: one deadline, no memory. A [Policy] is pure and
// decides what a result means and when the next probe is due. [Scheduler] is
// the shell around them. An idle check costs a timer and no goroutine; a timer
// that fires becomes one of a bounded number of workers, or leaves its check in
// the queue of those.
//
//	timers --due--> at most Options.InFlight workers --+--> OnResult, on change
//	                  Checker.Check, Policy.Step       +--> log
//	                  arm the timer again
//
// The script of a MISC_CHECK is run by whoever makes the Scheduler, see [Script].
// [Watch] holds the checks that do not probe: FILE_CHECK and BFD_CHECK.
//
// A new kind of check is a file with its [Checker], and a line in build.
package checker
