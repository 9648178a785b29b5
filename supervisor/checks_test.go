//go:build linux

package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const checked = `
track_file load {
    file %[1]s/load
    weight -1
}
track_file off {
    file %[1]s/off
    weight 0
}
bfd_instance b {
    neighbor_ip 10.9.0.9
}
virtual_server 10.9.0.100 80 {
    delay_loop 0.05
    warmup 0
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.9.0.11 80 {
        weight 50
        notify_up "%[1]s/notify.sh up '10.9.0.11 80'"
        notify_down "%[1]s/notify.sh down"
        MISC_CHECK {
            misc_path "%[1]s/weigh.sh a"
            misc_dynamic
            misc_timeout 10
        }
        FILE_CHECK {
            track_file load
        }
    }
    real_server 10.9.0.12 80 {
        notify_up %[1]s/gone.sh
        notify_down %[1]s/gone.sh
        FILE_CHECK {
            track_file off
        }
    }
    real_server 10.9.0.13 80 {
        BFD_CHECK {
            name b
            alpha
        }
    }
    real_server 10.9.0.14 80 {
        MISC_CHECK {
            misc_path %[1]s/missing.sh
            misc_timeout 10
        }
    }
}
virtual_server 10.9.0.101 80 {
    delay_loop 0.05
    warmup 0
    lb_algo rr
    lb_kind DR
    protocol TCP
    ha_suspend
    real_server 10.9.0.15 80 {
        MISC_CHECK {
            misc_path "%[1]s/weigh.sh s"
            misc_timeout 10
        }
    }
}
%[2]s`

// Checks by scripts and files, from the configuration to the table: a file is
// heeded before its server is used, that of a session that is not up is not, a
// script that cannot be run is shouted about, and a service whose
// address is elsewhere is not checked.
func TestChecks(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	dir := filepath.Dir(b.file)
	put := func(name, text string) {
		t.Helper()
		temp := filepath.Join(dir, "new")
		if err := os.WriteFile(temp, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, filepath.Join(dir, name)); err != nil { // whole at once
			t.Fatal(err)
		}
	}
	put("weigh.sh", "#!/bin/sh\nread status < "+dir+"/$1\nexit $status\n")
	put("a", "0\n")
	put("s", "1\n")
	put("load", "10\n")
	put("off", "1\n")
	b.put(fmt.Sprintf(checked, dir, ""))
	b.start()
	await := func(want string) {
		t.Helper()
		var ops []string
		for began := time.Now(); !slices.Contains(ops, want); time.Sleep(10 * time.Millisecond) {
			if ops = append(ops, b.table.take()...); time.Since(began) > time.Minute {
				t.Fatalf("no %s in\n%s\n%s", want, strings.Join(ops, "\n"), b.log())
			}
		}
	}
	const service, other = " -t 10.9.0.100:80 -r ", " -t 10.9.0.101:80 -r "
	if got, want := b.table.take(), []string{
		"-A -t 10.9.0.100:80 -s rr", "-a" + service + "10.9.0.11:80 -g -w 40", "-a" + service + "10.9.0.14:80 -g -w 1",
		"-A -t 10.9.0.101:80 -s rr", "-a" + other + "10.9.0.15:80 -g -w 1",
	}; !slices.Equal(got, want) {
		t.Errorf("at start %q, want %q", got, want)
	}
	put("off", "0\n")
	await("-a" + service + "10.9.0.12:80 -g -w 1")
	put("a", "32\n")
	await("-e" + service + "10.9.0.11:80 -g -w 20")
	put("load", "4\n")
	await("-e" + service + "10.9.0.11:80 -g -w 26")
	put("a", "1\n")
	await("-d" + service + "10.9.0.11:80")
	put("a", "0\n")
	await("-a" + service + "10.9.0.11:80 -g -w 46")

	// Another file by the same name.
	put("load2", "6\n")
	b.put(strings.Replace(fmt.Sprintf(checked, dir, ""), "/load\n", "/load2\n", 1))
	b.reload()
	await("-e" + service + "10.9.0.11:80 -g -w 44")
	put("load", "30\n")
	put("load2", "7\n")
	await("-e" + service + "10.9.0.11:80 -g -w 43")

	// The address comes, and goes.
	if !strings.Contains(b.log(), "Deactivating healthchecker for service [10.9.0.15]:tcp:80 for VS [10.9.0.101]:tcp:80") {
		t.Error("the service with ha_suspend is checked")
	}
	ip(t, "addr", "add", "10.9.0.101/32", "dev", "lo")
	await("-d" + other + "10.9.0.15:80")
	ip(t, "addr", "del", "10.9.0.101/32", "dev", "lo")
	b.wait("the suspension", func() bool {
		return strings.Contains(b.log(), "Suspending healthchecker for service [10.9.0.15]:tcp:80")
	})
	time.Sleep(time.Second) // a probe that is under way
	put("s", "0\n")
	time.Sleep(300 * time.Millisecond)
	if ops := b.table.take(); len(ops) > 0 {
		t.Errorf("checked while it is suspended: %q", ops)
	}

	// notify_up and notify_down: of what happened, in order; and one that cannot be
	// run is an error with each change.
	b.wait("the notifications", func() bool { return strings.Count(b.notified(), "\n") == 2 })
	if got, want := b.notified(), "down\nup 10.9.0.11 80\n"; got != want {
		t.Errorf("notified %q, want %q", got, want)
	}
	for _, state := range []string{"1", "0", "1"} {
		put("off", state+"\n")
		await(map[string]string{"0": "-a", "1": "-d"}[state] + service + "10.9.0.12:80" + map[string]string{"0": " -g -w 1"}[state])
	}
	const changes = 4
	b.wait("an error for each change", func() bool {
		return strings.Count(b.log(), "cannot run script "+dir+"/gone.sh: no such file or directory") == changes
	})

	missing := "Misc check for [[10.9.0.14]:tcp:80 VS [10.9.0.100]:tcp:80] by [" + dir + "/missing.sh] counts as succeeded without being run: cannot run script " + dir + "/missing.sh: no such file or directory."
	if n := strings.Count(b.log(), missing); n != 1 {
		t.Errorf("%d times %s", n, missing)
	}
	if !strings.Contains(b.log(), "BFD check of [b] RS([10.9.0.13]:tcp:80) is DOWN") {
		t.Error("a session that is down is not noticed")
	}
	b.stop()
}

// Checks that cannot be run are an error in the log, at a start and at a reload,
// and keep back nothing else.
func TestChecksLeftOut(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	bad := `    real_server 10.9.0.13 80 {
        HTTP_GET {
            url {
                path /
                regex "a(b"
            }
        }
        HTTP_GET {
            url {
                path /
                regex "*a"
            }
        }
    }
`
	b.write(bad)
	b.start()
	says := func() bool {
		return strings.Contains(b.log(), "healthcheckers: checks that cannot be run are left out") && b.logs.FilterMessage("checks that cannot be run are left out").Len() == 1
	}
	if !says() {
		t.Errorf("at the start:\n%s", b.log())
	}
	for _, e := range b.logs.FilterMessage("checks that cannot be run are left out").All() {
		if text := fmt.Sprint(e.ContextMap()["error"]); !strings.Contains(text, "a(b") || !strings.Contains(text, "*a") {
			t.Errorf("not both of them: %s", text)
		}
	}
	b.table.take()
	b.logs.TakeAll()
	b.write(bad + strings.ReplaceAll(third, "10.9.0.13", "10.9.0.14"))
	if line := b.reload(); line != "Reload complete" {
		t.Error(line)
	}
	if !says() {
		t.Errorf("at the reload:\n%s", b.log())
	}
	if ops := b.table.take(); !slices.Equal(ops, []string{"-a -t 10.9.0.100:80 -r 10.9.0.14:80 -g -w 1"}) {
		t.Errorf("the reload: %q", ops)
	}
	b.stop()
}

// A session that has just been made is down, and who is told of servers hears of
// that: without alpha its servers are up before.
func TestSessionAtStart(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	b.put(`bfd_instance b {
    neighbor_ip 10.9.0.9
}
virtual_server 10.9.0.100 80 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    sorry_server 10.9.0.99 80
    real_server 10.9.0.13 80 {
        BFD_CHECK {
            name b
        }
    }
}
`)
	b.start()
	var ops []string
	b.wait("the sorry server", func() bool {
		ops = append(ops, b.table.take()...)
		return slices.Contains(ops, "-a -t 10.9.0.100:80 -r 10.9.0.99:80 -g -w 1")
	})
	if !slices.Contains(ops, "-a -t 10.9.0.100:80 -r 10.9.0.13:80 -g -w 1") {
		t.Errorf("never up: %q", ops)
	}
	b.stop()
}
