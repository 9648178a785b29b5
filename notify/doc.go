// Package notify runs the scripts of a configuration: notify* of VRRP
// instances, sync groups and real servers, and vrrp_script. keepalived.conf(5)
// describes them.
//
// Scripts are executed without a shell, except for a line that holds shell
// operators, in a process group of their own that is ended as a whole when
// its time is over. They are always waited for.
//
// [Dispatcher] takes what happened and never blocks who tells it. Events of
// one object keep their order, and one script of an object runs at a time;
// objects do not wait for each other:
//
//	Notify --> queue of VI_1 --> worker --> notify_master, then notify
//	  |   \--> queue of VI_2 --> worker --> ...
//	  |
//	 Run: one worker for each object that has something to do
//
// [FIFOs] and [Mailer] take the same events to named pipes and to mail servers.
//
// [Tracker] runs one vrrp_script at its interval and reports its verdicts.
package notify
