package rig

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Listen opens a TCP listener inside h.
func (h *Host) Listen(address string) net.Listener {
	h.lab.t.Helper()
	var listener net.Listener
	err := h.do(func() (err error) {
		var config net.ListenConfig
		config.SetMultipathTCP(false)
		listener, err = config.Listen(context.Background(), "tcp", address)
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: listen on %s: %v", h.Name, address, err)
	}
	return listener
}

// A Web is a web server that answers every request with its host's name.
type Web struct {
	Host    *Host
	ports   []uint16
	server  *http.Server
	serving sync.WaitGroup
}

// Serve starts a web server on some ports of all addresses of h.
func (h *Host) Serve(ports ...uint16) *Web {
	h.lab.t.Helper()
	w := &Web{Host: h, ports: ports}
	w.Start()
	h.lab.t.Cleanup(w.Stop)
	return w
}

// Start starts the server again after a Stop.
func (w *Web) Start() {
	w.Host.lab.t.Helper()
	w.server = w.Host.namer()
	for _, port := range w.ports {
		listener := w.Host.Listen(fmt.Sprintf(":%d", port))
		w.serving.Go(func() { _ = w.server.Serve(listener) }) // it always ends with an error
	}
}

// namer answers every request with the host's name.
func (h *Host) namer() *http.Server {
	return &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, h.Name)
	})}
}

// Stop ends the server at once: connections are refused from then on.
func (w *Web) Stop() {
	_ = w.server.Close()
	w.serving.Wait()
}

// A Tally is what came of some requests: answers by host name, and errors.
type Tally struct {
	Answers map[string]int
	Lost    []error
}

// String reads "10 from a, 10 from b, 0 lost".
func (t Tally) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(t.Answers)) {
		parts = append(parts, fmt.Sprintf("%d from %s", t.Answers[name], name))
	}
	parts = append(parts, fmt.Sprintf("%d lost", len(t.Lost)))
	if len(t.Lost) > 0 {
		parts = append(parts, "the first one: "+t.Lost[0].Error())
	}
	return strings.Join(parts, ", ")
}

// Even reports whether exactly these hosts answered, equally often, with no
// request lost.
func (t Tally) Even(names ...string) bool {
	if len(t.Lost) > 0 || len(t.Answers) != len(names) {
		return false
	}
	for _, name := range names {
		if n := t.Answers[name]; n == 0 || n != t.Answers[names[0]] {
			return false
		}
	}
	return true
}

// Add counts the outcome of one request.
func (t *Tally) Add(name string, err error) {
	if err != nil {
		t.Lost = append(t.Lost, err)
		return
	}
	if t.Answers == nil {
		t.Answers = map[string]int{}
	}
	t.Answers[name]++
}

// answerTime is how long a client waits for an answer.
const answerTime = 2 * time.Second

// Get sends one request, on a connection of its own, and answers with the
// name of the host that answered.
func (h *Host) Get(server netip.AddrPort) (string, error) {
	return get(server, h.dial)
}

func get(server netip.AddrPort, dial func(ctx context.Context, network, address string) (net.Conn, error)) (string, error) {
	client := http.Client{Timeout: answerTime, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	response, err := client.Get("http://" + server.String() + "/")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	name, err := io.ReadAll(response.Body)
	return string(name), err
}

// Client ports: below those that the kernel gives out.
const firstPort, lastPort = 1024, 32767

// dial connects from inside h, from the next port. A port that the kernel
// chose might be one of a minute ago, whose connection IPVS still knows and
// sends to the same real server again, which upsets an even balance.
func (h *Host) dial(ctx context.Context, _, address string) (conn net.Conn, err error) {
	port := firstPort + int(h.dialled.Add(1)%(lastPort-firstPort))
	err = h.do(func() (err error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{Port: port}}
		conn, err = dialer.DialContext(ctx, "tcp", address)
		return err
	})
	return conn, err
}

// Load sends n requests, one after the other.
func (h *Host) Load(server netip.AddrPort, n int) Tally {
	var t Tally
	for range n {
		t.Add(h.Get(server))
	}
	return t
}

// LostRequest is the error of a request of a [Stream].
type LostRequest struct {
	Began, Ended time.Time
	Err          error
}

func (l *LostRequest) Error() string {
	return fmt.Sprintf("at %s: %s", l.Began.Format("15:04:05.000"), l.Err)
}

// Unwrap is the reason.
func (l *LostRequest) Unwrap() error { return l.Err }

// A Stream is a client that sends requests all the time.
type Stream struct {
	stop chan struct{}
	done sync.WaitGroup
	mu   sync.Mutex
	sum  Tally
}

// streamInterval is the pause between two requests of a Stream.
const streamInterval = 50 * time.Millisecond

// Stream starts a client that sends requests until [Stream.Stop].
func (h *Host) Stream(server netip.AddrPort) *Stream {
	s := &Stream{stop: make(chan struct{})}
	s.done.Go(func() {
		for {
			began := time.Now()
			name, err := h.Get(server)
			if err != nil {
				err = &LostRequest{Began: began, Ended: time.Now(), Err: err}
			}
			s.mu.Lock()
			s.sum.Add(name, err)
			s.mu.Unlock()
			select {
			case <-s.stop:
				return
			case <-time.After(streamInterval):
			}
		}
	})
	return s
}

// Stop ends the client and answers with what came of its requests.
func (s *Stream) Stop() Tally {
	close(s.stop)
	s.done.Wait()
	return s.sum
}
