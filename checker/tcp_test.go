package checker

import (
	"context"
	"iter"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// listen gives a port of loopback that accepts connections, and the addresses
// that they came from.
func listen(t *testing.T, addr string) (config.Check, <-chan netip.AddrPort) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	from := make(chan netip.AddrPort, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			from <- c.RemoteAddr().(*net.TCPAddr).AddrPort()
			_ = c.Close()
		}
	}()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	return config.Check{
		Kind: config.TCPCheck, ConnectIP: at.Addr(), ConnectPort: at.Port(),
		Timing: &config.Timing{ConnectTimeout: config.Some(5 * time.Second)},
	}, from
}

// ways are the two ways to run a TCP_CHECK.
func ways(t *testing.T, check config.Check) map[string]func() Result {
	p := polling(t)
	return map[string]func() Result{
		"dialled": func() Result { return newTCP(check).Check(t.Context()) },
		"polled": func() Result {
			result := make(chan Result, 1)
			newTCP(check).start(p, func(r Result) { result <- r })
			return <-result
		},
	}
}

// connections are the results of a TCP_CHECK, run in both ways.
func connections(t *testing.T, check config.Check) iter.Seq2[string, Result] {
	return func(yield func(string, Result) bool) {
		for way, run := range ways(t, check) {
			if !yield(way, run()) {
				return
			}
		}
	}
}

func TestTCPSuccess(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		check, from := listen(t, addr)
		for way, r := range connections(t, check) {
			if !r.Up || r.Reason != "" {
				t.Errorf("%s, %s: %+v", addr, way, r)
			}
			<-from
		}
	}
}

func TestTCPBind(t *testing.T) {
	if os.Geteuid() != 0 && testing.Short() {
		t.Skip("LEFT OUT by -short: SO_MARK takes root; `make test` runs it")
	}
	check, from := listen(t, "127.0.0.1:0")
	check.Bind = &config.Bind{BindTo: netip.MustParseAddr("127.0.0.9"), BindIf: "lo", FWMark: 7}
	for way, r := range connections(t, check) {
		if !r.Up {
			t.Fatalf("%s: %+v", way, r)
		}
		if got := (<-from).Addr(); got != check.Bind.BindTo {
			t.Errorf("%s: came from %v", way, got)
		}
	}
}

func TestTCPRefused(t *testing.T) {
	check, _ := listen(t, "127.0.0.1:0")
	check.ConnectIP = netip.MustParseAddr("127.0.0.77") // nobody listens there
	for way, r := range connections(t, check) {
		if r.Up || r.Local != "" || r.Timeout || !strings.Contains(r.Reason, "connection refused") {
			t.Errorf("%s: %+v", way, r)
		}
	}
}

// full is a check of a server with a full accept queue, which leaves the
// handshake without an answer.
func full(t *testing.T, timeout time.Duration) config.Check {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	check := config.Check{
		ConnectIP: netip.MustParseAddr("127.0.0.1"), ConnectPort: uint16(name.(*unix.SockaddrInet4).Port),
		Timing: within(50 * time.Millisecond),
	}
	for range 4 { // the first ones fill the queue
		if r := newTCP(check).Check(t.Context()); !r.Up {
			check.Timing = within(timeout)
			return check
		}
	}
	t.Fatal("the queue takes everything")
	return check
}

func TestTCPTimeout(t *testing.T) {
	for way, r := range connections(t, full(t, 50*time.Millisecond)) {
		if r.Up || !r.Timeout || r.Local != "" {
			t.Errorf("%s: %+v", way, r)
		}
	}
}

// What this host cannot do is not the server's failure.
func TestTCPLocal(t *testing.T) {
	check, _ := listen(t, "127.0.0.1:0")
	for name, change := range map[string]func(*config.Check){
		"address":   func(c *config.Check) { c.Bind = &config.Bind{BindTo: netip.MustParseAddr("192.0.2.1")} },
		"interface": func(c *config.Check) { c.Bind = &config.Bind{BindIf: "nosuchlink"} },
	} {
		c := check
		change(&c)
		for way, r := range connections(t, c) {
			if r.Up || r.Local != "TCP socket bind failed. Rescheduling." || r.Reason == "" {
				t.Errorf("%s, %s: %+v", name, way, r)
			}
		}
	}
}

func TestTCPWithoutDescriptors(t *testing.T) {
	check, _ := listen(t, "127.0.0.1:0")
	by := ways(t, check)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	for way, r := range by {
		if r := r(); r.Local != "TCP connect fail to create socket. Rescheduling." {
			t.Errorf("%s: %+v", way, r)
		}
	}
}

// The port that a check is bound to can be used again at once.
func TestTCPBindPort(t *testing.T) {
	check, from := listen(t, "127.0.0.1:0")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check.Bind = &config.Bind{BindTo: netip.MustParseAddr("127.0.0.1"), BindPort: free.Addr().(*net.TCPAddr).AddrPort().Port()}
	_ = free.Close()
	for range 2 {
		for way, r := range connections(t, check) {
			// The connection before may be in TIME_WAIT: that is local, too.
			if !r.Up && r.Local == "" {
				t.Fatalf("%s: %+v", way, r)
			}
		}
	}
	if got := (<-from).Port(); got != check.Bind.BindPort {
		t.Errorf("came from port %d", got)
	}
}

func TestTCPCancelled(t *testing.T) {
	check, _ := listen(t, "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := newTCP(check).Check(ctx); r.Up {
		t.Errorf("%+v", r)
	}
}

func TestFailure(t *testing.T) {
	for errno, local := range map[syscall.Errno]bool{
		unix.ENETUNREACH: false, unix.EHOSTUNREACH: false, unix.ECONNREFUSED: false, unix.EADDRNOTAVAIL: true,
	} {
		r := failure(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}, &tcpPhrases)
		if (r.Local != "") != local {
			t.Errorf("%v: %+v", errno, r)
		}
	}
}
