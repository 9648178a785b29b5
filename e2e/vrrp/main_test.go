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
