package lvs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// variant is a virtual service or more, written for one address of each family:
// VIP and VIP6 stand for the addresses, MARK for a number of its own, GROUP for
// a name. What begins the blocks is written out where it is not
// "virtual_server VIP 80".
type variant struct{ name, text string }

// differences are the variants of which lvsd's table is not keepalived's, with
// the reason.
var differences = map[string]string{
	"sorry_server 10.1.0.2 80 " + waiting + "\ninhibit_on_failure":                       reallySorry,
	"sorry_server 10.1.0.2 80\nsorry_server_inhibit " + waiting + "\ninhibit_on_failure": reallySorry,
	"granularity as a number": "keepalived takes 24 for the netmask 0.0.0.24, lvsd for a prefix length",
}

const reallySorry = "keepalived adds the sorry server, which is there already as a real server with weight 0, and so it stays"

func vs(lines ...string) string {
	return "virtual_server VIP 80 {\nprotocol TCP\n" + strings.Join(lines, "\n") + "\n}\n"
}

func vs6(lines ...string) string {
	return "virtual_server VIP6 80 {\nprotocol TCP\n" + strings.Join(lines, "\n") + "\n}\n"
}

func real4(lines ...string) string {
	return "real_server 10.1.0.2 80 {\n" + strings.Join(lines, "\n") + "\n}"
}

func real6(lines ...string) string {
	return "real_server 2001:db8:1::2 80 {\n" + strings.Join(lines, "\n") + "\n}"
}

// unchecked servers wait for a result that does not come.
const waiting = "alpha\nTCP_CHECK {\nconnect_port 9\ndelay_loop 600\nwarmup 600\n}"

func variants() (all []variant) {
	add := func(name string, text ...string) { all = append(all, variant{name, strings.Join(text, "")}) }
	schedulers := strings.Fields("rr wrr lc wlc lblc lblcr sh mh dh fo ovf sed nq twos")
	for _, s := range schedulers {
		add(s, vs("lb_algo "+s, "lb_kind DR", real4()))
		add(s+" IPv6", vs6("lvs_sched "+s, "lvs_method DR", real6("weight 3")))
		add(s+" UDP", "virtual_server VIP 53 {\nprotocol UDP\nlb_algo "+s+"\nlb_kind NAT\nops\n"+real4()+"\n}\n")
		add(s+" mark", "virtual_server fwmark MARK {\nlb_algo "+s+"\nlb_kind DR\npersistence_timeout 77\n"+real4()+"\n}\n")
	}
	for _, s := range []string{"sh", "mh"} {
		for _, flags := range []string{"PORT", "FALLBACK", "PORT\nFALLBACK", "flag-3\nPORT"} {
			add(s+" "+flags, vs("lb_algo "+s, strings.NewReplacer("PORT", s+"-port", "FALLBACK", s+"-fallback").Replace(flags), "lb_kind DR", real4()))
		}
		add(s+" flags before it", vs(s+"-port", "lb_algo "+s, "lb_kind DR", real4()))
	}
	for _, flags := range []string{"flag-1", "flag-2", "flag-3", "flag-1\nflag-2\nflag-3", "hashed", "ops"} {
		add("rr "+flags, vs("lb_algo rr", flags, "lb_kind DR", real4()))
	}
	for _, p := range []string{
		"persistence_timeout", "persistence_timeout 1", "persistence_timeout 2678400", "persistence_granularity 255.255.255.0",
		"persistence_timeout 50\npersistence_granularity 255.255.0.0", "persistence_timeout 50\npersistence_granularity 255.255.255.255",
		"persistence_granularity 255.0.255.0", "persistence_timeout 60\npersistence_engine sip", "persistence_engine sip",
	} {
		add(p, "virtual_server VIP 5060 {\nprotocol UDP\nlb_algo rr\nlb_kind NAT\n"+p+"\n"+real4()+"\n}\n")
	}
	add("granularity as a number", vs("lb_algo rr", "lb_kind DR", "persistence_granularity 24", real4()))
	for _, p := range []string{"persistence_timeout", "persistence_granularity 64", "persistence_timeout 9\npersistence_granularity 128"} {
		add(p+" IPv6", vs6("lb_algo rr", "lb_kind DR", p, real6()))
	}
	methods := []string{
		"NAT", "DR", "TUN", "TUN type ipip", "TUN type gue port 6080", "TUN type gue port 6080 nocsum", "TUN type gue port 6081 csum",
		"TUN type gue port 6080 remcsum", "TUN type gre", "TUN type gre csum", "TUN type gre nocsum", "TUN type gue", "TUN type gre remcsum",
	}
	for _, m := range methods {
		add(m, vs("lb_algo wrr", "lb_kind "+m, real4(), "real_server 10.1.0.3 81 {\nweight 2\n}\nreal_server 10.1.0.4 {\n}"))
		add(m+" IPv6", vs6("lb_algo wrr", "lb_kind "+m, real6()))
		add(m+" of a server", vs("lb_algo wrr", "lb_kind DR", real4("lvs_method "+m), "real_server 10.1.0.3 80 {\n}"))
		add(m+" to the other family", vs("lb_algo wrr", "lb_kind "+m, real6()+"\n"+real4()))
		add(m+" of a sorry server", vs("lb_algo wrr", "lb_kind NAT", "quorum 1", "sorry_server 10.1.0.9 80\nsorry_server_lvs_method "+m, real4(waiting)))
		add(m+" of a mark", "virtual_server fwmark MARK {\nlb_algo wrr\nlb_kind "+m+"\n"+real4()+"\nreal_server 10.1.0.3 {\n}\n}\n")
	}
	for _, w := range []string{"weight 0", "weight 65535", "weight 7", "uthreshold 100", "lthreshold 50", "uthreshold 100\nlthreshold 50", "inhibit_on_failure", "notify_up /bin/true", waiting, waiting + "\ninhibit_on_failure"} {
		add(w, vs("lb_algo wlc", "lb_kind NAT", "weight 5", real4(w), "real_server 10.1.0.3 8080 {\n}"))
	}
	for _, s := range []string{"sorry_server 10.1.0.9 8080", "sorry_server 10.1.0.9", "sorry_server 10.1.0.9 8080\nsorry_server_inhibit", "sorry_server 10.1.0.2 80", "sorry_server 10.1.0.2 80\nsorry_server_inhibit"} {
		for _, state := range []string{"", waiting, waiting + "\ninhibit_on_failure"} {
			add(s+" "+state, vs("lb_algo wlc", "lb_kind NAT", s, real4(state)))
		}
		add(s+" quorum", vs("lb_algo wlc", "lb_kind NAT", "quorum 3", s, real4("weight 2"), "real_server 10.1.0.3 80 {\nweight 2\n"+waiting+"\n}"))
	}
	add("quorum without a sorry server", vs("lb_algo wlc", "lb_kind NAT", "quorum 3", real4("weight 2"), "real_server 10.1.0.3 80 {\nweight 2\n"+waiting+"\n}"))
	for _, p := range []string{"TCP", "UDP", "SCTP", "udp"} {
		add("protocol "+p, "virtual_server VIP 90 {\nprotocol "+p+"\nlb_algo rr\nlb_kind NAT\n"+real4()+"\n}\n")
		add("any port "+p, "virtual_server VIP {\nprotocol "+p+"\npersistence_timeout 30\nlb_algo rr\nlb_kind DR\nreal_server 10.1.0.2 {\n}\n}\n")
		add("port 0 not persistent "+p, "virtual_server VIP 0 {\nprotocol "+p+"\nlb_algo rr\nlb_kind NAT\n"+real4()+"\n}\n")
	}
	add("nothing said", "virtual_server VIP 91 {\n"+real4()+"\n}\n")
	add("no server", vs("lb_algo rr"))
	add("twice the same server", vs("lb_algo rr", "lb_kind NAT", real4("weight 2"), real4("weight 3")))
	add("all protocols of an address", vs("lb_algo rr", "lb_kind NAT", real4()), "virtual_server VIP 80 {\nprotocol UDP\nlb_algo wrr\nlb_kind NAT\n"+real4()+"\n}\n", vs6("lb_algo lc", "lb_kind DR", real6()))
	add("two blocks", vs("lb_algo rr", "lb_kind DR", real4("weight 2")), vs("lb_algo wlc", "lb_kind TUN", "real_server 10.1.0.3 80 {\n}"))
	add("mark IPv6", "virtual_server fwmark MARK {\nip_family inet6\nlb_algo rr\nlb_kind DR\n"+real6()+"\n}\n")
	add("mark IPv6 by its server", "virtual_server fwmark MARK {\nlb_algo rr\nlb_kind DR\n"+real6()+"\n}\n")
	add("mark of both", "virtual_server fwmark MARK {\nip_family inet\nlb_algo rr\nlb_kind TUN\n"+real4()+"\n}\nvirtual_server fwmark MARK {\nip_family inet6\nlb_algo wrr\nlb_kind TUN\n"+real6()+"\n}\n")
	add("mark with a protocol", "virtual_server fwmark MARK {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n"+real4()+"\n}\n")
	group := func(entries string, blocks ...string) string {
		text := "virtual_server_group GROUP {\n" + entries + "\n}\n"
		for _, b := range blocks {
			text += "virtual_server group GROUP {\n" + b + "\n}\n"
		}
		return text
	}
	for _, entries := range []string{
		"VIP 80", "VIP 80\nVIP 443", "VIP-LAST 80", "VIP/30 80", "VIP 80\nfwmark MARK", "fwmark MARK", "fwmark MARK\nfwmark 1MARK", "VIP 0",
	} {
		for _, kind := range []string{"NAT", "DR", "TUN type gue port 6080"} {
			for _, server := range []string{real4(), "real_server 10.1.0.2 {\n}", "real_server 10.1.0.2 8080 {\n}"} {
				add("group "+entries+" "+kind+" "+server, group(entries, "protocol TCP\nlb_algo rr\npersistence_timeout 70\nlb_kind "+kind+"\n"+server+"\nsorry_server 10.1.0.9\nsorry_server_inhibit"))
			}
		}
	}
	add("group IPv6", group("VIP6 80\nVIP6 443", "protocol TCP\nlb_algo rr\nlb_kind DR\nreal_server 2001:db8:1::2 {\n}"))
	add("group IPv6 range", group("VIP6-VLAST 80", "protocol TCP\nlb_algo rr\nlb_kind NAT\n"+real6()))
	add("group mark IPv6", group("fwmark MARK inet6", "lb_algo rr\nlb_kind DR\nreal_server 2001:db8:1::2 {\n}"))
	add("group of both", group("fwmark MARK inet\nfwmark MARK inet6", "lb_algo rr\nlb_kind TUN\nreal_server 10.1.0.2 {\n}"))
	add("group with both protocols", group("VIP 80\nVIP 53",
		"protocol TCP\nlb_algo rr\nlb_kind NAT\n"+real4(), "protocol UDP\nlb_algo wrr\nlb_kind NAT\nreal_server 10.1.0.3 53 {\n}"))
	add("group waiting", group("VIP 80", "protocol TCP\nlb_algo rr\nlb_kind NAT\nquorum 1\nsorry_server 10.1.0.9 81\n"+real4(waiting)))
	add("no such group", "virtual_server group GROUP {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n"+real4()+"\n}\n")
	return all
}

// fill puts the place of a variant into its text.
func fill(text string, i int) string {
	return strings.NewReplacer(
		"VIP-LAST", fmt.Sprintf("10.99.%d.%d-%d", i/60, i%60*4+4, i%60*4+7), "VIP6-VLAST", fmt.Sprintf("2001:db8:99::%x00-%x03", i+1, 0),
		"VIP6", fmt.Sprintf("2001:db8:99::%x:0", i+1), "VIP", fmt.Sprintf("10.99.%d.%d", i/60, i%60*4+4),
		"1MARK", fmt.Sprint(2000+i), "MARK", fmt.Sprint(1000+i), "GROUP", fmt.Sprintf("g%d", i),
	).Replace(text)
}

// written are the variants, each with the text of another one.
func written(all []variant, at []int) string {
	var b strings.Builder
	for i := range all {
		b.WriteString(fill(all[at[i]].text, i))
	}
	return b.String()
}

// flawed are the variants that lvsd finds a mistake in.
func flawed(t *testing.T, h *rig.Host, all []variant) map[int]bool {
	var begins []int // first lines
	line := 1
	for i := range all {
		begins = append(begins, line)
		line += strings.Count(fill(all[i].text, i), "\n")
	}
	var report struct {
		Problems []struct {
			Line     int
			Severity string
		}
	}
	out, _ := h.Command(rig.Binary(), "-t", "--offline", "--format=json", "-f", "/etc/keepalived/keepalived.conf").Output() // its status says that there are mistakes
	if err := json.Unmarshal(out, &report); err != nil || len(report.Problems) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[int]bool{}
	for _, p := range report.Problems {
		if at, exact := slices.BinarySearch(begins, p.Line); p.Severity == "error" {
			if !exact {
				at--
			}
			found[max(at, 0)] = true
		}
	}
	return found
}

// turned are the variants for a reload: what stands at a place is that of the
// next place, except for those with a mistake, which stay: lvsd refuses a reload
// with a mistake that is new.
func turned(all []variant, stays map[int]bool) []int {
	var moving []int
	at := make([]int, len(all))
	for i := range all {
		if at[i] = i; !stays[i] {
			moving = append(moving, i)
		}
	}
	for k, i := range moving {
		at[i] = moving[(k+1)%len(moving)]
	}
	return at
}

// tables are what a daemon makes of all variants: at start, after a reload in
// which most of them change places, which is at, and at a start with that file.
func tables(t *testing.T, binary string, all []variant) (at []int, start, reloaded, restarted map[int][]string) {
	lab := rig.New(t)
	h := lab.Host("director")
	h.Plug(lab.Switch("lan"), "eth0", "10.1.0.1/16", "2001:db8:1::1/64")
	h.File("keepalived.conf", written(all, places(len(all))))
	at = turned(all, flawed(t, h, all))
	look := func() map[int][]string {
		var before string
		rig.Until(t, "the table of "+binary+" to settle", 2*time.Minute, func() bool {
			time.Sleep(2 * time.Second)
			now := h.Run("ipvsadm", "-Sn")
			settled := now == before && now != ""
			before = now
			return settled
		})
		return byVariant(t, before)
	}
	run := func(f func(d *rig.Daemon)) {
		d := h.Start(binary)
		d.Wait(0, "Startup complete", patience)
		f(d)
		d.Stop(patience)
		left := h.Run("ipvsadm", "-Sn")
		if left != "" && !isKeepalived(binary) {
			t.Errorf("%s has left\n%s", d, left)
		}
		h.Run("ipvsadm", "-C")
	}
	run(func(d *rig.Daemon) {
		start = look()
		h.File("keepalived.conf", written(all, at))
		d.Signal(syscall.SIGHUP)
		time.Sleep(5 * time.Second)
		reloaded = look()
	})
	run(func(*rig.Daemon) { restarted = look() })
	return at, start, reloaded, restarted
}

func places(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// byVariant are the lines of a table by the variant that they are of.
func byVariant(t *testing.T, table string) map[int][]string {
	all := map[int][]string{}
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		var a, b, n int
		at := -1
		switch service := words[2]; {
		case words[1] == "-f":
			if _, err := fmt.Sscan(service, &n); err == nil {
				at = n % 1000
			}
		case strings.HasPrefix(service, "10.99."):
			if _, err := fmt.Sscanf(service, "10.99.%d.%d:%d", &a, &b, &n); err == nil {
				at = a*60 + b/4 - 1
			}
		default:
			if _, err := fmt.Sscanf(service, "[2001:db8:99::%x:", &n); err == nil {
				at = n - 1
			} else if _, err := fmt.Sscanf(service, "[2001:db8:99::%x]", &n); err == nil {
				at = n>>8 - 1
			}
		}
		if at < 0 {
			t.Fatalf("whose is this? %s", line)
		}
		all[at] = append(all[at], strings.TrimSpace(line))
	}
	for _, lines := range all {
		slices.Sort(lines)
	}
	return all
}

// TestTable: every kind of service and real server is in the kernel as
// keepalived has it at start, and after a reload as at a start.
func TestTable(t *testing.T) {
	onlyLVSD(t, "it is compared with itself")
	all := variants()
	_, wantStart, wantReloaded, wantRestarted := tables(t, rig.Keepalived, all)
	at, gotStart, gotReloaded, gotRestarted := tables(t, rig.Binary(), all)
	equal := 0
	for i, v := range all {
		reason := differences[v.name]
		switch d := cmp.Diff(wantStart[i], gotStart[i]); {
		case d == "" && reason != "":
			t.Errorf("%s: no difference, in spite of: %s", v.name, reason)
		case d == "":
			equal++
		case reason != "":
			t.Logf("%s: %s", v.name, reason)
		default:
			t.Errorf("%s\n%s\nkeepalived's - and lvsd's +\n%s", v.name, v.text, d)
		}
	}
	t.Logf("%d of %d variants are equal", equal, len(all))
	if equal < 120 || len(wantStart) < equal-20 {
		t.Errorf("keepalived made services of only %d variants", len(wantStart))
	}
	// A reload makes of a file what a start makes of it. With keepalived it does
	// not, docs/compatibility.md. Servers that are up before stay so: alpha holds
	// for new ones. And one that the kernel refuses, with lthreshold alone, stays as
	// it was.
	changed, astray := 0, 0
	for i := range all {
		if !cmp.Equal(wantReloaded[i], wantRestarted[i]) {
			astray++
		}
		if cmp.Equal(gotStart[i], gotRestarted[i]) || strings.Contains(all[at[i]].text, "alpha") || all[at[i]].name == "lthreshold 50" {
			continue
		}
		if d := cmp.Diff(gotRestarted[i], gotReloaded[i]); d != "" {
			t.Errorf("place %d, where %q was: a start's - and a reload's +\n%s", i, all[i].name, d)
		} else {
			changed++
		}
	}
	t.Logf("%d places differ between a reload and a start with keepalived", astray)
	t.Logf("%d places are right after a reload that changes them", changed)
	if changed < 120 {
		t.Error("those are few")
	}
}
