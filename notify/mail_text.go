package notify

import (
	"fmt"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// CheckChange is a check of a real server that has changed its verdict.
type CheckChange struct {
	Service string // as the log prints it
	Server  string
	Check   config.CheckID
	Up      bool   // the verdict
	Reason  string // why it is not up
	Timeout bool   // it is not up for want of an answer
	Alive   bool   // the real server, with this verdict
	Changed bool   // the real server came up or went down with it
}

// QuorumChange is a virtual server that has got or lost its quorum.
type QuorumChange struct {
	Service    string // as the log prints it
	Up         bool
	Starting   bool   // it is its first state
	Quorum     uint32 // quorum
	Hysteresis uint32 // hysteresis
	Weight     int64  // sum of the weights that are up
}

// stateMail has keepalived's words for a state of VRRP.
func stateMail(e Event) (subject, body string) {
	does := "Entering " + e.What + " state"
	switch e.What {
	case config.Stop.String():
		does = "Stopping"
	case config.Deleted.String():
		does = "Deleted"
	}
	if e.Object.Kind == "GROUP" {
		body = "=> All VRRP group instances are now in " + e.What + " state <="
		if does == "Stopping" {
			body = "=> All VRRP group instances are now stopping <="
		}
		return "VRRP Group " + e.Object.Name + " - " + does, body
	}
	switch e.What {
	case config.Master.String():
		body = "=> VRRP Instance is now owning VRRP VIPs <="
	case config.Stop.String():
		body = "=> VRRP Instance stopping <="
	case config.Deleted.String():
		body = "=> VRRP Deleted at reload <="
	default:
		body = "=> VRRP Instance is no longer owning VRRP VIPs <="
	}
	return "VRRP Instance " + e.Object.Name + " - " + does, body
}

// checkMail has keepalived's words for the verdict of a check.
func checkMail(c CheckChange) (subject, body string) {
	return serverSubject(c.Server, c.Service, c.Alive), "=> " + c.verdict() + " <="
}

func (c *CheckChange) verdict() string {
	switch c.Check.Kind {
	case config.TCPCheck:
		return "TCP CHECK " + either(c.Up, "succeed", "failed") + " on service"
	case config.UDPCheck:
		return "UDP CHECK " + either(c.Up, "succeed", "failed") + " on service"
	case config.PingCheck:
		return "ICMP CHECK " + either(c.Up, "succeed", "failed") + " on service"
	case config.DNSCheck:
		return "DNS_CHECK: " + either(c.Up, "succeeded", "failed") + " on service"
	case config.MiscCheck:
		return "MISC CHECK " + either(c.Up, "succeeded", either(c.Timeout, "timed out", "failed")) + " on service"
	case config.BFDCheck:
		return "BFD CHECK " + c.Check.Params + " " + either(c.Up, "succeeded", "failed") + " on service"
	case config.SMTPCheck:
		return either(c.Up, "CHECK succeed on service", "CHECK failed on service : "+headline(c.Reason))
	case config.HTTPGet, config.SSLGet:
		return either(c.Up, "CHECK succeed on service", "CHECK failed on service : HTTP request failed")
	}
	return fmt.Sprintf("%s %s on service", c.Check.Kind, either(c.Up, "succeeded", "failed"))
}

// headline is what keepalived says of a failure: up to the server, without what
// the server or the kernel said.
func headline(reason string) string {
	at := strings.Index(reason, "]:")
	if at < 0 {
		return reason
	}
	end := at + len("]:")
	for end < len(reason) && '0' <= reason[end] && reason[end] <= '9' {
		end++
	}
	return reason[:end]
}

func serverSubject(server, service string, up bool) string {
	return fmt.Sprintf("Realserver %s of virtual server %s - %s", server, service, upDown(up))
}

// quorumMail has keepalived's words for a quorum.
func quorumMail(q QuorumChange) (subject, body string) {
	does, bound := either(q.Up, "Gained quorum", "Lost quorum"), int64(q.Quorum)+int64(q.Hysteresis)
	switch {
	case q.Starting:
		does = "Starting with quorum " + either(q.Up, "up", "down")
	case !q.Up:
		bound = int64(q.Quorum) - int64(q.Hysteresis)
	}
	return fmt.Sprintf("Virtualserver %s - %s", q.Service, upDown(q.Up)),
		fmt.Sprintf("=> %s %d+%d=%d <= %d <=", does, q.Quorum, q.Hysteresis, bound, q.Weight)
}

func upDown(up bool) string { return either(up, "UP", "DOWN") }

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
