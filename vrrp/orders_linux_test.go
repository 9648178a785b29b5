package vrrp

import (
	"testing"
	"time"
)

// An order is followed while it is in force and not too late, and told once; those
// of instances that are no more, or whose socket is closed, are not.
func TestOrders(t *testing.T) {
	a, _ := dozers(t)
	tt := dozing[0]
	tt.out.Payload = advertOf(t, &tt.out, 100)
	within(t, a, tt.s[0], func(p *poller, c Conn, _ *bool) {
		const every = time.Hour // the stand-in has time
		due := time.Now()
		effects := make([]Effect, 2)
		begin := func(o *order, due time.Time) { p.entrust(o, c, &effects[0], tt.out, due, every) }
		send := func(after time.Duration, alone bool) bool {
			p.orders.hold()
			defer p.orders.release()
			return p.orders.send(p.nanoseconds(due.Add(after)), alone)
		}
		told := func() (all []*order) {
			p.relate(func(o *order, at time.Time) {
				if ok, err := p.deliver(o, due.Add(every)); !ok || err != nil {
					t.Error(ok, err)
				}
				all = append(all, o)
			})
			return all
		}
		expect := func(what string, is, want any) {
			t.Helper()
			if is != want {
				t.Errorf("%s: %v, want %v", what, is, want)
			}
		}
		var one, two, three order
		begin(&one, due)
		begin(&two, due)
		expect("due", send(0, false), true)
		expect("sent", one.sent+two.sent, 2)
		p.forget(&one)
		begin(&three, due)
		expect("in the place of the first", three.place, 1)
		expect("due as well", send(0, false), true)
		expect("told", len(told()), 2)
		expect("told again", len(told()), 0)

		expect("as it is", p.postpone(&two, c, &effects[0], two.identification(), due), true)
		expect("another identification", p.postpone(&two, c, &effects[0], 1, due), false)
		expect("another advert", p.postpone(&two, c, &effects[1], two.identification(), due), false)
		expect("late", send(every/2+1, false), false)
		expect("not sent", two.sent, 0)
		expect("late, by the stand-in", send(every/2+1, true), true)
		expect("sent late", two.sent, 1)
		expect("sent, not told", p.postpone(&two, c, &effects[0], 1, due), true)
		expect("told", len(told()), 1)
		begin(&two, due)
		expect("after a pause", send(pauses*every+1, true), false)
		p.cease(due)
		expect("after the end", send(0, false), false)
		p.cease(time.Time{})
		expect("not sent after all", two.sent, 0)

		p.withdraw(&two)
		ok, _ := p.deliver(&two, due)
		expect("withdrawn", ok, false)
		p.orders.abandon(c.(*watch))
		expect("without a socket", three.conn == nil && p.orders.next() == never, true)
	})
}

func (l *letter) identification() uint16 { return uint16(l.bytes[4])<<8 | uint16(l.bytes[5]) }
