package agentx

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func netipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// master is an SNMP daemon, one at a time.
type master struct {
	t    *testing.T
	logs *observer.ObservedLogs
	tree *tree
	*Subagent

	mu    sync.Mutex
	conns chan net.Conn // of those that connect; nil: nobody listens
	tries int
}

// tried is how often somebody has connected, or would have.
func (m *master) tried() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries
}

// waiting is how many notifications are.
func (m *master) waiting() int {
	m.Subagent.mu.Lock()
	defer m.Subagent.mu.Unlock()
	return len(m.queue)
}

// next is the next one that connects.
func (m *master) next() net.Conn {
	m.mu.Lock()
	conns := m.conns
	m.mu.Unlock()
	return <-conns
}

var errNobody = errors.New("nobody is there")

func (m *master) dial(ctx context.Context, socket string) (net.Conn, error) {
	m.mu.Lock()
	m.tries++
	conns := m.conns
	m.mu.Unlock()
	if conns == nil {
		return nil, errNobody
	}
	ours, theirs := net.Pipe()
	select {
	case conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *master) listen(yes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = nil
	if yes {
		m.conns = make(chan net.Conn)
	}
}

// session is a subagent that has connected.
type session struct {
	t *testing.T
	net.Conn
	r   *bufio.Reader
	got string // all that begins the session
}

// accept takes the next subagent, and says yes to all that it begins with.
func (m *master) accept() *session {
	m.t.Helper()
	conn := m.next()
	s := &session{t: m.t, Conn: conn, r: bufio.NewReader(conn)}
	open := s.read()
	s.got = fmt.Sprintf("open %s %s\n", open.OID, open.Text)
	s.write(PDU{Kind: Response, Packet: open.Packet, Session: 77})
	for range 2 * len(m.current().Subtrees) {
		p := s.read()
		s.got += fmt.Sprintf("%d in %d: %s %s\n", p.Kind, p.Session, p.OID, p.Text)
		s.write(PDU{Kind: Response, Packet: p.Packet, Session: 77})
	}
	return s
}

func (s *session) read() PDU {
	s.t.Helper()
	var head [headerSize]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		s.t.Fatal(err)
	}
	h, err := parseHeader(head[:])
	if err != nil {
		s.t.Fatal(err)
	}
	payload := make([]byte, h.length)
	if _, err := io.ReadFull(s.r, payload); err != nil {
		s.t.Fatal(err)
	}
	p, err := h.parse(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *session) write(p PDU) {
	s.t.Helper()
	if _, err := s.Write(p.Append(nil)); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends a request, and is what is said to it.
func (s *session) ask(p PDU) string {
	s.t.Helper()
	p.Session, p.Packet = 77, 5
	s.write(p)
	a := s.read()
	if a.Kind != Response || a.Packet != 5 || a.Transaction != p.Transaction {
		s.t.Fatalf("%+v is no answer to %+v", a, p)
	}
	if a.Error != NoError {
		return fmt.Sprintf("error %d at %d", a.Error, a.Index)
	}
	return variables(a.VarBinds)
}

func variables(all []VarBind) string {
	var b strings.Builder
	for _, v := range all {
		fmt.Fprintf(&b, "%s=%d:%d%s%s ", v.Name, v.Value.Type, v.Value.Number, v.Value.Octets, v.Value.OID)
	}
	return strings.TrimSpace(b.String())
}

// tree has the numbers 1 to 5 below 1.9.
type tree struct {
	set  []VarBind
	fail error
}

func (tr *tree) View(context.Context) (View, error) { return tr, tr.fail }

func (tr *tree) Get(name OID) Value {
	if name.Under(OID{1, 9}) && len(name) == 3 && name[2] <= 5 {
		return Gauge(name[2])
	}
	return Value{Type: TypeNoSuchObject}
}

func (tr *tree) Next(r Range) (VarBind, bool) {
	for n := uint32(1); n <= 5; n++ {
		name := OID{1, 9, n}
		if c := name.Compare(r.Start); (c > 0 || c == 0 && r.Include) && (len(r.End) == 0 || name.Compare(r.End) < 0) {
			return VarBind{name, Gauge(n)}, true
		}
	}
	return VarBind{}, false
}

func (tr *tree) Test(_ context.Context, all []VarBind) (Error, int) {
	if i := slices.IndexFunc(all, func(v VarBind) bool { return v.Value.Type != TypeGauge32 }); i >= 0 {
		return WrongType, i + 1
	}
	return NoError, 0
}

func (tr *tree) Commit(_ context.Context, all []VarBind) (func(context.Context) error, error) {
	was := tr.set
	tr.set = all
	return func(context.Context) error { tr.set = was; return nil }, tr.fail
}

// endless has an instance behind each.
type endless struct{ *tree }

func (endless) Next(Range) (VarBind, bool) { return VarBind{OID{1}, Gauge(1)}, true }

// TestBulkEnds: a daemon may ask for more than a message has room for.
func TestBulkEnds(t *testing.T) {
	if n := len(bulk(endless{}, &PDU{MaxRepetitions: 65535, Ranges: make([]Range, 3)})); n < maxVariables || n > maxVariables+3 {
		t.Errorf("%d variables", n)
	}
}

var subtrees = []Subtree{{OID{1, 9}, "nine"}, {OID{1, 11}, "eleven"}}

// play runs a test in virtual time.
func play(t *testing.T, f func(m *master)) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		m := &master{t: t, logs: logs, tree: new(tree)}
		m.listen(true)
		m.Subagent = New(Options{Log: zap.New(core), Handler: m.tree, ID: OID{1, 3}, Text: "test", dial: m.dial})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		f(m)
		began := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > stopLimit {
			t.Errorf("the end took %v", took)
		}
	})
}

func (m *master) log() (all []string) {
	for _, e := range m.logs.All() {
		all = append(all, e.Message)
	}
	return all
}

func TestSession(t *testing.T) {
	play(t, func(m *master) {
		m.Apply(Settings{Subtrees: subtrees})
		s := m.accept()
		if d := cmp.Diff("open 1.3 test\n16 in 77: 1.9 nine\n3 in 77: 1.9 \n16 in 77: 1.11 eleven\n3 in 77: 1.11 \n", s.got); d != "" {
			t.Error(d)
		}
		for _, test := range []struct {
			p    PDU
			want string
		}{
			{PDU{Kind: Get, Ranges: []Range{{Start: OID{1, 9, 2}}, {Start: OID{1, 9, 7}}}}, "1.9.2=66:2 1.9.7=128:0"},
			{PDU{Kind: GetNext, Ranges: []Range{{Start: OID{1, 9}}, {Start: OID{1, 9, 2}}, {Start: OID{1, 9, 2}, Include: true}, {Start: OID{1, 9, 4}, End: OID{1, 9, 5}}}}, "1.9.1=66:1 1.9.3=66:3 1.9.2=66:2 1.9.4=130:0"},
			{PDU{Kind: GetBulk, NonRepeaters: 1, MaxRepetitions: 3, Ranges: []Range{{Start: OID{1}}, {Start: OID{1, 9, 1}}, {Start: OID{1, 9, 4}}}}, "1.9.1=66:1 1.9.2=66:2 1.9.5=66:5 1.9.3=66:3 1.9.5=130:0 1.9.4=66:4 1.9.5=130:0"},
			{PDU{Kind: GetBulk, NonRepeaters: 9, MaxRepetitions: 65535, Ranges: []Range{{Start: OID{1}}}}, "1.9.1=66:1"},
			{PDU{Kind: GetBulk, MaxRepetitions: 65535, Ranges: []Range{{Start: OID{1, 9, 3}}}}, "1.9.4=66:4 1.9.5=66:5 1.9.5=130:0"},
			{PDU{Kind: TestSet, Transaction: 1, VarBinds: []VarBind{{OID{1}, Gauge(1)}, {OID{1}, Text("x")}}}, "error 7 at 2"},
			{PDU{Kind: TestSet, Transaction: 2, VarBinds: []VarBind{{OID{1}, Gauge(1)}}}, ""},
			{PDU{Kind: CommitSet, Transaction: 3}, "error 14 at 0"}, // another one
			{PDU{Kind: CommitSet, Transaction: 2}, ""},
			{PDU{Kind: CommitSet, Transaction: 2}, "error 14 at 0"}, // twice
			{PDU{Kind: Kind(200)}, "error 268 at 0"},
		} {
			if got := s.ask(test.p); got != test.want {
				t.Errorf("%+v: %q, want %q", test.p, got, test.want)
			}
		}
		if got := variables(m.tree.set); got != "1=66:1" {
			t.Errorf("set %q", got)
		}
		if got := s.ask(PDU{Kind: UndoSet, Transaction: 2}); got != "" || m.tree.set != nil {
			t.Errorf("%s; still %v", got, m.tree.set)
		}
		if got := s.ask(PDU{Kind: UndoSet, Transaction: 2}); got != "error 15 at 0" {
			t.Errorf("undone twice: %s", got)
		}
		s.write(PDU{Kind: CleanupSet, Transaction: 2}) // has no answer
		m.tree.fail = errNobody
		if got := s.ask(PDU{Kind: Get, Ranges: []Range{{Start: OID{1, 9, 2}}}}); got != "error 5 at 1" {
			t.Errorf("without a view: %s", got)
		}
		m.Notify(OID{1, 7}, VarBind{OID{1, 8}, Text("x")})
		if p := s.read(); p.Kind != Notify || p.Session != 77 || variables(p.VarBinds) != "1.3.6.1.6.3.1.1.4.1.0=6:01.7 1.8=4:0x" {
			t.Errorf("%+v", p)
		}
		go func() { // the farewell
			if p := s.read(); p.Kind != Close || p.Reason != reasonShutdown {
				t.Errorf("%+v", p)
			}
		}()
	})
}

// TestSettings: other ones make another session, and none end it.
func TestSettings(t *testing.T) {
	play(t, func(m *master) {
		m.Apply(Settings{Subtrees: subtrees})
		s := m.accept()
		m.Apply(Settings{Subtrees: subtrees}) // the same
		m.Apply(Settings{Subtrees: subtrees[:1]})
		if p := s.read(); p.Kind != Close {
			t.Errorf("%+v", p)
		}
		s = m.accept()
		m.Apply(Settings{})
		if p := s.read(); p.Kind != Close {
			t.Errorf("%+v", p)
		}
		m.Notify(OID{1, 7}) // to nobody
		synctest.Wait()
		if m.tried() != 2 || m.waiting() != 0 {
			t.Errorf("connected %d times, %d notifications wait", m.tried(), m.waiting())
		}
	})
}

// TestGone: a daemon that is not there, goes away, falls silent or sends
// nonsense is looked for again, more and more seldom, and spoken of once.
func TestGone(t *testing.T) {
	play(t, func(m *master) {
		m.listen(false)
		m.Apply(Settings{Subtrees: subtrees})
		m.Notify(OID{1, 6}) // will be too old
		time.Sleep(5 * time.Minute)
		if n := m.tried(); n < 10 || n > 16 {
			t.Errorf("tried %d times in five minutes", n)
		}
		if d := cmp.Diff([]string{"no SNMP master agent, trying again"}, m.log()); d != "" {
			t.Error(d)
		}
		m.listen(true)
		s := m.accept()
		m.Notify(OID{1, 7})
		if p := s.read(); variables(p.VarBinds) != "1.3.6.1.6.3.1.1.4.1.0=6:01.7" {
			t.Errorf("%+v", p)
		}
		time.Sleep(connectLimit + time.Second) // a session that does not end at once
		_ = s.Close()
		m.Notify(OID{1, 8}) // while nobody is there
		s = m.accept()
		if p := s.read(); variables(p.VarBinds) != "1.3.6.1.6.3.1.1.4.1.0=6:01.8" {
			t.Errorf("%+v", p)
		}
		if _, err := s.Write([]byte(strings.Repeat("nonsense", 10))); err != nil {
			t.Error(err)
		}
		s = m.accept()
		s.write(PDU{Kind: Close, Session: 77})
		s = m.accept()
		began := time.Now()
		if p := s.read(); p.Kind != Ping {
			t.Errorf("%+v", p)
		}
		go func(s *session) { _, _ = io.Copy(io.Discard, s) }(s) // it reads, and says nothing
		s = m.accept()
		if took := time.Since(began); took > 3*pingInterval {
			t.Errorf("a silent daemon was noticed after %v", took)
		}
		for range 5 {
			p := s.read()
			s.write(PDU{Kind: Response, Session: 77, Packet: p.Packet})
		}
		if took := time.Since(began); took < 5*pingInterval {
			t.Errorf("five pings within %v", took)
		}
		_ = s.Close()
	})
}

// TestDeaf: a daemon that takes the connection and reads nothing more holds
// nobody up, neither who notifies nor the end.
func TestDeaf(t *testing.T) {
	play(t, func(m *master) {
		m.Apply(Settings{Subtrees: subtrees})
		s := m.accept()
		began := time.Now()
		for range 3 * maxNotifications {
			m.Notify(OID{1, 7})
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v to notify", took)
		}
		if n := m.waiting(); n > maxNotifications {
			t.Errorf("%d notifications wait", n)
		}
		_ = s
	})
}

func TestRefused(t *testing.T) {
	play(t, func(m *master) {
		m.Apply(Settings{Subtrees: subtrees})
		conn := m.next()
		s := &session{t: t, Conn: conn, r: bufio.NewReader(conn)}
		p := s.read()
		s.write(PDU{Kind: Response, Packet: p.Packet, Error: 256})
		_ = m.accept().Close()
		synctest.Wait()
		if d := cmp.Diff([]string{"no SNMP master agent, trying again", "AgentX subagent connected", "no SNMP master agent, trying again"}, m.log()); d != "" {
			t.Error(d)
		}
	})
}

func TestDial(t *testing.T) {
	for _, socket := range []string{"udp:127.0.0.1:705", "nonsense"} {
		if _, err := dial(t.Context(), socket); !errors.Is(err, errSocket) {
			t.Errorf("%s: %v", socket, err)
		}
	}
	path := t.TempDir() + "/socket"
	for _, socket := range []string{"unix:" + path, path} {
		if _, err := dial(t.Context(), socket); err == nil {
			t.Errorf("%s: nobody listens", socket)
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := dial(t.Context(), socket)
		if err != nil {
			t.Error(err)
		} else {
			_ = conn.Close()
		}
		_ = l.Close()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conn, err := dial(t.Context(), "tcp:"+l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
