package checker

import (
	"context"
	"fmt"

	"github.com/lvsd/lvsd/config"
)

// Checker is one probe of a real server. It keeps nothing from one call to the
// next, ends at its own timeout or with ctx, and may be called by any
// goroutine.
type Checker interface {
	Check(ctx context.Context) Result
}

// phrases are the sentences that keepalived logs for a kind of check: of the
// real server %s of the virtual server %v, for the reason %r, after %n retries.
type phrases struct {
	success string // empty: nothing is said
	failure string // one failed attempt, logged with log_all_failures
	timeout string // the same, when it was for want of an answer
	failed  string // the check has failed; failure is not said before the same
	retried string // the same after retries
	counts  bool   // retried is for no retries, too, but at first

	// What this host could not do.
	noSocket string
	noBind   string
}

// recipe is how a check is run: its probes, one of them at a time. A check
// holds when each of them has succeeded in turn, as the URLs of HTTP_GET; most
// have one.
type recipe struct {
	probes []Checker
	says   *phrases
	// sentence is what to log about an attempt; nil: as says has it.
	sentence func(attempt) string
	// fastRecovery is that of the [Policy].
	fastRecovery bool
}

// recipe makes the recipe of a configured check.
func (s *Scheduler) recipe(of *config.Check) (recipe, error) {
	c := *of
	switch c.Kind {
	case config.TCPCheck:
		return recipe{probes: []Checker{newTCP(c)}, says: &tcpPhrases}, nil
	case config.UDPCheck:
		return recipe{probes: []Checker{newUDP(c)}, says: &udpPhrases}, nil
	case config.PingCheck:
		return recipe{probes: []Checker{newPing(c)}, says: &pingPhrases}, nil
	case config.DNSCheck:
		return recipe{probes: []Checker{newDNS(c)}, says: &dnsPhrases}, nil
	case config.SMTPCheck:
		return recipe{probes: []Checker{newSMTP(c)}, says: &smtpPhrases}, nil
	case config.MiscCheck:
		m := newMisc(c, c.Params.(*config.MiscParams), s.opts.Script, s.workers.Go)
		return recipe{probes: []Checker{m}, sentence: m.sentence}, nil
	case config.HTTPGet, config.SSLGet:
		return newHTTP(c, s.patterns)
	}
	return recipe{}, fmt.Errorf("no checker for %s", c.Kind)
}
