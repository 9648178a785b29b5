package checker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// listener is a server whose kernel takes connections and requests; nobody
// answers, and it costs no goroutine.
func listener(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(name.(*unix.SockaddrInet4).Port))
}

// Checks of HTTP in the clear that wait cost a descriptor each and no
// goroutine, as many as are allowed; the others wait in line without either.
func TestManyMute(t *testing.T) {
	const inFlight, checks = 100, 1000
	at := listener(t)
	params := &config.HTTPParams{URLs: []config.URL{{Path: "/"}}}
	timing := parseTiming(strings.Fields("delay_loop=60s"))
	timing.ConnectTimeout = config.Some(time.Hour)
	service := config.Service{Key: config.ServiceKey{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Protocol: config.TCP}}
	server := netip.MustParseAddr("10.1.0.0")
	for range checks {
		service.Servers = append(service.Servers, config.Server{
			Addr:   netip.AddrPortFrom(server, 80),
			Checks: []config.Check{{Kind: config.HTTPGet, ConnectIP: at.Addr(), ConnectPort: at.Port(), Timing: &timing, Params: params}},
		})
		server = server.Next()
	}
	time.Sleep(10 * time.Millisecond) // what the tests before have left
	goroutines, open := runtime.NumGoroutine(), descriptors(t)
	s := New(Options{Log: zap.NewNop(), OnResult: func(r Report) { t.Errorf("%+v", r) }, Rand: rand.New(rand.NewPCG(1, 2)), InFlight: inFlight})
	if err := s.Apply([]config.Service{service}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	waiting := 0
	for waiting < checks-inFlight {
		time.Sleep(10 * time.Millisecond)
		s.mu.Lock()
		waiting = len(s.queue)
		s.mu.Unlock()
	}
	if got := descriptors(t) - open; got > inFlight+10 {
		t.Errorf("%d descriptors for %d probes at a time", got, inFlight)
	}
	if got := runtime.NumGoroutine(); got > goroutines+10 { // the scheduler, the poller, and the runtime's own
		t.Errorf("%d goroutines for %d probes at a time, %d before", got, inFlight, goroutines)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := descriptors(t); got > open {
		t.Errorf("%d descriptors are left open", got-open)
	}
}

// hears is a talk that counts what it hears.
type hears struct {
	say   []byte
	times int
	heard bytes.Buffer
	end   error
}

func (h *hears) begin() []byte { return h.say }

func (h *hears) hear(b []byte, end error) ([]byte, bool, error) {
	h.times++
	h.heard.Write(b)
	h.end = end
	return nil, false, nil
}

// flying gives the only flight of a poller that does not run, on one end of a
// connection, and the other end.
func flying(t *testing.T, of talk) (p *poller, a *flight, server net.Conn) {
	t.Helper()
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	p.travel(journey{dialer: dialer{target: at}, network: "tcp", step: generous, talk: of}, func(error) Result { return Result{} }, func(Result) {})
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for _, a = range p.flying {
	}
	return p, a, server
}

// A server that floods has its turns, and then the others have theirs.
func TestPollerTurns(t *testing.T) {
	h := &hears{say: []byte("hello")}
	p, a, server := flying(t, h)
	p.buffer = p.buffer[:16]
	event := unix.EpollEvent{Fd: a.fd, Pad: a.serial}
	p.event(event)
	said := make([]byte, 5)
	if _, err := io.ReadFull(server, said); err != nil || string(said) != "hello" {
		t.Fatalf("%q %v", said, err)
	}
	if _, err := server.Write(make([]byte, 1000)); err != nil { // on loopback it is there at once
		t.Fatal(err)
	}
	p.event(event)
	if h.times != turns || h.heard.Len() != turns*len(p.buffer) {
		t.Errorf("heard %d times, %d octets", h.times, h.heard.Len())
	}
}

// What the socket does not take at once is sent later.
func TestPollerSaysMuch(t *testing.T) {
	much := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	h := &hears{say: much}
	p, a, server := flying(t, h)
	event := unix.EpollEvent{Fd: a.fd, Pad: a.serial}
	p.event(event)
	if len(a.saying) == 0 || a.watched != unix.EPOLLOUT {
		t.Fatalf("%d octets are left, waiting for %x", len(a.saying), a.watched)
	}
	heard := make(chan []byte)
	go func() {
		b := make([]byte, len(much))
		_, _ = io.ReadFull(server, b)
		heard <- b
	}()
	for len(a.saying) > 0 {
		p.event(event)
		runtime.Gosched()
	}
	if !bytes.Equal(<-heard, much) || a.watched != unix.EPOLLIN {
		t.Errorf("something else was heard, or waiting for %x", a.watched)
	}
}

// Each end of a connection is told.
func TestPollerTalkEnds(t *testing.T) {
	for name, want := range map[string]error{"closed": io.EOF, "reset": unix.ECONNRESET, "late": errLate} {
		t.Run(name, func(t *testing.T) {
			h := &hears{say: []byte("x")}
			at := webServer(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 1))
				switch name {
				case "reset":
					abort(c)
				case "late":
					drip(c, "")
				}
			})
			done := make(chan error)
			j := journey{dialer: dialer{target: at}, network: "tcp", step: generous, talk: h}
			if name == "late" {
				j.pieces, j.step, j.total = true, 100*time.Millisecond, 200*time.Millisecond
			}
			travel(polling(t), j, func(err error) { done <- err })
			if err := <-done; err != nil || !errors.Is(h.end, want) {
				t.Errorf("%v, %v", err, h.end)
			}
		})
	}
}
