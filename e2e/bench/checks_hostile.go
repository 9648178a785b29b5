package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"github.com/lvsd/lvsd/e2e/rig"
)

// Servers that answer in no useful way, from hostilePort on, in this order.
const hostilePort uint16 = 7100

var hostile = []struct {
	name     string
	check    string // that asks them
	serve    func(net.Conn)
	datagram serveDatagram
}{
	{"mute", "HTTP_GET", hear, nil},
	{"slow header", "HTTP_GET", func(c net.Conn) { drip(c, "HTTP/1.0 200 OK\r\n") }, nil},
	{"slow body", "HTTP_GET", func(c net.Conn) { drip(c, "HTTP/1.0 200 OK\r\n\r\n") }, nil},
	{"infinite header", "HTTP_GET", func(c net.Conn) { flood(c, "HTTP/1.0 200 OK\r\n", "X: y\r\n") }, nil},
	{"infinite body", "HTTP_GET", func(c net.Conn) { flood(c, "HTTP/1.0 200 OK\r\n\r\n", "hello\r\n") }, nil},
	{"resetting", "HTTP_GET", resetting, nil},
	{"malformed", "HTTP_GET", func(c net.Conn) { _, _ = c.Write([]byte("\x00\xff\r\n\r\n\x00")) }, nil},
	{"mute", "SSL_GET", hear, nil},
	{"resetting", "SSL_GET", resetting, nil},
	{"no TLS", "SSL_GET", func(c net.Conn) { flood(c, "", "garbage ") }, nil},
	{"slow TLS", "SSL_GET", func(c net.Conn) { drip(c, "\x16\x03\x03\x40\x00\x02\x00\x3f\xf0") }, nil},
	{"slow body", "SSL_GET", overTLS(func(c net.Conn) { drip(c, "HTTP/1.0 200 OK\r\n\r\n") }), nil},
	{"infinite body", "SSL_GET", overTLS(func(c net.Conn) { flood(c, "HTTP/1.0 200 OK\r\n\r\n", "hello\r\n") }), nil},
	{"mute", "SMTP_CHECK", hear, nil},
	{"resetting", "SMTP_CHECK", resetting, nil},
	{"infinite line", "SMTP_CHECK", func(c net.Conn) { flood(c, "220 ", "on and on ") }, nil},
	{"slow line", "SMTP_CHECK", func(c net.Conn) { drip(c, "220-") }, nil},
	{"infinite lines", "SMTP_CHECK", func(c net.Conn) { flood(c, "", "220-on and on\r\n") }, nil},
	{"mute", "DNS_CHECK", nil, func([]byte, func([]byte)) {}},
	{"malformed", "DNS_CHECK", nil, func(b []byte, reply func([]byte)) { reply(b[:5]) }},
	{"answers to others", "DNS_CHECK", nil, func(b []byte, reply func([]byte)) {
		b[0]++
		repeat(b, reply)
	}},
	{"mute", "UDP_CHECK", nil, func([]byte, func([]byte)) {}},
	{"huge reply", "UDP_CHECK", nil, func(_ []byte, reply func([]byte)) { reply(make([]byte, 65507)) }},
	{"endless replies", "UDP_CHECK", nil, func(_ []byte, reply func([]byte)) { repeat([]byte("no"), reply) }},
	{pings, "PING_CHECK", nil, nil},
}

func resetting(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

// overTLS is hostile once it has shaken hands and heard the request.
func overTLS(serve func(net.Conn)) func(net.Conn) {
	certificate := sync.OnceValues(selfSigned)
	return func(c net.Conn) {
		own, err := certificate()
		if err != nil {
			return
		}
		secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{own}})
		if _, err := secure.Read(make([]byte, 4096)); err == nil {
			serve(secure)
		}
	}
}

// pings are answers of falseEchoes, which has no port.
const pings = "answers to others"

// repeat sends more datagrams than anybody wants to look at.
func repeat(b []byte, reply func([]byte)) {
	for range 5000 {
		reply(b)
	}
}

// falseEchoes answers ICMP echo requests, RFC 792, with another sequence number,
// where the kernel does not answer them.
func falseEchoes(b []byte, reply func([]byte)) {
	const request, header = 8, 8
	ignored, _ := os.ReadFile("/proc/sys/net/ipv4/icmp_echo_ignore_all")
	if len(b) < header || b[0] != request || strings.TrimSpace(string(ignored)) != "1" {
		return
	}
	m := icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: int(b[4])<<8 | int(b[5]), Seq: int(b[6])<<8 | int(b[7]) + 1, Data: b[header:]}}
	if answer, err := m.Marshal(nil); err == nil {
		repeat(answer, reply)
	}
}

// hear waits until the client has gone.
func hear(c net.Conn) {
	b := make([]byte, 4096)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// drip sends an octet every now and then, without an end.
func drip(c net.Conn, start string) {
	_, err := c.Write([]byte(start))
	for err == nil {
		time.Sleep(100 * time.Millisecond)
		_, err = c.Write([]byte("x"))
	}
}

func flood(c net.Conn, start, more string) {
	_, err := c.Write([]byte(start))
	for block := bytes.Repeat([]byte(more), 4096); err == nil; {
		_, err = c.Write(block)
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

// What is compared of hostile servers: so many of a kind, beside neighbours that
// are well and are asked every second.
const (
	hostileServers = 20
	hostileLoop    = 6 * time.Second
	neighbours     = 100
	hostileWarmup  = 4 * time.Second
	hostileTime    = 9 * time.Second
)

// compareHostile compares what a check of a hostile server costs, and how often
// its neighbours are asked meanwhile.
func compareHostile(ctx context.Context, keepalived, _ string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("\n%-44s  %21s   %21s   %23s\n", "", "keepalived", "lvsd", "neighbours asked, 1/s")
	fmt.Printf("%-44s  %21s   %21s   %11s %11s\n", "a check of a hostile server, delay_loop 6", "cpu, % of a core", "cpu, % of a core", "keepalived", "lvsd")
	return onStage(ctx, func(s *stage) {
		dir := s.TempDir()
		library := compileAcknowledge(s, dir)
		h := rig.New(s).Host("checks")
		begin(s, h.Command(self, answering))
		conf := filepath.Join(dir, "keepalived.conf")
		in := func(name string) string { return filepath.Join(dir, name) }
		h.Sysctl("net.ipv4.ping_group_range", "0 0")
		for i, server := range hostile {
			if len(os.Args) > 2 && !slices.Contains(os.Args[2:], server.check) {
				continue
			}
			if server.name == pings && server.check == "PING_CHECK" {
				h.Sysctl("net.ipv4.icmp_echo_ignore_all", "1")
			}
			if err := os.WriteFile(conf, []byte(hostileConf(server.check, hostilePort+uint16(i))), 0o600); err != nil {
				s.Fatalf("%w", err)
			}
			kCost, kAsked := costOfHostile(s, h, "env", "LD_PRELOAD="+library, keepalived, "-C", "-n", "-l", "-G", "-f", conf, "-p", in("pid"), "-c", in("cpid"))
			lCost, lAsked := costOfHostile(s, h, self, checking, conf)
			fmt.Printf("%-44s  %21.3f   %21.3f   %11.2f %11.2f\n", server.check+": "+server.name, kCost, lCost, kAsked, lAsked)
		}
	})
}

// hostileConf has servers of one kind, and neighbours.
func hostileConf(check string, port uint16) string {
	more := ""
	switch check {
	case "HTTP_GET", "SSL_GET":
		more = " url {\n path /\n status_code 200\n }\n"
	case "UDP_CHECK":
		more = " require_reply 6f6b\n" // ok
	}
	block := check + " {\n" + more + " connect_timeout 3\n }"
	bad := checkedServices(block, port, hostileServers, hostileLoop)
	return bad + checkedServicesFrom(hostileServers, "TCP_CHECK {\n connect_timeout 3\n }", acceptPort, neighbours, time.Second)
}

// costOfHostile is the processor time of one check as a part of a core, that of
// the neighbours included, and how often each neighbour is asked in a second.
func costOfHostile(s *stage, h *rig.Host, daemon string, args ...string) (percent, asked float64) {
	command := h.Command(daemon, args...)
	p, end := beginDaemon(s, command)
	defer end()
	time.Sleep(hostileWarmup)
	count := func() int64 { return counter(s, h, "Tcp:", "PassiveOpens") }
	cpu, connections := processorTimeOf(p.pids()), count()
	time.Sleep(hostileTime)
	cpu, connections = processorTimeOf(p.pids())-cpu, count()-connections
	if connections == 0 {
		s.Fatalf("%s asks nobody\n%s", command, p.log())
	}
	return 100 * float64(cpu) / float64(hostileTime) / hostileServers, float64(connections) / hostileTime.Seconds() / neighbours
}
