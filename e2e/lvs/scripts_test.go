package lvs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

const scriptedChecks = `
global_defs {
	script_user root
	enable_script_security
}
track_file load {
	file /etc/keepalived/load
	weight 2
}
track_file off {
	file /etc/keepalived/off
	weight 0
}
virtual_server 10.0.0.50 80 {
	lb_algo wrr
	lb_kind DR
	protocol TCP
	delay_loop 5
	warmup 0
	real_server 10.0.0.11 80 {
		weight 10
		MISC_CHECK {
			misc_path "/etc/keepalived/status.sh a"
			misc_dynamic
		}
		MISC_CHECK {
			misc_path "/etc/keepalived/status.sh b"
			misc_dynamic
			retry 2
			delay_before_retry 1
			log_all_failures
		}
	}
	real_server 10.0.0.12 80 {
		MISC_CHECK {
			misc_path "/etc/keepalived/hang.sh c"
			misc_timeout 2
		}
	}
	real_server 10.0.0.13 80 {
		inhibit_on_failure
		MISC_CHECK {
			misc_path "/etc/keepalived/hang.sh d"
			misc_timeout 2
			retry 1
			delay_before_retry 1
			log_all_failures
		}
	}
	real_server 10.0.0.14 80 {
		weight 10
		FILE_CHECK {
			track_file load
		}
		FILE_CHECK {
			track_file load
			weight -1
		}
	}
	real_server 10.0.0.15 80 {
		FILE_CHECK {
			track_file off
		}
	}
	real_server 10.0.0.16 80 {
		MISC_CHECK {
			misc_path /etc/keepalived/missing.sh
		}
	}
	real_server 10.0.0.17 80 {
		MISC_CHECK {
			misc_path /etc/keepalived/open.sh
		}
	}
}
virtual_server 10.0.0.51 80 {
	lb_algo rr
	lb_kind DR
	protocol TCP
	delay_loop 4
	warmup 0
	ha_suspend
	real_server 10.0.0.19 80 {
		MISC_CHECK {
			misc_path "/etc/keepalived/status.sh e"
		}
	}
}
`

// The same story of scripts that exit and hang, files that change and an address
// that comes and goes, through keepalived and lvsd: the same tables after each
// step, and the same sentences about each server.
func TestScriptedChecks(t *testing.T) {
	want := scriptedStory(t, rig.Keepalived)
	got := scriptedStory(t, rig.Binary())
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-keepalived +lvsd:\n%s", d)
	}
	if len(want) < 50 {
		t.Errorf("too little to compare:\n%s", strings.Join(want, "\n"))
	}
}

// sentence is what is compared of a line of the log.
var sentence = regexp.MustCompile(`(Misc check for|Changing weight from|(Deactiv|Activ|Suspend)\w+ healthchecker for|Adding service|Removing service|(En|Dis)abling service|\(\S+: tracked file) .*`)

var unfit = regexp.MustCompile(`10\.0\.0\.1[67]`)

func scriptedStory(t *testing.T, binary string) (story []string) {
	lab := rig.New(t)
	d := lab.Host("director")
	d.Plug(lab.Switch("lan"), "eth0", "10.0.0.1/24")
	d.File("status.sh", "#!/bin/sh\nread status < /etc/keepalived/$1\nexit $status\n")
	d.File("hang.sh", "#!/bin/sh\nread status < /etc/keepalived/$1\n[ $status = 0 ] || exec sleep 1000\n")
	set := func(value string, files ...string) {
		for _, f := range files {
			d.File(f, value+"\n")
		}
	}
	d.File("open.sh", "#!/bin/sh\nexit 1\n") // which is refused: others may write to it
	d.Run("chmod", "777", "/etc/keepalived/open.sh")
	set("0", "a", "b", "c", "d", "load", "off")
	set("1", "e")
	d.File("keepalived.conf", scriptedChecks)
	daemon := d.Start(binary)
	mark := 0
	after := func(pause time.Duration, step string) {
		time.Sleep(pause)
		story = append(story, "== "+step)
		lines := strings.Split(strings.TrimSpace(d.Run("ipvsadm", "-Sn")), "\n")
		slices.Sort(lines)
		var said []string
		for _, line := range daemon.Lines(mark) {
			mark++
			// Scripts that are not there, or are refused, are dropped by one and shouted about by the other.
			if s := sentence.FindString(line.Text); s != "" && !unfit.MatchString(s) {
				said = append(said, s)
			}
		}
		slices.Sort(said) // checks of the same moment have no order
		story = append(story, append(lines, said...)...)
	}
	after(9*time.Second, "start")
	set("22", "a")
	set("12", "b")
	after(9*time.Second, "20 and 10")
	set("32", "a")
	after(9*time.Second, "30 and 10")
	set("7", "load")
	set("1", "off")
	after(3*time.Second, "files")
	set("1", "a", "b", "c", "d")
	after(20*time.Second, "all fail")
	d.Run("ip", "addr", "add", "10.0.0.51/32", "dev", "lo")
	after(9*time.Second, "the address is here")
	set("0", "a", "b", "c", "d", "off")
	after(12*time.Second, "all succeed")
	d.Run("ip", "addr", "del", "10.0.0.51/32", "dev", "lo")
	set("0", "e")
	after(9*time.Second, "the address has gone")
	return story
}
