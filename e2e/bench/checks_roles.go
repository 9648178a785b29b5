package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/ipv4"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/supervisor"
)

// First arguments of this program in the namespace of checks.
const (
	answering = "answer" // be the servers
	checking  = "check"  // be an lvsd without a kernel's table
)

// Where the servers answer. What acceptPort and controlPort have accepted is told at
// countPort.
const (
	webPort, tlsPort, smtpPort uint16 = 8080, 8443, 2525
	acceptPort, controlPort    uint16 = 7070, 7072
	countPort                  uint16 = 7071
	dnsPort, echoPort          uint16 = 5353, 7007
)

// answer is every server that is checked, until ctx ends.
func answer(ctx context.Context) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })
	failed := make(chan error, 8)
	var accepted, control atomic.Int64
	servers := map[uint16]func(net.Listener) error{
		webPort: func(l net.Listener) error { return serveWeb(l, hello) },
		tlsPort: func(l net.Listener) error {
			return serveWeb(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}}), hello)
		},
		smtpPort:    serveSMTP,
		acceptPort:  func(l net.Listener) error { return acceptAll(l, func(net.Conn) { accepted.Add(1) }) },
		controlPort: func(l net.Listener) error { return acceptAll(l, func(net.Conn) { control.Add(1) }) },
		countPort: func(l net.Listener) error {
			return acceptAll(l, func(c net.Conn) { _, _ = fmt.Fprintln(c, accepted.Load(), control.Load()) })
		},
	}
	if err := hostileListeners(servers); err != nil {
		return err
	}
	for port, serve := range servers {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		go func() { failed <- serve(l) }()
	}
	for at, serve := range datagrams() {
		network, address, _ := strings.Cut(at, " ")
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		go func() { failed <- eachDatagram(c, serve) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func serveWeb(l net.Listener, h http.Handler) error {
	s := http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	s.SetKeepAlivesEnabled(false)
	return s.Serve(l)
}

// acceptAll takes connections, and closes them when each has been served.
func acceptAll(l net.Listener, serve func(net.Conn)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		serve(c)
		_ = c.Close()
	}
}

func serveSMTP(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "220 bench\r\n")
			for lines := bufio.NewScanner(c); lines.Scan(); {
				reply := "250 bench\r\n"
				if strings.HasPrefix(lines.Text(), "QUIT") {
					reply = "221 bench\r\n"
				}
				_, _ = io.WriteString(c, reply)
			}
		}()
	}
}

// datagrams are the servers of datagrams by network and address.
func datagrams() map[string]serveDatagram {
	all := map[string]serveDatagram{"ip4:icmp 0.0.0.0": falseEchoes}
	for _, port := range []uint16{dnsPort, echoPort} {
		all[fmt.Sprintf("udp4 :%d", port)] = echo
	}
	for i, bad := range hostile {
		if bad.datagram != nil {
			all[fmt.Sprintf("udp4 :%d", hostilePort+uint16(i))] = bad.datagram
		}
	}
	return all
}

// serveDatagram answers a datagram to an address of this host, which it may
// change.
type serveDatagram func(to net.IP, b []byte, reply func([]byte))

// echo sends datagrams back as answers: the third octet of one of DNS says that
// it is one, RFC 1035 section 4.1.1.
func echo(_ net.IP, b []byte, reply func([]byte)) {
	if len(b) > 2 {
		b[2] |= 0x80
	}
	reply(b)
}

// eachDatagram serves datagrams. What reply sends comes from the address that the
// datagram was for.
func eachDatagram(conn net.PacketConn, serve serveDatagram) error {
	c := ipv4.NewPacketConn(conn)
	if err := c.SetControlMessage(ipv4.FlagDst, true); err != nil {
		return err
	}
	b := make([]byte, 9000)
	for {
		n, about, from, err := c.ReadFrom(b)
		if err != nil && !errors.Is(err, net.ErrClosed) {
			continue // what the kernel says of a datagram before
		}
		if err != nil {
			return err
		}
		serve(about.Dst, b[:n], func(b []byte) { _, _ = c.WriteTo(b, &ipv4.ControlMessage{Src: about.Dst}, from) })
	}
}

// selfSigned is a certificate that only keepalived and lvsd are content with.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// check is an lvsd with a table that forgets what it is told.
func check(ctx context.Context, file string) error {
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2) // as cmd/lvsd
	log, err := zap.NewProduction()
	if err != nil {
		return err
	}
	return supervisor.New(supervisor.Options{File: file, Log: log, Signals: make(chan os.Signal), IPVS: noTable{}}).Run(ctx)
}

// noTable is an IPVS that agrees with everything.
type noTable struct{}

func (noTable) List() (map[config.ServiceKey]*ipvs.Service, error) { return nil, nil }
func (noTable) Read(keys []config.ServiceKey) ([]*ipvs.Service, error) {
	return make([]*ipvs.Service, len(keys)), nil
}
func (noTable) Do(ops []ipvs.Op) []error { return make([]error, len(ops)) }
func (noTable) Connections(config.ServiceKey) (map[netip.AddrPort]int, error) {
	return nil, nil
}
func (noTable) Flush() error                                     { return nil }
func (noTable) Timeouts() (ipvs.Timeouts, error)                 { return ipvs.Timeouts{}, nil }
func (noTable) SetTimeouts(ipvs.Timeouts) error                  { return nil }
func (noTable) StartSync(ipvs.SyncRole, config.SyncDaemon) error { return nil }
func (noTable) StopSync(ipvs.SyncRole) error                     { return nil }
