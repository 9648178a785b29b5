package syslog

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// Journal reports whether standard error leads to systemd's journal, and its
// socket can be reached, which takes lines with their fields. An environment
// that makes no sense is none.
func Journal() bool {
	yes, err := journal.StderrIsJournalStream()
	return err == nil && yes && journal.Enabled()
}

// send is how a message gets into the journal: [journal.Send].
type send func(message string, priority journal.Priority, vars map[string]string) error

// native writes to the journal in its own protocol, with the fields that
// journald would have made of a line of syslog, and those of the line.
type native struct {
	send     send
	facility Facility
}

func (n *native) String() string { return "journal" }

func (n *native) write(l line) error {
	vars := map[string]string{
		"SYSLOG_IDENTIFIER": ident(l),
		"SYSLOG_FACILITY":   strconv.Itoa(int(n.facility.code())),
		"SYSLOG_PID":        strconv.Itoa(os.Getpid()),
	}
	for _, f := range l.fields {
		vars[strings.Map(variable, strings.ToUpper(f.key))] = fmt.Sprint(f.value)
	}
	return n.send(l.text(), journal.Priority(severity(l.level)), vars)
}

// variable makes a name that journald takes: capitals, digits and underscores.
func variable(r rune) rune {
	if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
