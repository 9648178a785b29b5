package checker

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

// TestPolicy plays the scripts of testdata/policy. Indented lines are the
// policy's answers: when the probe ended, what it meant, when the next is due.
//
//	kind NAME [PROBES [fast_recovery]]
//	timing delay_loop=D retry=N delay_before_retry=D
//	ok|fail|local|weight=N [for D]    the probe that is due, how long it takes
func TestPolicy(t *testing.T) {
	golden.Play(t, "testdata/policy/*.txt", play)
}

func play(t *testing.T, script string) string {
	var out strings.Builder
	var p Policy
	began := time.Unix(0, 0)
	now := began
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		var r Result
		switch words[0] {
		case "timing":
			p.Timing = new(parseTiming(words[1:]))
			continue
		case "kind":
			p.Kind = config.CheckKind(words[1])
			if len(words) > 2 {
				probes, _ := strconv.Atoi(words[2])
				p.Probes = int32(probes)
			}
			p.FastRecovery = len(words) > 3
			continue
		case "ok":
			r.Up = true
		case "local":
			r.Local = "no descriptor"
		case "fail":
		default:
			weight, ok := strings.CutPrefix(words[0], "weight=")
			n, err := strconv.Atoi(weight)
			if !ok || err != nil {
				t.Fatalf("what is %q?", line)
			}
			r.Up, r.Weight.To = true, config.Opt[int]{Value: n, Set: true}
		}
		start := now
		if len(words) == 3 {
			now = now.Add(duration(words[2]))
		}
		v := p.Step(start, now, r)
		fmt.Fprintf(&out, "\t%v:", now.Sub(began))
		if v.Turned {
			fmt.Fprintf(&out, " %s", map[bool]string{true: "UP", false: "DOWN"}[v.Up])
		}
		if v.Retries > 0 {
			fmt.Fprintf(&out, " after %d retries", v.Retries)
		}
		if v.Changed && !v.Turned {
			fmt.Fprintf(&out, " weight %d", v.Weight.To.Value)
		}
		fmt.Fprintf(&out, " next %v", v.Next.Sub(began))
		if p.Probe() != 0 {
			fmt.Fprintf(&out, " probe %d", p.Probe())
		}
		out.WriteString("\n")
		now = v.Next
	}
	return out.String()
}

func parseTiming(words []string) (t config.Timing) {
	for _, w := range words {
		switch name, value, _ := strings.Cut(w, "="); name {
		case "delay_loop":
			t.DelayLoop.Value = duration(value)
		case "warmup":
			t.Warmup.Value = duration(value)
		case "delay_before_retry":
			t.DelayBeforeRetry.Value = duration(value)
		case "connect_timeout":
			t.ConnectTimeout.Value = duration(value)
		case "retry":
			t.Retry.Value, _ = strconv.Atoi(value)
		case "alpha":
			t.Alpha.Value = true
		case "log_all_failures":
			t.LogAllFailures.Value = true
		}
	}
	return t
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}
