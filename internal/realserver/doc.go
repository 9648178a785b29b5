// Package realserver does the real server's side of LVS: with direct routing
// and tunnels a real server itself answers for the virtual addresses, and must
// not tell the network so.
//
//	keepalived.conf, or addresses --> Want --+
//	                                         +--> Start, Stop --> steps --> kernel
//	kernel --> Have -------------------------+--> Check ------> findings
//	state file --> Saved --------------------+
//
// What leads from what is there to what is wanted is pure: plan.go, check.go.
// The shell is run.go. What was changed is noted in a state file, so that a stop
// puts back what was there before, and nothing else.
package realserver
