package lvs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.MainIPVS(m)) }

// What all of the clusters' files say.
const (
	delayLoop   = 6 * time.Second
	retries     = 3
	retryDelay  = 3 * time.Second
	advertEvery = time.Second
	priority    = 100
)

// What follows from it, plus what a busy machine may add to any of them.
const (
	// masterDown is Master_Down_Interval, RFC 3768 section 6.1.
	masterDown = 3*advertEvery + (256-priority)*time.Second/256
	// slack is what a failover may take longer than the protocol says.
	slack = 600 * time.Millisecond
	// removal: a check just missed the death, then fails and is retried.
	removal = delayLoop + retries*retryDelay + 2*time.Second
	// recovery: a check just missed the return.
	recovery = delayLoop + 2*time.Second
	// patience is for what is not measured.
	patience = 60 * time.Second
)

// fieldFolder is where the configurations from the field are: LVSD_CLUSTERS,
// or next to the checkout. Where there is none, the project's own twins of the
// same shape stand in.
func fieldFolder(t *testing.T) (folder string, field bool) {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{os.Getenv("LVSD_CLUSTERS"), filepath.Join(root, "../shared/clusters")} {
		if _, err := os.Stat(filepath.Join(folder, "dr.conf")); folder != "" && err == nil {
			return folder, true
		}
	}
	return filepath.Join(root, "e2e/testdata/clusters"), false
}

// files reads one of the clusters' configurations, byte for byte, and the
// scripts next to it.
func files(t *testing.T, configuration string) map[string]string {
	t.Helper()
	folder, field := fieldFolder(t)
	if !field {
		t.Logf("NOT THE FIELD'S %s: %s is not there (LVSD_CLUSTERS), this is the project's own twin", configuration, "../shared/clusters")
	}
	found, err := rig.ReadFolder(folder)
	if err != nil {
		t.Fatalf("read the clusters: %v", err)
	}
	chosen := map[string]string{"keepalived.conf": found[configuration]}
	for name, content := range found {
		if filepath.Ext(name) != ".conf" {
			chosen[name] = content
		}
	}
	return chosen
}
