package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
)

// writer writes a configuration.
type writer func(io.Writer)

// size is a file of a kind.
type size struct {
	name  string
	write writer
}

// kind is a kind of files, the smallest first.
type kind struct{ sizes []size }

// kinds are the files that are compared.
func kinds() []kind {
	lvs := func(n, m int) size { return size{fmt.Sprintf("%d x %d real servers", n, m), services(n, m)} }
	vrrp := func(n int) size { return size{fmt.Sprintf("%d vrrp_instances", n), instances(n)} }
	return []kind{
		{[]size{lvs(100, 4), lvs(1000, 10), lvs(10000, 10), lvs(20000, 10)}},
		{[]size{lvs(1, 1000), lvs(1, 10000)}},
		{[]size{vrrp(1000), vrrp(4000)}},
	}
}

// writeFile writes a configuration and counts its lines.
func writeFile(name string, write writer) (lines int, err error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	counted := &lineCounter{w: f}
	w := bufio.NewWriter(counted)
	write(w)
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return counted.lines, f.Close()
}

// lineCounter counts the lines that go through it.
type lineCounter struct {
	w     io.Writer
	lines int
}

func (c *lineCounter) Write(b []byte) (int, error) {
	c.lines += bytes.Count(b, []byte{'\n'})
	return c.w.Write(b)
}

// services is a configuration of n services with m real servers each.
func services(n, m int) writer {
	return func(w io.Writer) {
		fmt.Fprintln(w, "global_defs {\n    router_id bench\n}")
		for i := range n {
			fmt.Fprintf(w, "virtual_server 10.%d.%d.1 80 {\n    delay_loop 6\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n", i>>8, i&255)
			for k := range m {
				r := i*m + k
				fmt.Fprintf(w, "    real_server 11.%d.%d.%d 80 {\n        weight 100\n        TCP_CHECK {\n            connect_timeout 3\n        }\n    }\n", r>>16, r>>8&255, r&255)
			}
			fmt.Fprintln(w, "}")
		}
	}
}

// links are enough of them for 4000 virtual routers: a link has 255 at most.
const links = 16

// linkName is the name of a link of [makeLinks].
func linkName(i int) string { return fmt.Sprintf("bench%d", i) }

// instances is a configuration of n virtual routers.
func instances(n int) writer {
	const each = 250
	return func(w io.Writer) {
		fmt.Fprintln(w, "global_defs {\n    router_id bench\n}")
		for i := range n {
			fmt.Fprintf(w, "vrrp_instance VI_%d {\n    state BACKUP\n    interface %s\n    virtual_router_id %d\n    priority 100\n    advert_int 1\n",
				i, linkName(i/each), i%each+1)
			fmt.Fprintf(w, "    authentication {\n        auth_type PASS\n        auth_pass secret\n    }\n")
			fmt.Fprintf(w, "    virtual_ipaddress {\n        10.%d.%d.1/24 dev %s\n        10.%d.%d.2/24\n    }\n", i>>8, i&255, linkName(i/each), i>>8, i&255)
			fmt.Fprintln(w, "}")
		}
	}
}
