// Package ipvs keeps the kernel's virtual services as the configuration and
// the health of the real servers want them.
//
// Two pure parts decide: a [Pool] for each service knows the health of its
// real servers and says what the service should be; [Diff] says which
// operations lead there. [Manager] is the shell around them: one goroutine
// that owns all pools and remembers what is really in the kernel.
//
//	supervisor --Apply--+                 +--> Kernel.Do, one service at a time
//	                    |                 |
//	                    +-> Manager.Run --+--> OnServer: notify_up, notify_down
//	                    |   Pool.Step     |
//	checker ----Health--+   Diff          +--> log
//
// What the kernel refuses is read again and repaired with a growing delay.
// Services that are in the kernel but not in the configuration belong to
// somebody else and are left alone.
package ipvs
