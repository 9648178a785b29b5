package vrrp

import (
	"time"

	"github.com/lvsd/lvsd/config"
)

// interval is the own Advertisement_Interval, in what the version can carry.
func (m *Machine) interval() time.Duration {
	if m.cfg.Version.Value == 2 {
		return min(max(m.cfg.AdvertInt.Round(time.Second), time.Second), 255*time.Second)
	}
	const centi = 10 * time.Millisecond
	return min(max(m.cfg.AdvertInt.Round(centi), centi), 4095*centi)
}

// masterInterval is what the timers of a BACKUP are made of: in version 3 the
// interval of the router that is MASTER, RFC 9568 section 6.1.
func (m *Machine) masterInterval() time.Duration {
	if m.cfg.Version.Value == 2 {
		return m.interval()
	}
	return m.learned
}

// skew is Skew_Time: RFC 3768 section 6.1 divides a second, RFC 9568 section
// 6.1 the interval.
func (m *Machine) skew(priority uint8) time.Duration {
	whole := m.masterInterval()
	if m.cfg.Version.Value == 2 {
		whole = time.Second
	}
	return (256 - time.Duration(priority)) * whole / 256
}

// down is Active_Down_Interval, RFC 9568 section 6.1; down_timer_adverts takes
// the place of its 3.
func (m *Machine) down() time.Duration {
	return time.Duration(m.cfg.DownTimerAdverts.Value)*m.masterInterval() + m.skew(m.priority)
}

// startTimer is the first timer of an instance outside of sync groups: with
// `state MASTER` it waits for one advert only.
func (m *Machine) startTimer() time.Duration {
	if m.cfg.State.Value == config.Master {
		return m.masterInterval() + m.skew(255)
	}
	return m.down()
}

// shift moves the running timer of a BACKUP by what changed its length.
func (m *Machine) shift(now time.Time, by time.Duration) {
	if m.state != config.Backup || by == 0 {
		return
	}
	if m.deadline = m.deadline.Add(by); m.deadline.Before(now) {
		m.deadline = now
	}
}

// next is the deadline after one that was met at now: counted from the
// deadline, so that late wake-ups do not add up, unless a whole interval has
// been slept through.
func next(deadline, now time.Time, interval time.Duration) time.Time {
	if n := deadline.Add(interval); n.After(now) {
		return n
	}
	return now.Add(interval)
}

// due is the earliest of what the machine waits for; zero: nothing.
func (m *Machine) due() time.Time {
	return earliest(m.deadline, m.announce.due())
}

// earliest ignores zero times.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// passed reports whether a deadline is set and has come.
func passed(deadline, now time.Time) bool { return !deadline.IsZero() && !deadline.After(now) }
