package supervisor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// ledger is what lvsd has put into the kernel, kept in a file: after a kill -9
// the next start takes back what its configuration no longer names, and
// nothing else. A line is added before anything is put there, and crossed out
// after it was taken back; a file that ends in half a line is fine:
//
//   - address eth0 10.0.0.1/24
//   - rule {"From":"10.0.0.0/8",...}
//   - setting {"Link":"eth0","Name":"arp_ignore","Was":"0","Set":"1"}
//   - service 6 10.0.0.1:80
//   - table keepalived
//   - marks keepalived_ipvs
//     ~ service 6 10.0.0.1:80
//
// Without a file it forgets: the methods of a nil ledger do nothing.
type ledger struct {
	log  *zap.Logger
	path string

	mu     sync.Mutex
	file   *os.File
	have   map[entry]bool
	failed bool // the log has been told
}

// entry is something in the kernel: a link, an address, a route, a rule, a
// sysctl, a table of nftables or a service.
type entry struct {
	dev         string
	prefix      netip.Prefix
	peer        netip.Prefix // of an address, if it has one
	link        string       // that was made, as JSON
	closed      string       // an address that takes no packets, likewise
	route, rule string       // likewise
	setting     string       // a sysctl that was set, likewise
	table       string       // of closed addresses and VMACs in nftables
	marks       string       // a table of nftables_ipvs, and its network namespace
	service     config.ServiceKey
}

// isService tells services, and the table of their marks, from what is claimed of
// the host.
func (e entry) isService() bool {
	return e.link == "" && e.closed == "" && e.dev == "" && e.route == "" && e.rule == "" && e.setting == "" && e.table == ""
}

const (
	entered = "+ "
	crossed = "~ "
)

// String is the entry as the file has it.
func (e entry) String() string {
	switch k := e.service; {
	case e.peer.IsValid():
		return fmt.Sprintf("address %s %s peer %s", e.dev, e.prefix, e.peer)
	case e.dev != "":
		return fmt.Sprintf("address %s %s", e.dev, e.prefix)
	case e.link != "":
		return "link " + e.link
	case e.closed != "":
		return "closed " + e.closed
	case e.route != "":
		return "route " + e.route
	case e.rule != "":
		return "rule " + e.rule
	case e.setting != "":
		return "setting " + e.setting
	case e.table != "":
		return "table " + e.table
	case e.marks != "":
		return "marks " + e.marks
	case k.FWMark != 0:
		return fmt.Sprintf("service fwmark %d %t", k.FWMark, k.IPv6)
	default:
		return fmt.Sprintf("service %d %s", k.Protocol, k.Addr)
	}
}

// parseEntry is the reverse of String; a line that is none is not ok.
func parseEntry(line string) (e entry, ok bool) {
	var text string
	if link, ok := strings.CutPrefix(line, "link "); ok {
		return entry{link: link}, json.Valid([]byte(link))
	}
	if closed, ok := strings.CutPrefix(line, "closed "); ok {
		return entry{closed: closed}, json.Valid([]byte(closed))
	}
	if route, ok := strings.CutPrefix(line, "route "); ok {
		return entry{route: route}, json.Valid([]byte(route))
	}
	if rule, ok := strings.CutPrefix(line, "rule "); ok {
		return entry{rule: rule}, json.Valid([]byte(rule))
	}
	if setting, ok := strings.CutPrefix(line, "setting "); ok {
		return entry{setting: setting}, json.Valid([]byte(setting))
	}
	if table, ok := strings.CutPrefix(line, "table "); ok {
		return entry{table: table}, table != ""
	}
	if marks, ok := strings.CutPrefix(line, "marks "); ok {
		return entry{marks: marks}, marks != ""
	}
	if words := strings.Fields(line); len(words) >= 3 && words[0] == "address" {
		var err, errPeer error
		e.dev = words[1]
		e.prefix, err = netip.ParsePrefix(words[2])
		if len(words) == 5 && words[3] == "peer" {
			e.peer, errPeer = netip.ParsePrefix(words[4])
		}
		return e, err == nil && errPeer == nil
	}
	if _, err := fmt.Sscanf(line, "service fwmark %d %t", &e.service.FWMark, &e.service.IPv6); err == nil {
		return e, true
	}
	if _, err := fmt.Sscanf(line, "service %d %s", &e.service.Protocol, &text); err == nil {
		e.service.Addr, err = netip.ParseAddrPort(text)
		return e, err == nil
	}
	return entry{}, false
}

// openLedger opens the file and returns what a predecessor left in it.
func openLedger(log *zap.Logger, path string) (*ledger, []entry) {
	if path == "" {
		return nil, nil
	}
	have, err := readLedger(path)
	if err != nil {
		log.Warn("what a predecessor left in the kernel is not known", zap.Error(err))
	}
	l := &ledger{log: log, path: path, have: have}
	l.rewrite()
	return l, slices.SortedFunc(maps.Keys(have), func(a, b entry) int { return strings.Compare(a.String(), b.String()) })
}

func readLedger(path string) (map[entry]bool, error) {
	have := make(map[entry]bool)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return have, nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if e, ok := parseEntry(strings.TrimPrefix(line, entered)); ok {
			have[e] = true
		} else if e, ok := parseEntry(strings.TrimPrefix(line, crossed)); ok {
			delete(have, e)
		}
	}
	return have, err
}

// rewrite begins a new file with what there is.
func (l *ledger) rewrite() {
	var text strings.Builder
	for e := range l.have {
		text.WriteString(entered + e.String() + "\n")
	}
	temporary := l.path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(text.String())
	}
	if err == nil {
		err = os.Rename(temporary, l.path)
	}
	if err != nil {
		l.complain(err)
		_ = os.Remove(temporary) // as far as it is there
	}
	if l.file != nil {
		_ = l.file.Close() // it has another name's content now
	}
	l.file = f
}

func (l *ledger) complain(err error) {
	if !l.failed {
		l.failed = true
		l.log.Warn("what lvsd puts into the kernel cannot be noted; after a crash it would stay there", zap.Error(err))
	}
}

// enter notes what is about to be put into the kernel.
func (l *ledger) enter(entries ...entry) { l.note(entered, true, entries) }

// cross notes what has been taken back.
func (l *ledger) cross(entries ...entry) { l.note(crossed, false, entries) }

// crossServices crosses out all services but some.
func (l *ledger) crossServices(but ...entry) {
	if l == nil {
		return
	}
	keep := make(map[entry]bool, len(but))
	for _, e := range but {
		keep[e] = true
	}
	l.mu.Lock()
	services := slices.DeleteFunc(slices.Collect(maps.Keys(l.have)), func(e entry) bool { return !e.isService() || keep[e] })
	l.mu.Unlock()
	l.cross(services...)
}

func (l *ledger) note(sign string, there bool, entries []entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	for _, e := range entries {
		if l.have[e] == there {
			continue
		}
		if l.have[e] = there; !there {
			delete(l.have, e)
		}
		text.WriteString(sign + e.String() + "\n")
	}
	if text.Len() == 0 || l.file == nil {
		return
	}
	if _, err := l.file.WriteString(text.String()); err != nil {
		l.complain(err)
	}
}

// close ends the ledger. An empty one leaves no file.
func (l *ledger) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close() // nothing is buffered
	}
	if len(l.have) > 0 {
		return
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.complain(err)
	}
}
