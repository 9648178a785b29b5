package agentx

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Handler answers what an SNMP daemon asks. It is called by one goroutine, and
// bounds the time that it takes.
type Handler interface {
	// View is what a request reads.
	View(ctx context.Context) (View, error)
	// Test says whether variables can be set: an error and the number of the
	// one it is about, from 1.
	Test(ctx context.Context, variables []VarBind) (Error, int)
	// Commit sets them; undo takes that back.
	Commit(ctx context.Context, variables []VarBind) (undo func(context.Context) error, err error)
}

// View is a part of the tree at a moment.
type View interface {
	// Get is the value of an instance, or NoSuchObject, or NoSuchInstance.
	Get(name OID) Value
	// Next is the first instance of a range; false: it has none.
	Next(r Range) (VarBind, bool)
}

// Subtree is a part of the tree that a subagent registers.
type Subtree struct {
	Root OID
	Text string // its description in sysORTable, RFC 3418
}

// Settings are what a session depends on.
type Settings struct {
	Socket   string // unix:PATH, PATH, tcp:HOST:PORT; empty: DefaultSocket
	Subtrees []Subtree
}

// DefaultSocket is where net-snmp listens for subagents.
const DefaultSocket = "unix:/var/agentx/master"

// Options are what a [Subagent] needs.
type Options struct {
	Log     *zap.Logger
	Handler Handler
	ID      OID    // who it is
	Text    string // the same in words

	dial func(ctx context.Context, socket string) (net.Conn, error) // nil: dial
}

// Times of [Subagent.Run].
const (
	connectLimit = 10 * time.Second // until the daemon has taken us, or a PDU
	stopLimit    = time.Second      // for the last notifications
	pingInterval = 15 * time.Second
	minDelay     = time.Second // between attempts, doubled each time
	maxDelay     = 30 * time.Second
	staleAfter   = 10 * time.Second // a notification that could not be sent
)

// maxNotifications is how many wait for a daemon that does not read.
const maxNotifications = 1024

// Subagent is a program at an SNMP daemon.
type Subagent struct {
	o       Options
	wake    chan struct{} // there is something to send
	applied chan struct{} // there are other settings

	mu       sync.Mutex
	settings Settings
	queue    []notification
}

type notification struct {
	at        time.Time
	variables []VarBind
}

// New makes a Subagent that does nothing before Run, and is nowhere before
// Apply.
func New(o Options) *Subagent {
	if o.dial == nil {
		o.dial = dial
	}
	return &Subagent{o: o, wake: make(chan struct{}, 1), applied: make(chan struct{}, 1)}
}

// Apply says where to be, and with which subtrees; without any, nowhere.
func (s *Subagent) Apply(settings Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.settings.equal(&settings) {
		s.settings = settings
		rouse(s.applied)
	}
}

func (s *Settings) equal(t *Settings) bool {
	if s.Socket != t.Socket || len(s.Subtrees) != len(t.Subtrees) {
		return false
	}
	for i := range s.Subtrees {
		if s.Subtrees[i].Root.Compare(t.Subtrees[i].Root) != 0 {
			return false
		}
	}
	return true
}

// snmpTrapOID is what a notification begins with, RFC 3416 section 4.2.6.
var snmpTrapOID = OID{1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}

// Notify sends a notification, unless too many wait.
func (s *Subagent) Notify(trap OID, variables ...VarBind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.settings.Subtrees) > 0 && len(s.queue) < maxNotifications {
		all := append([]VarBind{{snmpTrapOID, Name(trap)}}, variables...)
		s.queue = append(s.queue, notification{time.Now(), all})
		rouse(s.wake)
	}
}

func rouse(who chan<- struct{}) {
	select {
	case who <- struct{}{}:
	default:
	}
}

func (s *Subagent) current() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// Run is at the daemon until ctx ends, whenever there is something to
// register.
func (s *Subagent) Run(ctx context.Context) error {
	delay, said := minDelay, ""
	for ctx.Err() == nil {
		var again <-chan time.Time
		if settings := s.current(); len(settings.Subtrees) > 0 {
			began := time.Now()
			switch err := s.session(ctx, settings); {
			case err == nil || ctx.Err() != nil: // it ends, or is to be another
				delay, said = minDelay, ""
				continue
			case err.Error() != said:
				said = err.Error()
				s.o.Log.Warn("no SNMP master agent, trying again", zap.Error(err))
			}
			if time.Since(began) > connectLimit {
				delay = minDelay
			}
			again = time.After(delay)
			delay = min(2*delay, maxDelay)
		}
		select {
		case <-ctx.Done():
		case <-s.applied:
		case <-again:
		}
	}
	return nil
}

// session is a connection from its beginning to its end. An end that was not
// asked for is an error.
func (s *Subagent) session(ctx context.Context, settings Settings) error {
	conn, err := s.o.dial(ctx, settings.Socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	l := &link{Conn: conn, r: bufio.NewReader(conn)}
	// A daemon that does not listen holds nobody up.
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopLimit, func() { _ = conn.Close() }) })()
	if err := s.begin(l, settings); err != nil {
		return err
	}
	s.o.Log.Info("AgentX subagent connected")
	return s.serve(ctx, l, settings)
}

// begin opens the session and registers the subtrees.
func (s *Subagent) begin(l *link, settings Settings) error {
	_ = l.SetDeadline(time.Now().Add(connectLimit)) // a dead one fails below
	answer, err := l.ask(&PDU{Kind: Open, OID: s.o.ID, Text: s.o.Text})
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	l.session = answer.Session
	for _, t := range settings.Subtrees {
		if _, err := l.ask(&PDU{Kind: AddAgentCaps, OID: t.Root, Text: t.Text}); err != nil {
			return fmt.Errorf("announce %s: %w", t.Root, err)
		}
		if _, err := l.ask(&PDU{Kind: Register, OID: t.Root, Priority: 127}); err != nil {
			return fmt.Errorf("register %s: %w", t.Root, err)
		}
	}
	_ = l.SetDeadline(time.Time{})
	return nil
}

var (
	errSilent = errors.New("the master agent does not answer")
	errClosed = errors.New("the master agent has closed the session")
)

// serve answers requests and sends notifications.
func (s *Subagent) serve(ctx context.Context, l *link, settings Settings) error {
	requests, failed := make(chan PDU), make(chan error, 1)
	done := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { failed <- l.read(requests, done) })
	defer reading.Wait()
	defer func() { _ = l.Close() }()
	defer close(done)
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	t := &transactions{handler: s.o.Handler}
	silent := false
	for {
		if now := s.current(); !now.equal(&settings) || ctx.Err() != nil {
			_ = s.flush(l)
			_ = l.write(&PDU{Kind: Close, Reason: reasonShutdown})
			return nil
		}
		if err := s.flush(l); err != nil {
			return fmt.Errorf("lost the master agent: %w", err)
		}
		select {
		case <-s.wake:
		case <-s.applied:
		case <-ctx.Done():
		case err := <-failed:
			return fmt.Errorf("lost the master agent: %w", err)
		case p := <-requests:
			silent = false
			if p.Kind == Close {
				return errClosed
			}
			if answer := t.answer(ctx, &p); answer != nil {
				if err := l.write(answer); err != nil {
					return fmt.Errorf("lost the master agent: %w", err)
				}
			}
		case <-ping.C:
			if silent {
				return errSilent
			}
			silent = true
			if err := l.write(&PDU{Kind: Ping}); err != nil {
				return fmt.Errorf("lost the master agent: %w", err)
			}
		}
	}
}

// reasonShutdown is that of a Close, RFC 2741 section 6.2.2.
const reasonShutdown = 5

// flush sends what waits. What cannot be sent waits on, for the next session.
func (s *Subagent) flush(l *link) error {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for i, n := range queue {
		if time.Since(n.at) > staleAfter {
			continue
		}
		if err := l.write(&PDU{Kind: Notify, VarBinds: n.variables}); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.queue = append(queue[i:], s.queue...)
			s.queue = s.queue[max(len(s.queue)-maxNotifications, 0):]
			return err
		}
	}
	return nil
}

// link is a connection to a daemon.
type link struct {
	net.Conn
	r       *bufio.Reader
	session uint32
	packet  uint32
}

// dial connects to an address as net-snmp writes it.
func dial(ctx context.Context, socket string) (net.Conn, error) {
	socket = cmp.Or(socket, DefaultSocket)
	network, address := "unix", socket
	switch kind, rest, ok := strings.Cut(socket, ":"); {
	case ok && kind == "unix":
		address = rest
	case ok && (kind == "tcp" || kind == "tcp6"):
		network, address = kind, rest
	case strings.HasPrefix(socket, "/"):
	default:
		return nil, fmt.Errorf("%w: %s", errSocket, socket)
	}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connect to the master agent: %w", err)
	}
	return conn, nil
}

var errSocket = errors.New("not a unix:PATH or tcp:HOST:PORT")

// write sends a PDU of the session. A packet of ours has a number of its own.
func (l *link) write(p *PDU) error {
	p.Session = l.session
	if p.Kind != Response {
		l.packet++
		p.Packet = l.packet
	}
	_ = l.SetWriteDeadline(time.Now().Add(connectLimit)) // a dead one fails below
	_, err := l.Write(p.Append(nil))
	return err
}

// ask sends a PDU and waits for what is said to it, before anything else is
// served.
func (l *link) ask(p *PDU) (PDU, error) {
	if err := l.write(p); err != nil {
		return PDU{}, err
	}
	for {
		answer, err := l.next()
		switch {
		case err != nil:
			return PDU{}, err
		case answer.Kind != Response || answer.Packet != p.Packet:
		case answer.Error != NoError:
			return PDU{}, fmt.Errorf("%w: error %d", errRefused, answer.Error)
		default:
			return answer, nil
		}
	}
}

var errRefused = errors.New("the master agent refuses")

// next reads a PDU.
func (l *link) next() (PDU, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(l.r, head[:]); err != nil {
		return PDU{}, err
	}
	h, err := parseHeader(head[:])
	if err != nil {
		return PDU{}, err
	}
	payload := make([]byte, h.length)
	if _, err := io.ReadFull(l.r, payload); err != nil {
		return PDU{}, err
	}
	p, err := h.parse(payload)
	if err != nil {
		p.Error = ParseError
	}
	return p, nil
}

// read hands on what the daemon sends, until the connection ends.
func (l *link) read(to chan<- PDU, done <-chan struct{}) error {
	for {
		p, err := l.next()
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return errSilent
			}
			return err
		}
		select {
		case to <- p:
		case <-done:
			return nil
		}
	}
}
