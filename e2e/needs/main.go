// Command needs installs, with apt, what the tests talk to and this machine
// lacks: Debian's keepalived above all, the oracle of the parser's tests and
// the peer of VRRP's. It says what it installs, which configurations of the
// field are not here, and nothing otherwise.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lvsd/lvsd/e2e/rig"
)

func main() {
	if err := rig.Install(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "needs:", err)
		os.Exit(1)
	}
	for _, c := range collections {
		if _, err := os.Stat(filepath.Join(cmp.Or(os.Getenv(c.variable), c.folder), c.file)); err != nil {
			fmt.Printf("needs: LEFT OUT: %s (%s names their folder; %v)\n", c.missed, c.variable, err)
		}
	}
}

// collections are configurations of the field, which are no part of lvsd. go
// test says nothing about what it skips.
var collections = []struct{ variable, folder, file, missed string }{
	{"LVSD_CORPUS", "../shared/corpus", "expected.tsv", "no configuration of the collection is read, Test*Corpus skip"},
	{"LVSD_CLUSTERS", "../shared/clusters", "dr.conf", "the clusters are the project's own twins, not those of the field"},
}
