// Package dump writes what lvsd runs in keepalived's own layout: the documents
// that SIGUSR1 makes keepalived's four processes write, which -d logs too, and
// the counters of SIGUSR2. Tools read them, so that labels, indentation and
// order are keepalived's: a line of a block is ` Label = value` with one blank
// for each level of nesting, two after the first.
//
// A document is a function of the configuration and of [Facts], which hold
// what else it shows: numbers of accounts, interfaces, and the state of a
// running daemon, that the supervisor collects. Without them it shows a daemon
// that has just read its configuration.
package dump
