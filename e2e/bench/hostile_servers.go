package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// hostileServer is one that answers in no useful way: a server of connections or
// of datagrams on a port of its own, a script, or a host without an answer.
type hostileServer struct {
	name     string
	check    string // that asks it
	more     string // lines of its block
	serve    func(net.Conn)
	datagram serveDatagram
}

// hostilePort is the port of the first of hostile; the others follow.
const hostilePort uint16 = 7100

var hostile = []hostileServer{
	{name: "full", check: "TCP_CHECK"}, // see fillBacklog

	{name: "mute", check: "HTTP_GET", more: getRoot, serve: hear},
	{name: "slow header", check: "HTTP_GET", more: getRoot, serve: drips("HTTP/1.0 200 OK\r\n")},
	{name: "slow body", check: "HTTP_GET", more: getRoot, serve: drips("HTTP/1.0 200 OK\r\n\r\n")},
	{name: "infinite header", check: "HTTP_GET", more: getRoot, serve: floods("HTTP/1.0 200 OK\r\n", "X: y\r\n")},
	{name: "infinite line", check: "HTTP_GET", more: getRoot, serve: floods("HTTP/1.0 200 OK", "on and on ")},
	{name: "infinite body", check: "HTTP_GET", more: getRoot, serve: floods("HTTP/1.0 200 OK\r\n\r\n", "hello\r\n")},
	{name: "resetting", check: "HTTP_GET", more: getRoot, serve: resetting},
	{name: "malformed", check: "HTTP_GET", more: getRoot, serve: says("\x00\xff\r\n\r\n\x00")},

	{name: "mute", check: "SSL_GET", more: getRoot, serve: hear},
	{name: "resetting", check: "SSL_GET", more: getRoot, serve: resetting},
	{name: "no TLS", check: "SSL_GET", more: getRoot, serve: floods("", "garbage ")},
	{name: "slow TLS", check: "SSL_GET", more: getRoot, serve: drips("\x16\x03\x03\x40\x00\x02\x00\x3f\xf0")},
	{name: "mute behind TLS", check: "SSL_GET", more: getRoot, serve: overTLS(hear)},
	{name: "slow header", check: "SSL_GET", more: getRoot, serve: overTLS(drips("HTTP/1.0 200 OK\r\n"))},
	{name: "slow body", check: "SSL_GET", more: getRoot, serve: overTLS(drips("HTTP/1.0 200 OK\r\n\r\n"))},
	{name: "infinite header", check: "SSL_GET", more: getRoot, serve: overTLS(floods("HTTP/1.0 200 OK\r\n", "X: y\r\n"))},
	{name: "infinite body", check: "SSL_GET", more: getRoot, serve: overTLS(floods("HTTP/1.0 200 OK\r\n\r\n", "hello\r\n"))},
	{name: "tiny records", check: "SSL_GET", more: getRoot, serve: overTLS(func(c net.Conn) { trickle(c, "HTTP/1.0 200 OK\r\n\r\n") })},
	{name: "resetting behind TLS", check: "SSL_GET", more: getRoot, serve: overTLS(resetting)},
	{name: "malformed", check: "SSL_GET", more: getRoot, serve: overTLS(says("\x00\xff\r\n\r\n\x00"))},

	{name: "mute, HTTP/2", check: "SSL_GET", more: getRoot2, serve: overTLS(hear)},
	{name: "HTTP/1", check: "SSL_GET", more: getRoot2, serve: overTLS(floods("HTTP/1.1 200 OK\r\n\r\n", "hello\r\n"))},
	{name: "infinite settings, HTTP/2", check: "SSL_GET", more: getRoot2, serve: overTLS(frames(settings))},
	{name: "infinite pings, HTTP/2", check: "SSL_GET", more: getRoot2, serve: overTLS(frames(ping))},
	{name: "tiny frames, HTTP/2", check: "SSL_GET", more: getRoot2, serve: overTLS(frames(tinyData))},
	{name: "padding, HTTP/2", check: "SSL_GET", more: getRoot2, serve: overTLS(frames(padding))},
	{name: "infinite frames, HTTP/2", check: "HTTP_GET", more: getRoot2, serve: frames(unknownFrame)},

	{name: "mute", check: "SMTP_CHECK", serve: hear},
	{name: "resetting", check: "SMTP_CHECK", serve: resetting},
	{name: "infinite line", check: "SMTP_CHECK", serve: floods("220 ", "on and on ")},
	{name: "slow line", check: "SMTP_CHECK", serve: drips("220-")},
	{name: "infinite lines", check: "SMTP_CHECK", serve: floods("", "220-on and on\r\n")},
	{name: "slow lines", check: "SMTP_CHECK", serve: slowLines},
	{name: "malformed", check: "SMTP_CHECK", serve: floods("", "\x00\xff\r\n")},
	{name: "mute behind the greeting", check: "SMTP_CHECK", serve: func(c net.Conn) { _, _ = io.WriteString(c, "220 hello\r\n"); hear(c) }},

	{name: "mute", check: "DNS_CHECK", datagram: mute},
	{name: "malformed", check: "DNS_CHECK", datagram: func(_ net.IP, b []byte, reply func([]byte)) { reply(b[:5]) }},
	{name: "huge answers", check: "DNS_CHECK", datagram: huge},
	{name: "answers to others", check: "DNS_CHECK", datagram: func(_ net.IP, b []byte, reply func([]byte)) {
		b[0]++
		repeat(b, reply)
	}},

	{name: "mute", check: "UDP_CHECK", more: requireOK, datagram: mute},
	{name: "closed", check: "UDP_CHECK", more: requireOK},
	{name: "huge reply", check: "UDP_CHECK", more: requireOK, datagram: huge},
	{name: "endless replies", check: "UDP_CHECK", more: requireOK, datagram: func(_ net.IP, _ []byte, reply func([]byte)) { repeat([]byte("no"), reply) }},

	{name: "mute", check: "PING_CHECK", more: " connect_ip " + muteHost + "\n"},
	{name: "answers to others", check: "PING_CHECK"}, // see falseEchoes

	{name: "mute", check: "MISC_CHECK", more: mutely},
	{name: "deaf to SIGTERM", check: "MISC_CHECK", more: deafly},
	{name: "infinite output", check: "MISC_CHECK", more: endlessly},
}

// block is the check of such a server in keepalived.conf.
func (s *hostileServer) block(timeout time.Duration) string {
	keyword := "connect_timeout"
	if s.check == "MISC_CHECK" {
		keyword = "misc_timeout"
	}
	return fmt.Sprintf("%s {\n%s %s %g\n }", s.check, s.more, keyword, timeout.Seconds())
}

// Lines of the blocks of checks.
const (
	mutely    = " misc_path \"/bin/sleep 60\"\n"
	deafly    = " misc_path \"/bin/sh -c 'trap : TERM; while :; do sleep 1; done'\"\n"
	endlessly = " misc_path \"/bin/sh -c 'while echo on and on; do sleep 0.1; done'\"\n"
	getRoot   = " url {\n path /\n status_code 200\n }\n"
	getRoot2  = getRoot + " http_protocol 2\n"
	requireOK = " require_reply 6f6b\n" // ok
)

// hostileListeners adds the hostile servers of connections to those of other ports,
// and makes those that are full.
func hostileListeners(serve map[uint16]func(net.Listener) error) error {
	for i, bad := range hostile {
		port := hostilePort + uint16(i)
		switch {
		case bad.serve != nil:
			asked := bad.check == "HTTP_GET" && bad.more == getRoot
			serve[port] = serveHostile(bad.serve, asked)
		case bad.name == "full":
			if err := fillBacklog(port); err != nil {
				return fmt.Errorf("fill the queue of port %d: %w", port, err)
			}
		}
	}
	return nil
}

// fillBacklog listens on a port with as many connections in its queue as that
// has room for, so that the kernel answers no other one, listen(2).
func fillBacklog(port uint16) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 0); err != nil {
		return err
	}
	for range 2 { // the second one is beyond what the queue holds; it is there to be sure
		waits, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		_ = unix.Connect(waits, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
	}
	return nil
}

func resetting(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// overTLS is hostile once it has shaken hands and heard the request.
func overTLS(serve func(net.Conn)) func(net.Conn) {
	certificate := sync.OnceValues(selfSigned)
	return func(c net.Conn) {
		own, err := certificate()
		if err != nil {
			return
		}
		secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{own}, NextProtos: []string{"h2", "http/1.1"}})
		if _, err := secure.Read(make([]byte, 4096)); err == nil {
			serve(secure)
		}
	}
}

// frames sends one of HTTP/2, RFC 9113, again and again. What is said to them is
// heard, so that the client can go on to answer.
func frames(write func(*http2.Framer) error) func(net.Conn) {
	return func(c net.Conn) {
		go hear(c)
		_, _ = c.Write(framed(settings))
		time.Sleep(100 * time.Millisecond) // the request has come
		flood(c, string(framed(status)), string(framed(write)))
	}
}

func framed(write func(*http2.Framer) error) []byte {
	var b bytes.Buffer
	_ = write(http2.NewFramer(&b, nil)) // into memory
	return b.Bytes()
}

// The frames of an answer to the first request, and others.
func settings(f *http2.Framer) error { return f.WriteSettings() }

func status(f *http2.Framer) error {
	const is200 = "\x88" // RFC 7541 appendix A
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(is200), EndHeaders: true})
}

func tinyData(f *http2.Framer) error { return f.WriteData(1, false, []byte("x")) }

func padding(f *http2.Framer) error {
	return f.WriteDataPadded(1, false, []byte("x"), make([]byte, 255))
}

func ping(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) }

func unknownFrame(f *http2.Framer) error { return f.WriteRawFrame(0xff, 0, 0, nil) }

func mute(net.IP, []byte, func([]byte)) {}

func huge(_ net.IP, _ []byte, reply func([]byte)) { reply(make([]byte, 65507)) }

// repeat sends more datagrams than anybody wants to look at.
func repeat(b []byte, reply func([]byte)) {
	for range 5000 {
		reply(b)
	}
}

// muteHost answers no echo request, where the kernel answers none.
const muteHost = "127.2.0.1"

// falseEchoes answers ICMP echo requests, RFC 792, with another sequence number,
// where the kernel does not answer them.
func falseEchoes(to net.IP, b []byte, reply func([]byte)) {
	const request, header = 8, 8
	ignored, _ := os.ReadFile("/proc/sys/net/ipv4/icmp_echo_ignore_all")
	if len(b) < header || b[0] != request || to.String() == muteHost || strings.TrimSpace(string(ignored)) != "1" {
		return
	}
	m := icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: int(b[4])<<8 | int(b[5]), Seq: int(b[6])<<8 | int(b[7]) + 1, Data: b[header:]}}
	if answer, err := m.Marshal(nil); err == nil {
		repeat(answer, reply)
	}
}

// hear waits until the client has gone.
func hear(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func says(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

// drips sends a start, and an octet every now and then, without an end.
func drips(start string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, start)
		for err == nil {
			time.Sleep(100 * time.Millisecond)
			_, err = io.WriteString(c, "x")
		}
	}
}

func slowLines(c net.Conn) {
	var err error
	for err == nil {
		_, err = io.WriteString(c, "220-on and on\r\n")
		time.Sleep(100 * time.Millisecond)
	}
}

// floods sends as much as the client takes.
func floods(start, more string) func(net.Conn) {
	return func(c net.Conn) { flood(c, start, more) }
}

func flood(c net.Conn, start, more string) {
	_, err := io.WriteString(c, start)
	for block := bytes.Repeat([]byte(more), 4096); err == nil; {
		_, err = c.Write(block)
	}
}

// trickle sends an octet at a time, as fast as the client takes them.
func trickle(c net.Conn, start string) {
	_, err := io.WriteString(c, start)
	for err == nil {
		_, err = c.Write([]byte("x"))
	}
}

// serveHostile serves one of them, behind a request if there is one.
func serveHostile(serve func(net.Conn), asked bool) func(net.Listener) error {
	return func(l net.Listener) error {
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				if asked {
					_, _ = c.Read(make([]byte, 4096))
				}
				serve(c)
			}()
		}
	}
}
