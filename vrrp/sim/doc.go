// Package sim is a world for the pure machines of package vrrp: clusters of
// routers on one heap of events, in virtual time, with everything that goes
// wrong between and on them. Nothing in it has a clock, a goroutine or dice of
// its own: the same [Scenario] gives the same history, always.
//
//	Generate(seed) -> Scenario <-> text
//	                     |
//	                     v
//	Run: agenda -> faults, datagrams, timers -> vrrp.Group.Step -> effects
//	                                                 |
//	      oracle: what must come of each event  <----+
//	      calm:   what must hold when it is quiet
//
// A scenario is text that a person can read and write. One that breaks an
// invariant is shrunk with [Shrink] and kept as a test in testdata/sim. Only
// tests import this package.
package sim
