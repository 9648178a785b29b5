// Package daemon is what makes a process a daemon as keepalived is one: it
// detaches from its terminal, keeps pid files, and, where it is the first
// process of a container, waits for the orphans of its scripts.
//
// A Go program cannot fork. [Daemonize] executes the command again, as it was
// called, in a session of its own, and waits until that process says that it
// has started:
//
//	keepalived -f FILE                     Daemonize: start the copy, wait
//	  \-- keepalived -f FILE               Inherit: I am the copy
//	        ... reads FILE, writes pid files, starts ...
//	        Ready: chdir /, /dev/null  --> the command ends with status 0
//	        or exit N                  --> the command ends with status N
package daemon
