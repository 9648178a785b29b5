package notify

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Limits of the [Mailer].
const (
	// MailQueueLength is how many mails wait. One more, and the oldest is given
	// up.
	MailQueueLength = 1024
	// MailLifetime is how long a mail is tried again.
	MailLifetime = 24 * time.Hour
	// MailGrace is what the last mails have once lvsd stops.
	MailGrace = 2 * time.Second

	minMailDelay = time.Second // between attempts, doubled each time
	maxMailDelay = time.Minute
)

// MailOptions are what a [Mailer] needs.
type MailOptions struct {
	Log  *zap.Logger
	Host string // the name of this machine, for what global_defs leaves open
	User string // whose mails these are: root

	minDelay, grace time.Duration  // 0: minMailDelay, MailGrace
	roots           *x509.CertPool // nil: those of the system
}

// Mailer sends what smtp_alert asks for to the addresses of
// notification_email. Whoever tells it something never waits:
//
//	State, Check, Quorum --> queue --> Run --> the mail server
//	                           ^                    |
//	                           +--- tried again <---+
//
// Mails leave in order, those that wait over one connection. One that the
// server cannot take now is tried again with growing delays, one that it
// refuses is not. A mail carries the time at which its event happened.
type Mailer struct {
	o    MailOptions
	wake chan struct{} // there is something new to do

	mu     sync.Mutex
	config config.Global
	last   map[Object]string // what the last mail about an instance or a sync group told
	queue  []*letter
	lost   int  // mails that were given up for new ones
	anew   bool // there is a new configuration, which may do better
	closed bool
}

// letter is a mail that waits.
type letter struct {
	subject, body string
	at            time.Time
	left          []string // addresses that have not got it yet; nil: none has
	said          string   // the trouble that the log knows of
	tried         bool     // it was refused for now
}

// NewMailer makes a mailer that sends nothing before Run and tells nobody
// before Apply.
func NewMailer(o MailOptions) *Mailer {
	if o.minDelay == 0 {
		o.minDelay = minMailDelay
	}
	if o.grace == 0 {
		o.grace = MailGrace
	}
	return &Mailer{o: o, wake: make(chan struct{}, 1), last: make(map[Object]string)}
}

// Apply takes server and addresses from a configuration, also for mails that
// wait.
func (m *Mailer) Apply(c *config.Config) {
	stays := make(map[Object]bool, len(c.Instances)+len(c.Groups))
	for i := range c.Instances {
		stays[Object{"INSTANCE", c.Instances[i].Name}] = true
	}
	for i := range c.Groups {
		stays[Object{"GROUP", c.Groups[i].Name}] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.config = c.Global
	for o := range m.last {
		if !stays[o] {
			delete(m.last, o)
		}
	}
	m.anew = true
	m.rouse()
}

// State tells a state of an instance or a sync group that has smtp_alert,
// unless the last mail about it told the same: nothing is said twice when
// no_email_faults leaves a FAULT out.
func (m *Mailer) State(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Mail && m.last[e.Object] != e.What && !(m.config.NoEmailFaults && e.What == config.Fault.String()) {
		m.last[e.Object] = e.What
		m.post(stateMail(e))
	}
	if e.Gone {
		delete(m.last, e.Object)
	}
}

// Check tells that a check of a real server has changed its verdict. With
// no_checker_emails it is told only when the real server has, too.
func (m *Mailer) Check(c CheckChange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Changed || !m.config.NoCheckerEmails {
		m.post(checkMail(c))
	}
}

// Leaving tells that a real server that was up leaves its service. The reason
// is "Removing" or "Shutting down".
func (m *Mailer) Leaving(server, service, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.post(serverSubject(server, service, false), "=> "+reason+" <=")
}

// Quorum tells that a virtual server has got or lost its quorum.
func (m *Mailer) Quorum(q QuorumChange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.post(quorumMail(q))
}

// post queues a mail, when there is somebody to send it to.
func (m *Mailer) post(subject, body string) {
	switch {
	case !m.config.SendsMail():
		return
	case m.closed:
		m.o.Log.Warn("no mail is sent any more: " + subject)
		return
	case len(m.queue) == MailQueueLength:
		if m.lost++; m.lost == 1 {
			m.o.Log.Warn("mails cannot be sent as fast as they come, the oldest are lost")
		}
		m.queue = slices.Delete(m.queue, 0, 1)
	}
	subject = fmt.Sprintf("[%s] %s", cmp.Or(m.config.RouterID, m.o.Host), subject)
	m.queue = append(m.queue, &letter{subject: subject, body: body, at: time.Now()})
	m.rouse()
}

func (m *Mailer) rouse() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run sends mails until ctx ends. Those that wait by then are tried once more,
// for MailGrace.
func (m *Mailer) Run(ctx context.Context) error {
	grace, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(m.o.grace, end) })()
	pace := pace{delay: m.o.minDelay, min: m.o.minDelay}
	for m.wait(ctx, &pace) {
		m.round(grace, &pace)
	}
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.round(grace, &pace)
	if n := m.waiting(); n > 0 {
		m.o.Log.Warn("stopping, and mails have not been sent", zap.Int("mails", n))
	}
	return nil
}

// pace says when mails are tried again.
type pace struct {
	min, delay time.Duration
	next       time.Time // when all that waits is tried; zero: nothing was refused
	fresh      bool      // meanwhile, what was not tried yet
	broken     bool      // the server as a whole: a new mail would fare no better
	said       string    // the trouble that the log knows of
	refusal    string    // and that of single mails
}

// wait waits for something to do; it reports whether there may be more.
func (m *Mailer) wait(ctx context.Context, p *pace) bool {
	wake := m.wake
	var again <-chan time.Time
	if !p.next.IsZero() {
		timer := time.NewTimer(time.Until(p.next))
		defer timer.Stop()
		again = timer.C
		if p.broken {
			wake = nil
		}
	}
	p.fresh = false
	select {
	case <-wake:
		p.fresh = true
	case <-again:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func (m *Mailer) waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue)
}

// round tries each mail that waits, over one connection, and forgets those
// that are done with.
func (m *Mailer) round(ctx context.Context, p *pace) {
	m.mu.Lock()
	cfg, letters, anew := m.config, slices.Clone(m.queue), m.anew
	m.anew = false
	m.mu.Unlock()
	if p.fresh = p.fresh && !anew; p.fresh {
		letters = slices.DeleteFunc(letters, func(l *letter) bool { return l.tried })
	}
	done := make(map[*letter]bool, len(letters))
	broken := m.deliver(ctx, &cfg, letters, done, p)
	switch {
	case broken != nil && broken.text != p.said:
		p.said = broken.text
		m.o.Log.Warn(broken.text, zap.Error(broken.cause), zap.Int("mails", len(letters)-len(done)))
	case broken == nil && p.said != "":
		p.said = ""
		m.o.Log.Info("mails are sent again")
	}
	for _, l := range letters {
		if !done[l] && time.Since(l.at) > MailLifetime {
			m.o.Log.Warn(fmt.Sprintf("given up after %s: %s", MailLifetime, l.subject))
			done[l] = true
		}
	}
	p.broken = broken != nil
	m.forget(done)
	m.postpone(p, len(done) > 0)
}

// postpone settles when what was refused for now is tried again.
func (m *Mailer) postpone(p *pace, progress bool) {
	if progress {
		p.delay = p.min
	}
	switch {
	case m.waiting() == 0:
		p.next = time.Time{}
	case !p.fresh || p.next.IsZero():
		p.next = time.Now().Add(p.delay)
		p.delay = min(2*p.delay, maxMailDelay)
	}
}

// forget takes out of the queue what needs no further attempt.
func (m *Mailer) forget(done map[*letter]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(l *letter) bool { return done[l] })
	if m.lost > 0 && len(m.queue) < MailQueueLength {
		m.o.Log.Warn("mails were lost", zap.Int("mails", m.lost))
		m.lost = 0
	}
}

// deliver sends letters and notes which of them need no further attempt. Its
// answer is about the server as a whole.
func (m *Mailer) deliver(ctx context.Context, cfg *config.Global, letters []*letter, done map[*letter]bool, p *pace) (broken *trouble) {
	defer func() {
		if cause := recover(); cause != nil {
			m.o.Log.Error("sending mail has failed", zap.Any("panic", cause), zap.ByteString("stack", debug.Stack()))
			broken = &trouble{text: "mails are not sent"}
		}
	}()
	if len(letters) == 0 {
		return nil
	}
	if !cfg.SendsMail() { // any more
		for _, l := range letters {
			done[l] = true
		}
		return nil
	}
	s, broken := m.connect(ctx, cfg)
	if broken != nil {
		return broken
	}
	defer s.close()
	for _, l := range letters {
		failed := s.send(l)
		switch {
		case failed == nil:
			m.o.Log.Debug("SMTP alert successfully sent.")
		case failed.server:
			return failed
		case failed.text != l.said && (failed.lasting || failed.text != p.refusal):
			m.o.Log.Warn(failed.text, zap.Error(failed.cause), zap.String("subject", l.subject))
		}
		switch {
		case failed == nil:
			p.refusal = ""
			done[l] = true
		case failed.lasting:
			done[l] = true
		default:
			l.said, l.tried, p.refusal = failed.text, true, failed.text
		}
		if failed != nil && s.reset() != nil {
			return nil // it does not want to hear more now
		}
	}
	return nil
}
