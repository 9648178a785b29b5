package lvs

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// A mailbox is a mail server on a director, and what it took.
type mailbox struct {
	mu       sync.Mutex
	messages []string
}

// newMailbox starts a mail server where sendmail.py delivers to.
func newMailbox(t *testing.T, h *rig.Host) *mailbox {
	t.Helper()
	box := &mailbox{}
	listener := h.Listen("127.0.0.1:25")
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			box.serve(conn)
		}
	})
	return box
}

// serve is the server's side of RFC 5321, section 3, as far as a client that
// makes no mistake can see.
func (box *mailbox) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	lines := bufio.NewScanner(conn)
	fmt.Fprint(conn, "220 lvsd test\r\n")
	for lines.Scan() {
		switch verb, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " "); verb {
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			var message strings.Builder
			for lines.Scan() && lines.Text() != "." {
				message.WriteString(lines.Text() + "\n")
			}
			box.mu.Lock()
			box.messages = append(box.messages, message.String())
			box.mu.Unlock()
			fmt.Fprint(conn, "250 taken\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 fine\r\n")
		}
	}
}

// change is what a mail's last line says.
var change = regexp.MustCompile(`(\S+) (\S+) status has changed to (\S+)`)

// changes are the mailed changes of one group, in order: "BACKUP MASTER".
func (box *mailbox) changes(group string) string {
	box.mu.Lock()
	defer box.mu.Unlock()
	var states []string
	for _, message := range box.messages {
		if m := change.FindStringSubmatch(message); m != nil && m[1] == "GROUP" && m[2] == group {
			states = append(states, m[3])
		}
	}
	return strings.Join(states, " ")
}

// count is how many mails came, about anything.
func (box *mailbox) count() int {
	box.mu.Lock()
	defer box.mu.Unlock()
	return len(box.messages)
}
