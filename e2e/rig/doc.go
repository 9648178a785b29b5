// Package rig is a network for end-to-end tests: hosts that are network
// namespaces, switches that are bridges, daemons with their logs, packet and
// netlink captures, web servers and clients; and a virtual machine with an
// IPVS kernel for where the host has none.
//
//	func TestMain(m *testing.M) { os.Exit(rig.Main(m)) } // or MainIPVS
//
//	func TestFailover(t *testing.T) {
//		lab := rig.New(t)
//		lan := lab.Switch("lan")
//		a, b := lab.Host("a"), lab.Host("b")
//		a.Plug(lan, "bond0", "192.0.2.1/24") // device names are free
//		b.Plug(lan, "bond0", "192.0.2.2/24")
//		a.File("keepalived.conf", configuration)
//		b.File("keepalived.conf", configuration)
//		wire := b.Capture("bond0")
//		master, backup := a.Start(rig.Binary()), b.Start(rig.Keepalived)
//		backup.Wait(0, "Entering BACKUP STATE", time.Minute)
//		rig.Until(t, "a to hold the address", time.Minute, func() bool { return a.Has(vip) })
//		master.Kill()
//		...
//		for _, advert := range wire.Adverts(time.Time{}) { ... }
//	}
//
// # What there is
//
//   - [Main] and [MainIPVS] are the body of TestMain: they install missing
//     programs, build the daemon under test ([Binary]; LVSD_DAEMON=/usr/sbin/keepalived
//     names another) and run the tests here or in the virtual machine ([VM]).
//   - [New] makes a [Lab], [Lab.Switch] and [Lab.Host] fill it. A [Host] has
//     Plug, Link (pulling the cable), Route, Sysctl, RealServer and
//     TunnelServer; File, RemoveFile and ReadFile for its /etc/keepalived; Run
//     and Command for programs in it; Has (addresses), IPVS (its table) and
//     Processes to look at it without calling a program.
//   - [NewCluster] builds all hosts around a keepalived.conf at once.
//   - [Host.Start] starts a [Daemon]: Signal, Stop (SIGTERM), Kill (-9, all of
//     its processes), Mark and Wait for lines of its log, Log, PIDFiles.
//   - [Host.Capture] sees frames and VRRP adverts with the kernel's time
//     stamps; [Host.WatchNetlink] every change that a process asks the kernel for.
//   - [Host.Serve] answers HTTP with the host's name; [Host.Get], [Host.Load]
//     and [Host.Stream] ask, and tell who answered and what was lost. A
//     [Session] is one connection; [Host.ServeUDP] and [Host.ServeSCTP] answer
//     [Host.AskUDP] and [Host.GetSCTP].
//   - [Until] waits for anything else.
//
// Everything goes away with the test, whose failure prints the daemons' logs.
//
// # Where code runs
//
// Servers, clients and captures are goroutines of the test itself: a socket
// belongs to the namespace of the thread that opens it, so a thread enters the
// host, opens the socket and comes back. Only daemons and commands are
// processes, by ip netns exec.
//
//	   test binary, on the host                 the same test binary, as the guest's command
//	TestMain -> MainIPVS -- qemu, 9p -->  TestMain -> MainIPVS -> tests
//	               ^                                                |
//	               +---- exit status by a shared folder, output by ttyS0
//
// The guest's files are the host's, under an overlay: see [VM], also about
// virtual time.
package rig
