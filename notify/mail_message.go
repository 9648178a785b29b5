package notify

import (
	"bytes"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
)

// message is a mail with its headers.
func (s *session) message(l *letter) []byte {
	to := make([]string, len(s.to))
	for i := range s.to {
		to[i] = s.to[i].header
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Date: %s\r\n", l.at.Format(time.RFC1123Z))
	fmt.Fprintf(&b, "From: %s\r\n", s.from.header)
	fmt.Fprintf(&b, "Subject: %s\r\n", oneLine(l.subject))
	fmt.Fprintf(&b, "X-Mailer: Keepalived\r\n")
	fmt.Fprintf(&b, "To: %s\r\n\r\n", strings.Join(to, ",\r\n "))
	fmt.Fprintf(&b, "%s\r\n\r\n", oneLine(l.body))
	return b.Bytes()
}

// oneLine keeps what a name or a server says from becoming a header.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// address is one of notification_email.
type address struct {
	header   string // with its display name
	envelope string // what the server is told
}

// parseAddress takes ADDRESS, <ADDRESS> or NAME <ADDRESS>. What is none of them
// is left to the server to judge.
func parseAddress(text string) address {
	parsed, err := mail.ParseAddress(text)
	switch {
	case err != nil:
		return address{oneLine(text), strings.Trim(text, "<> ")}
	case strings.IndexFunc(parsed.Name, special) >= 0:
		return address{parsed.String(), parsed.Address}
	}
	return address{oneLine(text), parsed.Address}
}

// special is a character that a display name must quote, RFC 5322, section
// 3.2.3.
func special(r rune) bool {
	return r > unicode.MaxASCII || strings.ContainsRune(`()<>[]:;@\,."`, r)
}
