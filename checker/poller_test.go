package checker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// polling is a poller that runs until the end of the test.
func polling(t *testing.T) *poller {
	t.Helper()
	p, stop := startPolling(t)
	t.Cleanup(stop)
	return p
}

// startPolling starts a poller. stop may be called twice.
func startPolling(t *testing.T) (p *poller, stop func()) {
	t.Helper()
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := p.run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return p, func() {
		cancel()
		<-ended
	}
}

// travel makes a journey and tells how it went.
func travel(p *poller, j journey, done func(error)) {
	var went error
	p.travel(j, func(err error) Result { went = err; return Result{} }, func(Result) { done(went) })
}

// connect makes a connection and tells how it went.
func connect(p *poller, d dialer, timeout time.Duration, done func(error)) {
	travel(p, journey{dialer: d, network: "tcp", step: timeout}, done)
}

// descriptors are how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// A connection that is being made costs one descriptor and no goroutine, and
// each ends once: with its timeout, or with the poller.
func TestPollerInFlight(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"timeout": 500 * time.Millisecond, "end": time.Hour} {
		t.Run(name, func(t *testing.T) {
			const n = 500
			d := newDialer(full(t, patience))
			p, stop := startPolling(t)
			defer stop()
			time.Sleep(10 * time.Millisecond) // what the tests before have left
			goroutines, open := runtime.NumGoroutine(), descriptors(t)
			results := make(chan error, 2*n)
			for range n {
				connect(p, d, timeout, func(err error) { results <- err })
			}
			if got := descriptors(t) - open; len(results) == 0 && (got < n-10 || got > n+10) { // tests before may still close theirs
				t.Errorf("%d descriptors for %d connections", got, n)
			}
			if got := runtime.NumGoroutine(); got > goroutines+10 { // the runtime has some of its own
				t.Errorf("%d goroutines for %d connections, %d before", got, n, goroutines)
			}
			if name == "end" {
				stop()
			}
			for range n {
				switch err := <-results; {
				case name == "timeout" && !errors.Is(err, context.DeadlineExceeded):
					t.Fatal(err)
				case name == "end" && !errors.Is(err, net.ErrClosed):
					t.Fatal(err)
				}
			}
			if got := descriptors(t); got > open {
				t.Errorf("%d descriptors are left open", got-open)
			}
			stop()
			if len(results) != 0 {
				t.Error("a connection has ended twice")
			}
		})
	}
}

func TestPollerEnded(t *testing.T) {
	check, _ := listen(t, "127.0.0.1:0")
	p, stop := startPolling(t)
	stop()
	result := make(chan Result, 1)
	newTCP(check).start(p, func(r Result) { result <- r })
	if r := <-result; r.Up || r.Local == "" {
		t.Errorf("%+v: the end of the poller is not the server's failure", r)
	}
}

// What needs no connection is asked at once: nobody runs this poller.
func TestPollerAsksAtOnce(t *testing.T) {
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	if err := server.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan Result, 1)
	check := config.Check{ConnectIP: netip.MustParseAddr("127.0.0.1"), ConnectPort: uint16(server.LocalAddr().(*net.UDPAddr).Port), Timing: within(time.Hour), Params: new(config.UDPParams)}
	f := newUDP(check).start(p, func(r Result) { ended <- r })
	b := make([]byte, 100)
	if n, _, err := server.ReadFrom(b); err != nil || string(b[:n]) != udpFiller {
		t.Errorf("%q, %v", b[:n], err)
	}
	p.close()
	if r := <-ended; r.Local == "" {
		t.Errorf("%+v", r)
	}
	f.abort(errAborted) // it has ended
	if len(ended) > 0 {
		t.Error("ended twice")
	}
}

// An event of a connection that has ended since says nothing about the next
// one with its descriptor.
func TestPollerStaleEvent(t *testing.T) {
	p := polling(t)
	results := make(chan error, 1)
	connect(p, newDialer(full(t, patience)), time.Hour, func(err error) { results <- err })
	p.mu.Lock()
	at, serial := -1, int32(0)
	for fd, a := range p.flying {
		at, serial = fd, a.serial
	}
	p.mu.Unlock()
	p.event(unix.EpollEvent{Fd: int32(at), Pad: serial - 1})
	if len(results) != 0 {
		t.Errorf("ended with %v", <-results)
	}
	p.event(unix.EpollEvent{Fd: int32(at), Pad: serial}) // of a socket without an error
	if err := <-results; err != nil {
		t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flying)+len(p.limits) > 0 {
		t.Errorf("%d connections and %d limits are left", len(p.flying), len(p.limits))
	}
}

// A connection that is there, and that the poller comes to too late, was not late.
func TestPollerReadyIsNotLate(t *testing.T) {
	const n = 600 // more than are looked at in one go
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	d := dialer{target: listener(t)}
	results := make(chan error, n)
	const timeout = 20 * time.Millisecond
	for range n {
		connect(p, d, timeout, func(err error) { results <- err })
	}
	time.Sleep(2 * timeout)
	for len(results) < n {
		if err := p.wait(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
}
