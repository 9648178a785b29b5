package vrrp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel/kerneltest"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// tape writes down what is sent and told.
type tape struct {
	mu    sync.Mutex
	lines []string
	last  uint32 // number of an authentication header
}

func (tp *tape) write(line string) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.lines = append(tp.lines, line)
}

func (tp *tape) read() []string {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return slices.Clone(tp.lines)
}

func (tp *tape) Open(Socket, []uint8, func()) (Conn, error)  { return tp, nil }
func (tp *tape) Receive(func(*wire.Datagram))                {}
func (tp *tape) Filter([]uint8) error                        { return nil }
func (tp *tape) Buffer(Buffer) error                         { return nil }
func (tp *tape) Close() error                                { return nil }
func (tp *tape) ReceivedLowerPriority(ReceivedLowerPriority) {}
func (tp *tape) Reprioritised(Reprioritised)                 {}

func (tp *tape) Send(o Outgoing) error {
	a, err := wire.Parse(o.Payload, wire.Pseudo{Src: o.Src, Dst: o.Dst})
	if o.AH != nil {
		if o.Sequence <= tp.last {
			tp.write(fmt.Sprint("sent number ", o.Sequence, " again"))
		}
		tp.last = o.Sequence
	}
	if a.Priority == 0 {
		tp.write(fmt.Sprint("resigned ", a.VRID))
	}
	return err
}

func (tp *tape) Notify(b Became) {
	if b.State == config.Fault {
		tp.write(b.Name + " FAULT")
	}
}

// A panic in one group ends that group in order and no other; the next reload
// makes it anew.
func TestPanicIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logged := observer.New(zap.ErrorLevel)
		var host kerneltest.Host
		var written tape
		r := New(Options{Log: zap.New(core), Host: &host, Notifier: &written, Opener: &written})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		link := LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
		if err := r.Link(link); err != nil {
			t.Fatal(err)
		}
		cfg := &config.Config{Global: config.DefaultGlobal}
		for i, name := range []string{"VI_1", "VI_2"} {
			instance := config.DefaultInstance
			instance.Name, instance.Interface, instance.VirtualRouterID = name, "eth0", uint8(i+1)
			vip := netip.AddrFrom4([4]byte{10, 0, 0, byte(101 + i)})
			instance.VirtualIPAddress = []config.Address{{Prefix: netip.PrefixFrom(vip, 24)}}
			if name == "VI_1" {
				instance.Authentication = config.Authentication{Type: config.AuthAH, Pass: "secret"}
			}
			cfg.Instances = append(cfg.Instances, instance)
		}
		cfg.Resolve(nil)
		if err := r.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)

		_ = r.do(func() { r.members["VI_1"].group.members[0] = nil })
		time.Sleep(4 * time.Second)
		if want := []string{"resigned 1", "VI_1 FAULT"}; !slices.Equal(written.read(), want) {
			t.Errorf("got %q, want %q", written.read(), want)
		}
		if got := host.String(); got != "eth0:\n    inet 10.0.0.102/24 scope global eth0\n" {
			t.Errorf("addresses:\n%s", got)
		}
		s, err := r.Snapshot()
		if err != nil || s.Counters.Panics != 1 || s.Instances[0].State != config.Fault || s.Instances[1].State != config.Master {
			t.Errorf("snapshot %+v, %v", s, err)
		}
		entries := logged.All()
		if len(entries) != 1 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()["stack"]), "(*Group).step(") {
			t.Errorf("log: %v", entries)
		}

		if err := r.Apply(cfg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		if s, _ := r.Snapshot(); s.Instances[0].State != config.Master || s.Instances[1].State != config.Master {
			t.Errorf("after a reload: %+v", s.Instances)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := host.String(); got != "" {
			t.Errorf("left behind:\n%s", got)
		}
	})
}
