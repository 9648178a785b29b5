// Package netns makes network namespaces for tests: hosts on a wire that exists
// only in this kernel. Everything is named after its test and removed with it.
//
// A namespace belongs to a thread. [NS.Do] runs a function on a thread that is
// inside; a socket opened there stays inside wherever it is used later, a
// goroutine started there does not.
package netns
