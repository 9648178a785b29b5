//go:build linux

package supervisor

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/internal/smtptest"
)

const mailed = `
global_defs {
    router_id r1
    notification_email {
        a@example.org
        b@example.org c@example.org
    }
    notification_email_from lvs@example.org
    smtp_server %[1]s
    smtp_connect_timeout 5
    smtp_alert_vrrp
    %[2]s
}
vrrp_sync_group G1 {
    group {
        V1
        V2
    }
}
vrrp_instance V1 {
    interface veth0
    virtual_router_id 7
    priority 100
    advert_int 1
    virtual_ipaddress {
        10.9.0.100/24
    }
}
vrrp_instance V2 {
    interface veth0
    virtual_router_id 8
    priority 100
    advert_int 1
    virtual_ipaddress {
        10.9.0.101/24
    }
}
%[3]svirtual_server 10.9.0.100 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.9.0.1 8081 {
        TCP_CHECK {
            connect_timeout 2
            retry 0
            warmup 0
        }
        TCP_CHECK {
            connect_timeout 2
            connect_port 8082
            retry 0
            warmup 0
        }
    }
%[4]s}
`

const (
	leavingInstance = `vrrp_instance V3 {
    interface veth0
    virtual_router_id 9
    priority 100
    advert_int 1
    notify_deleted
    virtual_ipaddress {
        10.9.0.102/24
    }
}
`
	leavingServer = `    real_server 10.9.0.1 8083 {
    }
`
)

// mailStage is where lvsd or keepalived runs the script of [TestMailOracle].
type mailStage struct {
	*bench
	server *smtptest.Server
	next   string // the configuration of a reload
	seen   int
}

func newMailStage(t *testing.T) *mailStage {
	s := &mailStage{bench: prepare(t), server: new(smtptest.Server)}
	s.server.Start(t)
	return s
}

// expect waits for this many mails more, and returns them in an order that does
// not depend on who was faster.
func (s *mailStage) expect(n int) string {
	s.t.Helper()
	s.wait(fmt.Sprintf("%d mails", n), func() bool { return len(s.server.Mails()) >= s.seen+n })
	time.Sleep(500 * time.Millisecond) // for one too many
	mails := s.server.Mails()[s.seen:]
	s.seen += len(mails)
	for i := range mails {
		mails[i] = dated.ReplaceAllString(unfold.Replace(mails[i]), "Date: NOW\r\n")
	}
	slices.Sort(mails)
	return strings.ReplaceAll(strings.Join(mails, ""), "\r\n", "\n")
}

var (
	dated  = regexp.MustCompile(`^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\n`)
	unfold = strings.NewReplacer("\r\n ", " ") // RFC 5322, section 2.2.3
)

// play is the script: instances and servers come and go. It returns the mails
// of each step.
func (s *mailStage) play(reload func(), steps []mailStep) string {
	s.t.Helper()
	var story strings.Builder
	up := map[string]net.Listener{}
	defer func() {
		for _, l := range up {
			_ = l.Close()
		}
	}()
	for _, step := range steps {
		verb, what, _ := strings.Cut(step.do, " ")
		switch verb {
		case "link":
			ip(s.t, "link", "set", "veth0", what)
		case "serve":
			l, err := net.Listen("tcp", "10.9.0.1:"+what)
			if err != nil {
				s.t.Fatal(err)
			}
			up[what] = l
		case "fail":
			_ = up[what].Close()
		case "reload":
			s.put(s.next)
			reload()
		}
		fmt.Fprintf(&story, "### %s\n%s", step.do, s.expect(step.mails))
	}
	return story.String()
}

type mailStep struct {
	do    string
	mails int
}

// TestMailOracle: lvsd sends the mails of Debian's keepalived.
func TestMailOracle(t *testing.T) {
	needOracle(t, "keepalived", "cc")
	if !inside(t) {
		return
	}
	for _, test := range []struct {
		options string
		steps   []mailStep
	}{
		{"", []mailStep{
			{"start", 10}, {"serve 8082", 1}, {"serve 8081", 1}, {"fail 8082", 1}, {"link down", 4}, {"link up", 8}, {"reload", 2},
		}},
		{"no_email_faults\nno_checker_emails", []mailStep{
			{"start", 9}, {"serve 8082", 0}, {"serve 8081", 1}, {"fail 8082", 1}, {"link down", 0}, {"link up", 8}, {"reload", 2},
		}},
	} {
		t.Run(strings.ReplaceAll(test.options, "\n", "+"), func(t *testing.T) {
			ours := newMailStage(t)
			ours.put(fmt.Sprintf(mailed, ours.server.Addr(), test.options, leavingInstance, leavingServer))
			ours.next = fmt.Sprintf(mailed, ours.server.Addr(), test.options, "", "")
			ours.start()
			got := ours.play(func() { ours.reload() }, test.steps)
			ours.stop()
			if left := ours.expect(3); strings.Count(left, "Stopping\n") != 3 || !strings.Contains(left, "\n=> All VRRP group instances are now stopping <=\n") {
				t.Errorf("at stop:\n%s", left)
			}
			ip(t, "link", "set", "veth0", "up")

			theirs := newMailStage(t)
			theirs.put(fmt.Sprintf(mailed, theirs.server.Addr(), test.options, leavingInstance, leavingServer))
			theirs.next = fmt.Sprintf(mailed, theirs.server.Addr(), test.options, "", "")
			daemon := theirs.keepalived()
			want := theirs.play(func() { _ = daemon.Signal(syscall.SIGHUP) }, test.steps)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-keepalived +lvsd:\n%s", d)
			}
		})
	}
}

const mailedGlobals = `
global_defs {
    router_id r1
    notification_email {
        a@example.org
    }
    notification_email_from lvs@example.org
    smtp_server %s
    smtp_connect_timeout 5
}
`

const mailedService = `
virtual_server 10.9.0.%d 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    quorum 3
    hysteresis 1
    %s
    real_server 10.9.0.1 8081 {
        weight 3
        smtp_alert off
        TCP_CHECK {
            connect_timeout 2
            retry 0
            warmup 0
        }
    }
    real_server 10.9.0.1 8083 {
    }
}
`

// TestMailQuorumOracle: what is mailed about quorums is that of Debian's
// keepalived. All services but the first leave with the reload, those without a
// sorry server also with a server that is up, and the last one with its quorum.
// The first has omega; keepalived's mails at stop are cut off.
func TestMailQuorumOracle(t *testing.T) {
	needOracle(t, "keepalived", "cc")
	if !inside(t) {
		return
	}
	configure := func(s *mailStage) {
		services := []string{
			"smtp_alert\nomega", "smtp_alert\nsorry_server 10.9.0.1 8089", "smtp_alert\nalpha",
			"smtp_alert\nalpha\nsorry_server 10.9.0.1 8089", "", "smtp_alert\nquorum 1\nhysteresis 0",
		}
		for n := range services {
			services[n] = fmt.Sprintf(mailedService, 100+n, services[n])
		}
		globals := fmt.Sprintf(mailedGlobals, s.server.Addr())
		s.put(globals + strings.Join(services, ""))
		s.next = globals + services[0]
	}
	steps := []mailStep{{"start", 6}, {"serve 8081", 4}, {"fail 8081", 4}, {"reload", 4}}

	ours := newMailStage(t)
	configure(ours)
	ours.start()
	got := ours.play(func() { ours.reload() }, steps)
	ours.stop()
	left := ours.expect(2)
	for _, body := range []string{"=> Shutting down <=", "=> Lost quorum 3+1=2 <= 0 <="} {
		if strings.Count(left, body) != 1 {
			t.Errorf("at stop, without %q:\n%s", body, left)
		}
	}

	theirs := newMailStage(t)
	configure(theirs)
	daemon := theirs.keepalived()
	want := theirs.play(func() { _ = daemon.Signal(syscall.SIGHUP) }, steps)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-keepalived +lvsd:\n%s", d)
	}
}
