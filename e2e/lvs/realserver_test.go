package lvs

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// realServerSide is lvsd real-server on hosts that share a /run.
type realServerSide struct {
	t     *testing.T
	state string // folder of the state files
}

func newRealServerSide(t *testing.T) realServerSide {
	t.Helper()
	if isKeepalived(rig.Binary()) {
		t.Skip("LEFT OUT for keepalived: it has no real server's side")
	}
	return realServerSide{t, t.TempDir()}
}

// run is one call, and reports whether its exit status is 0.
func (r realServerSide) run(h *rig.Host, args ...string) (output string, well bool) {
	r.t.Helper()
	words := append([]string{"real-server", "--state", filepath.Join(r.state, h.Name)}, args...)
	out, err := h.Command(rig.Binary(), words...).CombinedOutput()
	r.t.Logf("%s: lvsd real-server %s\n%s", h.Name, strings.Join(args, " "), out)
	return string(out), err == nil
}

func (r realServerSide) start(h *rig.Host, args ...string) {
	r.t.Helper()
	if _, well := r.run(h, append([]string{"start"}, args...)...); !well {
		r.t.Fatalf("%s: it does not start", h.Name)
	}
	if again, well := r.run(h, append([]string{"start"}, args...)...); !well || strings.Contains(again, "ip addr") {
		r.t.Errorf("%s: it starts twice", h.Name)
	}
	if _, well := r.run(h, append([]string{"status"}, args...)...); !well {
		r.t.Errorf("%s: not as it should be", h.Name)
	}
}

// A service by direct routing and by tunnels, whose real servers are set up by
// lvsd real-server from the directors' own configuration.
func TestRealServer(t *testing.T) {
	side := newRealServerSide(t)
	configuration := files(t, "mixed.conf")
	c := rig.NewCluster(t, configuration)
	for _, web := range c.Real {
		h := web.Host
		bare(h, c.Plan)
		h.File("keepalived.conf", configuration["keepalived.conf"])
		if _, well := side.run(h, "status"); well {
			t.Errorf("%s: nothing is wrong with a bare host", h.Name)
		}
		side.start(h)
	}
	c.Directors[0].Start(rig.Binary())
	holds(t, c, 0, c.Plan.VIPs...)
	evenly(t, c)
	for _, web := range c.Real {
		if _, well := side.run(web.Host, "stop"); !well {
			t.Errorf("%s: it does not stop", web.Host.Name)
		}
		if out, well := side.run(web.Host, "status"); well || !strings.Contains(out, "is not on") {
			t.Errorf("%s: something is left", web.Host.Name)
		}
		for _, v := range c.Plan.VIPs {
			if web.Host.Has(v.Prefix.Addr()) {
				t.Errorf("%s still has %s", web.Host.Name, v.Prefix.Addr())
			}
		}
	}
}

// bare takes from a host what the rig did to make it a real server, and gives it
// the settings that distributions begin with.
func bare(h *rig.Host, plan rig.Plan) {
	for _, v := range plan.VIPs {
		for _, device := range []string{"lo", "tunl0"} {
			_ = h.Command("ip", "addr", "del", v.Prefix.Addr().String()+"/32", "dev", device).Run() // one has it
		}
	}
	_ = h.Command("ip", "link", "set", "tunl0", "down").Run()
	for _, device := range []string{"all", "lo"} {
		h.Sysctl("net.ipv4.conf."+device+".arp_ignore", "0")
		h.Sysctl("net.ipv4.conf."+device+".arp_announce", "0")
		h.Sysctl("net.ipv4.conf."+device+".rp_filter", "1")
	}
}

// Direct routing and tunnels of both families, with the addresses given by hand,
// behind a director that ipvsadm has set up.
func TestRealServerByHand(t *testing.T) {
	side := newRealServerSide(t)
	for name, tc := range map[string]struct {
		vip, own string
		forward  []string // of ipvsadm
		args     []string
	}{
		"gre":        {"10.0.0.50", "10.0.0.11", []string{"-i", "--tun-type", "gre", "--tun-nocsum"}, []string{"--method", "TUN", "--type", "gre"}},
		"ipip":       {"10.0.0.50", "10.0.0.11", []string{"-i"}, []string{"--method", "TUN"}},
		"ipip, IPv6": {"2001:db8::50", "2001:db8::11", []string{"-i"}, []string{"--method", "TUN"}},
		"DR, IPv6":   {"2001:db8::50", "2001:db8::11", []string{"-g"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			side := side
			side.t, side.state = t, t.TempDir()
			lab := rig.New(t)
			lan := lab.Switch("lan")
			client, director, real := lab.Host("client"), lab.Host("director"), lab.Host("real")
			for i, h := range []*rig.Host{client, director, real} {
				n := string("159"[i])
				if h == real {
					n = "11"
				}
				h.Plug(lan, "eth0", "10.0.0."+n+"/24", "2001:db8::"+n+"/64 nodad")
			}
			vip := netip.MustParseAddr(tc.vip)
			if vip.Is4() {
				director.Run("ip", "addr", "add", tc.vip+"/32", "dev", "eth0")
			} else {
				// As VRRP sets it, so that the director does not send tunnels from it.
				director.Run("ip", "addr", "add", tc.vip+"/128", "dev", "eth0", "nodad", "preferred_lft", "0")
			}
			director.Sysctl("net.ipv4.ip_forward", "1")
			director.Sysctl("net.ipv6.conf.all.forwarding", "1")
			service, server := netip.AddrPortFrom(vip, 80), netip.AddrPortFrom(netip.MustParseAddr(tc.own), 80)
			director.Run("ipvsadm", "-A", "-t", service.String(), "-s", "rr")
			director.Run("ipvsadm", append([]string{"-a", "-t", service.String(), "-r", server.String()}, tc.forward...)...)
			real.Sysctl("net.ipv4.conf.all.rp_filter", "1")
			real.Serve(80)
			side.start(real, append(tc.args, tc.vip)...)
			rig.Until(t, "an answer of the real server", patience, func() bool {
				who, err := client.Get(service)
				return err == nil && who == "real"
			})
			if tally := client.Load(service, 10); !tally.Even("real") {
				t.Error(tally)
			}
			if _, well := side.run(real, "stop"); !well || real.Has(vip) {
				t.Error("it does not stop")
			}
		})
	}
}
