package checker

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// mail is a server that talks to one client at a time, and a check of it.
func mail(t *testing.T, addr string, talk func(net.Conn, *bufio.Reader)) config.Check {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talk(c, bufio.NewReader(c))
			_ = c.Close()
		}
	}()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	params := config.DefaultSMTPParams
	return config.Check{ConnectIP: at.Addr(), ConnectPort: at.Port(), Timing: within(patience), Params: &params}
}

// says is a server that says each of these in turn, a line of the client in
// between; "..." waits until the client has gone.
func says(lines ...string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, client *bufio.Reader) {
		for i, line := range lines {
			if i > 0 {
				_, _ = client.ReadString('\n')
			}
			if line == "..." {
				_, _ = client.WriteTo(nothing{})
				return
			}
			fmt.Fprint(c, line)
		}
	}
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }

// endless repeats something until the client has gone.
func endless(what string, pause time.Duration) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, _ *bufio.Reader) {
		for {
			if _, err := fmt.Fprint(c, what); err != nil {
				return
			}
			time.Sleep(pause)
		}
	}
}

func reset(c net.Conn, client *bufio.Reader) {
	fmt.Fprint(c, "220 mail\r\n")
	_, _ = client.ReadString('\n')
	_ = c.(*net.TCPConn).SetLinger(0)
}

func TestSMTP(t *testing.T) {
	const good, fine, bye = "220 mail\r\n", "250 hello\r\n", "221 bye\r\n"
	for name, test := range map[string]struct {
		server func(net.Conn, *bufio.Reader)
		reason string // empty: up
	}{
		"good":              {says(good, fine, bye), ""},
		"rude":              {says(good, fine, "500 what?\r\n"), ""},
		"bare line feeds":   {says("220 mail\n", "250\n", "\n"), ""},
		"several lines":     {says("220-mail\r\n220-is\r\n220 here\r\n", "250-a\r\n250 b\r\n", bye), ""},
		"many lines":        {says(strings.Repeat("220-a\r\n", 60)+"220 a\r\n", strings.Repeat("250-b\r\n", 60)+"250 b\r\n", bye), ""},
		"busy":              {says("421 no\r\n"), `Bad greeting banner from server [127.0.0.1]:PORT: "421 no"`},
		"in one":            {says("220 mail\r\n250 hello\r\n221 bye\r\n", "..."), ""},
		"gives way":         {says("220-mail\r\n421 no\r\n"), `Bad greeting banner from server [127.0.0.1]:PORT: "421 no"`},
		"web server":        {says("HTTP/1.1 400 Bad Request\r\n"), "Bad greeting banner"},
		"no hello":          {says(good, "502 no\r\n"), `Bad HELO response from server [127.0.0.1]:PORT: "502 no"`},
		"closes at once":    {says(""), "Read failure from server"},
		"closes after QUIT": {says(good, fine, ""), "Read failure from server"},
		"mute":              {says("..."), "Read timeout from server [127.0.0.1]:PORT"},
		"half a line, mute": {says("220 ma", "..."), "Read timeout from server"},
		"mute after HELO":   {says(good, "..."), "Read timeout from server"},
		"mute after QUIT":   {says(good, fine, "..."), "Read timeout from server"},
		"slow, mute":        {endless("2", 5*time.Millisecond), "Read timeout from server"},
		"lines, mute":       {endless("220-go on\r\n", 5*time.Millisecond), "Read timeout from server"},
		"endless line":      {endless(strings.Repeat("2", 1000), 0), "Buffer overflow reading from server"},
		"endless lines":     {endless("220-on and on\r\n", 0), "Buffer overflow reading from server"},
		"resets":            {reset, "Read failure from server"},
	} {
		t.Run(name, func(t *testing.T) {
			check := mail(t, "127.0.0.1:0", test.server)
			if strings.Contains(name, "mute") {
				check.Timing = within(50 * time.Millisecond)
			}
			r := probed(t, newSMTP(check))
			want := strings.ReplaceAll(test.reason, "PORT", fmt.Sprint(check.ConnectPort))
			if r.Up != (test.reason == "") || !strings.HasPrefix(r.Reason, want) || r.Local != "" || r.Timeout != strings.Contains(name, "mute") {
				t.Errorf("%+v, want %q", r, want)
			}
		})
	}
}

// What the server hears.
func TestSMTPDialogue(t *testing.T) {
	heard := make(chan string, 2)
	check := mail(t, "[::1]:0", func(c net.Conn, client *bufio.Reader) {
		fmt.Fprint(c, "220 mail\r\n")
		hello, _ := client.ReadString('\n')
		fmt.Fprint(c, "250 hello\r\n")
		quit, _ := client.ReadString('\n')
		fmt.Fprint(c, "221 bye\r\n")
		heard <- hello + quit
	})
	check.Params = &config.SMTPParams{HeloName: "director.example.org"}
	if r := probed(t, newSMTP(check)); !r.Up {
		t.Fatalf("%+v", r)
	}
	for range 2 {
		if got, want := <-heard, "HELO director.example.org\r\nQUIT\r\n"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

func TestSMTPConnection(t *testing.T) {
	check := mail(t, "127.0.0.1:0", says(""))
	check.Bind = &config.Bind{BindIf: "nosuchlink"}
	if r := probed(t, newSMTP(check)); r.Up || r.Local != smtpPhrases.noBind {
		t.Errorf("%+v", r)
	}
	check.Bind, check.ConnectPort = nil, 9
	if r := probed(t, newSMTP(check)); r.Up || !strings.HasPrefix(r.Reason, "Could not connect to server [127.0.0.1]:9: ") {
		t.Errorf("%+v", r)
	}
}
