// Package systemd runs lvsd as a service of the real systemd: a copy of this
// machine's files in namespaces of its own, with systemd as its first process,
// and a switch on which its adverts are seen.
package systemd
