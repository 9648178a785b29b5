package checker

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// faulty is a check that panics somewhere on its way, which is polled.
type faulty struct {
	journey
	at string
}

func (f *faulty) Check(context.Context) Result { panic("it has a poller") }

func (f *faulty) start(p *poller, done func(Result)) *flight {
	f.passes("start")
	j := f.journey
	j.talk = f
	return p.travel(j, func(error) Result {
		f.passes("judge")
		return Result{Up: true}
	}, done)
}

func (f *faulty) passes(place string) {
	if place == f.at {
		panic("oh")
	}
}

func (f *faulty) begin() []byte {
	f.passes("begin")
	return []byte("hello")
}

func (f *faulty) hear(_ []byte, end error) (say []byte, over bool, err error) {
	switch {
	case end == nil:
		f.passes("hear")
	case errors.Is(end, io.EOF):
		f.passes("end")
	case errors.Is(end, os.ErrDeadlineExceeded):
		f.passes("late")
	}
	return nil, end != nil, nil
}

// Wherever a check panics that is polled, that is its failure: nothing else
// hears of it, and nothing stays open.
func TestPanicOnThePoller(t *testing.T) {
	for name, f := range map[string]faulty{
		"begin": {}, "hear": {}, "end": {}, "late": {journey{step: 50 * time.Millisecond}, ""}, "judge": {}, "start": {},
		"slow judge":         {journey{slow: true}, "judge"},
		"begin of datagrams": {journey{network: "udp"}, "begin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if f.at == "" {
				f.at = name
			}
			if f.step == 0 {
				f.step = patience
			}
			f.target = listener(t) // is silent
			if f.network == "" && name != "late" {
				f.target = talker(t)
			}
			if f.network == "" {
				f.network = "tcp"
			}
			core, log := observer.New(zapcore.InfoLevel)
			told := make(chan Report, 2)
			s := New(Options{Log: zap.New(core), OnResult: func(r Report) { told <- r }, Rand: rand.New(rand.NewPCG(1, 2))})
			s.build = func(*config.Check) (recipe, error) {
				return recipe{probes: []Checker{&f}, says: &tcpPhrases}, nil
			}
			if err := s.Apply([]config.Service{web(1, "delay_loop=60s")}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- s.Run(ctx) }()
			if r := <-told; r.Up || r.Reason != "panic: oh" {
				t.Errorf("told %+v", r)
			}
			s.mu.Lock()
			p := s.poller
			s.mu.Unlock()
			p.mu.Lock()
			if len(p.flying) > 0 {
				t.Errorf("%d connections are open", len(p.flying))
			}
			p.mu.Unlock()
			cancel()
			if err := <-ended; err != nil || len(told) > 0 {
				t.Errorf("%v, told %d times more", err, len(told))
			}
			entries := log.FilterLevelExact(zapcore.ErrorLevel).All()
			if len(entries) != 1 || !strings.Contains(entries[0].ContextMap()["stack"].(string), "(*faulty).passes(") {
				t.Errorf("log: %v", entries)
			}
		})
	}
}

// talker is a server that says something to everybody, and closes.
func talker(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, conn, int64(len("hello"))) // or what is sent meets a closed socket
			_, _ = io.WriteString(conn, "hello")
			_ = conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}
