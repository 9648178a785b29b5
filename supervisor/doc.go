// Package supervisor starts the parts of lvsd, feeds them one configuration
// after the other and stops them: the only place where siblings meet.
//
//	                parser.Load
//	                     |
//	signals --> Supervisor.Run --> Apply --> vrrp.Runner ----> notify.Dispatcher
//	                     |                      ^    ^
//	                     |     kernel.Links ----+    +---- scripts' verdicts
//	                     |
//	                     +-------> Apply --> checker.Scheduler --> ipvs.Manager --> notify.Dispatcher
//
// A reload is a transaction: the new file is read and checked completely
// before anything changes, and refused when it is missing, empty or has an
// error that the running configuration did not have.
package supervisor
