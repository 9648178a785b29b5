// Package vrrp tests lvsd's VRRP as other routers see it: whole daemons in
// network namespaces on one Ethernet segment, next to Debian's keepalived,
// judged by the frames on the wire, by the addresses in the namespaces and by
// the logs. It takes root and no IPVS.
//
// Tests mostly wait, for adverts and deadlines, so many run at once.
package vrrp

import (
	"flag"
	"os"
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// atOnce is how many tests run at the same time unless -parallel says so.
const atOnce = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err) // the testing package has renamed its flag
		}
	}
	os.Exit(rig.Main(m))
}
