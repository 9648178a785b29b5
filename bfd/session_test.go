package bfd

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/bfd/wire"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

var start = time.Unix(1000, 0)

// TestSession plays the scripts of testdata/session. Indented lines are what
// the session does, and when.
//
//	config [passive] [min_tx=D] [min_rx=D] [idle_tx=D] [multiplier=N]
//	rx STATE [your] [poll] [final] [demand] [min_tx=D] [min_rx=D] [multiplier=N]    a packet of a neighbor, which knows us with `your`
//	wait D                         time goes by
//	reload ...                     as config
//	stop
func TestSession(t *testing.T) {
	golden.Play(t, "testdata/session/*.txt", play)
}

func play(t *testing.T, script string) string {
	const my = 7
	var out strings.Builder
	now := start
	var s *Session
	tell := func(effects []Effect) {
		for _, e := range effects {
			fmt.Fprintf(&out, "\t%v: %s\n", now.Sub(start).Round(time.Millisecond), say(e))
		}
	}
	run := func(until time.Time) {
		for d := s.Deadline(); !d.IsZero() && !d.After(until); d = s.Deadline() {
			now = d
			tell(s.Step(now, TimerFired{}))
		}
		now = until
	}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "config":
			s = NewSession(parameters(words[1:]), my, rand.New(rand.NewPCG(1, 2)), now)
		case "reload":
			tell(s.Step(now, Reconfigured{parameters(words[1:])}))
		case "rx":
			tell(s.Step(now, Received{packet(words[1:], my)}))
		case "wait":
			run(now.Add(duration(words[1])))
		case "stop":
			tell(s.Step(now, Shutdown{}))
		default:
			t.Fatalf("what is %q?", line)
		}
		if words[0] != "wait" {
			run(now)
		}
	}
	return out.String()
}

func say(e Effect) string {
	switch e := e.(type) {
	case Send:
		p := e.Packet
		text := fmt.Sprintf("tx %s your=%d tx=%v rx=%v", p.State, p.Your, p.MinTx, p.MinRx)
		if p.Diag != 0 {
			text += fmt.Sprintf(" diag=%q", p.Diag)
		}
		for flag, set := range map[string]bool{" poll": p.Poll, " final": p.Final} {
			if set {
				text += flag
			}
		}
		return text
	case Became:
		return fmt.Sprintf("became %s (%s)", e.State, e.Local)
	case Polling:
		return "polling"
	}
	return fmt.Sprintf("%T", e)
}

func parameters(words []string) config.BFDInstance {
	c := config.DefaultBFDInstance
	for _, w := range words {
		switch name, value, _ := strings.Cut(w, "="); name {
		case "passive":
			c.Passive = true
		case "min_tx":
			c.MinTx = duration(value)
		case "min_rx":
			c.MinRx = duration(value)
		case "idle_tx":
			c.IdleTx = duration(value)
		case "multiplier":
			c.Multiplier = number(value)
		}
	}
	return c
}

func packet(words []string, your uint32) wire.Packet {
	states := map[string]wire.State{"AdminDown": wire.AdminDown, "Down": wire.Down, "Init": wire.Init, "Up": wire.Up}
	p := wire.Packet{State: states[words[0]], My: 9, Multiplier: 5, MinTx: 10 * time.Millisecond, MinRx: 10 * time.Millisecond}
	for _, w := range words[1:] {
		switch name, value, _ := strings.Cut(w, "="); name {
		case "your":
			p.Your = your
		case "poll":
			p.Poll = true
		case "final":
			p.Final = true
		case "demand":
			p.Demand = true
		case "min_tx":
			p.MinTx = duration(value)
		case "min_rx":
			p.MinRx = duration(value)
		case "multiplier":
			p.Multiplier = number(value)
		}
	}
	return p
}

func number(s string) uint8 {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		panic(err)
	}
	return uint8(n)
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// flight is a packet on its way between two sessions.
type flight struct {
	at time.Time
	to int
	p  wire.Packet
}

// TestPairs lets two sessions talk over a wire that delays, and for a while
// loses everything. They come up, stay up, both notice the cut within their
// detection times, and come up again.
func TestPairs(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		cfg := [2]config.BFDInstance{anyParameters(random), anyParameters(random)}
		cfg[1].Passive = cfg[1].Passive && !cfg[0].Passive // one has to begin
		now := start
		sessions := [2]*Session{NewSession(cfg[0], 1, random, now), NewSession(cfg[1], 2, random, now)}
		var flying []flight
		var downs [2]int
		cut := false
		do := func(i int, effects []Effect) {
			for _, e := range effects {
				switch e := e.(type) {
				case Send:
					if !cut {
						delay := time.Duration(random.Int64N(int64(time.Millisecond)))
						flying = append(flying, flight{now.Add(delay), 1 - i, e.Packet})
					}
				case Became:
					if e.State == wire.Down {
						downs[i]++
					}
				}
			}
		}
		run := func(until time.Time) {
			for {
				slices.SortStableFunc(flying, func(a, b flight) int { return a.at.Compare(b.at) })
				at, who := until, -1
				for i, s := range sessions {
					if d := s.Deadline(); !d.IsZero() && d.Before(at) {
						at, who = d, i
					}
				}
				switch {
				case len(flying) > 0 && !flying[0].at.After(at):
					f := flying[0]
					flying = flying[1:]
					now = f.at
					do(f.to, sessions[f.to].Step(now, Received{f.p}))
				case who < 0:
					now = until
					return
				default:
					if at.Before(now) {
						t.Fatalf("seed %d: a deadline in the past", seed)
					}
					now = at
					do(who, sessions[who].Step(now, TimerFired{}))
				}
			}
		}
		both := func(want wire.State, when string) {
			for i, s := range sessions {
				if s.State() != want {
					t.Fatalf("seed %d: %s session %d is %s\n%+v\n%+v", seed, when, i, s.State(), cfg[0], cfg[1])
				}
			}
		}
		slow := 3 * max(cfg[0].IdleTx, cfg[1].IdleTx, cfg[0].MinTx, cfg[1].MinTx, cfg[0].MinRx, cfg[1].MinRx)
		run(now.Add(slow))
		both(wire.Up, "after the start")
		downs = [2]int{}
		run(now.Add(20 * time.Second))
		both(wire.Up, "in quiet")
		if downs != [2]int{} {
			t.Fatalf("seed %d: sessions flapped: %v", seed, downs)
		}
		cut, flying = true, nil
		for i := range sessions {
			other := cfg[1-i]
			limit := time.Duration(other.Multiplier) * max(cfg[i].MinRx, other.MinTx)
			if d := sessions[i].expires.Sub(now); d > limit {
				t.Fatalf("seed %d: session %d would notice after %v, not %v", seed, i, d, limit)
			}
		}
		run(now.Add(256 * max(cfg[0].MinRx, cfg[1].MinRx, cfg[0].MinTx, cfg[1].MinTx)))
		both(wire.Down, "after the cut")
		cut = false
		run(now.Add(slow))
		both(wire.Up, "after the repair")
	}
}

func anyParameters(random *rand.Rand) config.BFDInstance {
	ms := func(low, high int64) time.Duration {
		return time.Duration(low+random.Int64N(high-low)) * time.Millisecond
	}
	c := config.DefaultBFDInstance
	c.MinTx, c.MinRx, c.IdleTx = ms(10, 400), ms(10, 400), ms(1000, 3000)
	c.Multiplier = cmp.Or(uint8(random.UintN(6)), 3)
	if c.Multiplier == 1 {
		c.Multiplier = 2 // a packet that is delayed more than its jitter would end the session
	}
	c.Passive = random.UintN(3) == 0
	return c
}
