package vrrp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// light is a waiter that could do everything by itself, and writes down what it
// is told to.
type light struct {
	*sleeper
	told       []string
	limit, due time.Time
	delivered  int
	mouth      *mouth
}

func (l *light) doze(limit time.Time) { l.told, l.limit = l.told[:0], limit }

func (l *light) entrust(o *order, c Conn, made *Effect, out Outgoing, _ time.Time, every time.Duration) {
	l.told = append(l.told, fmt.Sprintf("send to %s id %d every %s", out.Dst, out.ID, every))
	o.made, o.conn = made, new(watch)
}

func (l *light) postpone(o *order, _ Conn, made *Effect, _ uint16, due time.Time) bool {
	l.due = due
	return o.conn != nil && o.made == made
}

func (l *light) withdraw(o *order) {
	if o.conn != nil {
		l.told = append(l.told, fmt.Sprintf("no more after %d", l.mouth.sent))
	}
	o.conn = nil
}

// deliver is asked for what has been sent.
func (l *light) deliver(o *order, due time.Time) (bool, error) {
	l.delivered++
	l.due = due
	return o.conn != nil, nil
}

func (l *light) hears(_ Conn, _ *echo, _ time.Time, down time.Duration) bool {
	l.told = append(l.told, fmt.Sprintf("hear, or be MASTER in %s", down))
	return true
}

func (l *light) wakeful() { l.told = append(l.told[:0], "wake") }

func (m *mouth) capture(e *echo) { e.known = true }

// What a MASTER does again and again the loop need not be awake for; but for what
// has a number, or is not an advert.
func TestHabitsOfMaster(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*config.Instance)
		want   string
	}{
		"multicast": {nil, "[send to 224.0.0.18 id 18 every 1s]"},
		"unicast": {func(i *config.Instance) {
			i.UnicastPeers = []config.Peer{{Addr: netip.MustParseAddr("10.0.0.2")}, {Addr: netip.MustParseAddr("10.0.0.3")}}
		}, "[send to 10.0.0.2 id 18 every 1s send to 10.0.0.3 id 18 every 1s]"},
		"AH": {func(i *config.Instance) {
			i.Version, i.Authentication = config.Some(uint8(2)), config.Authentication{Type: config.AuthAH, Pass: "secret"}
		}, "[]"},
		"auth_hmac": {func(i *config.Instance) {
			key := config.HMACKey{ID: 1, Secret: "0123456789abcdef0123456789abcdef"}
			i.AuthHMAC = &config.AuthHMAC{Keys: []config.HMACKey{key}, ActiveKey: 1}
		}, "[]"},
		"refresh": {func(i *config.Instance) { i.GarpMasterRefresh = config.Some(30 * time.Second) }, "[send to 224.0.0.18 id 18 every 1s]"},
	} {
		t.Run(name, func(t *testing.T) {
			var m mouth
			r := alone(t, &m, tt.change)
			l := &light{sleeper: r.waiter.(*sleeper), told: []string{}, mouth: &m}
			r.waiter = l
			instance := r.members["VI_1"]
			m.sent = 0
			instance.id = 18
			r.entrust(instance)
			if got := fmt.Sprint(l.told); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			now := instance.deadline.Add(-time.Second)
			l.told = nil
			r.doze(now)
			if dozes := len(l.told) == 0; dozes != (tt.want != "[]") {
				t.Errorf("dozes: %t", dozes)
			}
			if refresh := instance.announce.due(); !refresh.IsZero() && !l.limit.Equal(refresh) || refresh.IsZero() && l.limit.Before(now.Add(time.Minute)) {
				t.Errorf("limit in %s", l.limit.Sub(now))
			}
			if tt.want == "[]" {
				return
			}
			before, due := instance.stats.AdvertSent, instance.deadline
			r.told(instance.orders[0], due)
			if sent := instance.stats.AdvertSent - before; sent != 1 || !instance.deadline.Equal(due.Add(time.Second)) || !l.due.Equal(instance.deadline) || instance.id == 18 || l.delivered != instance.targets() || m.sent != 0 {
				t.Errorf("told of it: %d adverts, %d delivered, %d sent, the next in %s, identification %d", sent, l.delivered, m.sent, instance.deadline.Sub(due), instance.id)
			}
			if n := testing.AllocsPerRun(100, func() { r.told(instance.orders[0], instance.deadline) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
			l.told = nil
			instance.compose()
			r.step(instance.group, Tracked{Name: "chk", Up: true})
			if got := fmt.Sprint(l.told); got != strings.ReplaceAll(tt.want, "id 18", fmt.Sprintf("id %d", instance.id)) {
				t.Errorf("another advert: %s", got)
			}
			for n, end := range []func(){
				func() { r.bury(instance.group, "for no reason", nil) },
				func() { r.step(instance.group, Shutdown{}) },
			} {
				m.sent = 0
				instance.state, instance.group.failed = config.Master, false
				r.entrust(instance)
				l.told = nil
				end() // says farewell
				if got := fmt.Sprint(l.told); got != strings.Replace("[no more after 0 no more after 0]", " no more after 0", "", 2-instance.targets()) || m.sent != instance.targets() {
					t.Errorf("end %d: %s, %d sent", n, got, m.sent)
				}
			}
		})
	}
}

// A BACKUP need not be awake for the advert that it has heard before, unless that
// would change anything, or something has happened meanwhile.
func TestHabitsOfBackup(t *testing.T) {
	var m mouth
	r := alone(t, &m, func(i *config.Instance) { i.PreemptDelay = time.Minute })
	l := &light{sleeper: r.waiter.(*sleeper), told: []string{}, mouth: &m}
	r.waiter = l
	says := func(priority uint8) {
		a := wire.Advert{Version: 3, VRID: 51, Priority: priority, Interval: time.Second, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.100")}}
		m.says = wire.Datagram{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("224.0.0.18"), TTL: 255}
		m.says.Payload, _ = a.AppendTo(nil, m.says.Pseudo())
		m.arrived()
		r.posts.do()
	}
	expect := func(what, want string) {
		t.Helper()
		r.doze(time.Now())
		if got := fmt.Sprint(l.told); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	const hear = "[hear, or be MASTER in 3.609375s]"
	says(200)
	expect("BACKUP just now", "[wake]")
	says(200)
	expect("the second advert", hear)
	says(200)
	expect("the third", hear)
	rejected := func() {
		m.says.TTL = 1
		m.arrived()
		r.posts.do()
	}
	rejected()
	expect("a rejected one, which the log is told of", "[wake]")
	says(200)
	rejected()
	expect("one more of them", hear)
	r.step(r.groups.first(), Tracked{Name: "chk", Up: true})
	expect("something else", "[wake]")
	says(200)
	expect("and another advert", hear)
	for range 2 { // the log is told of the first ones
		says(0)
		expect("a farewell", "[wake]")
	}
	for range 2 {
		says(50)
		expect("one to be preempted later", "[wake]")
	}
	r.members["VI_1"].cfg.PreemptDelay, r.members["VI_1"].preemptAt = 0, time.Time{}
	for range 2 {
		says(50)
		expect("one that does not count", "[wake]")
	}
	r.linkChanged(LinkChanged{Link: "eth0", Exists: true})
	expect("FAULT", "[]")
}
