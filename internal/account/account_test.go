package account

import (
	"os"
	"path/filepath"
	"testing"
)

// A name service of the test's own answers for accounts that no file has.
func TestNameService(t *testing.T) {
	dir := t.TempDir()
	service := `#!/bin/sh
case "$1 $2" in
"passwd far") echo "far:x:7001:7002:From afar:/home/far:/bin/sh" ;;
"passwd 7001") echo "far:x:7001:7002:From afar:/home/far:/bin/sh" ;;
"passwd short") echo "short:x" ;;
"group crowd") echo "crowd:x:7003:far" ;;
"initgroups far") echo "far                   7002 7003" ;;
*) exit 2 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "getent"), []byte(service), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for _, name := range []string{"far", "7001"} {
		u, err := User(name)
		if err != nil || u.Uid != "7001" || u.Gid != "7002" {
			t.Errorf("%s: %+v %v", name, u, err)
		}
	}
	for _, name := range []string{"nobody-here", "short", "", "-s"} {
		if u, err := User(name); err == nil {
			t.Errorf("%q is %+v", name, u)
		}
	}
	if gid, err := Group("crowd"); err != nil || gid != "7003" {
		t.Errorf("crowd: %q %v", gid, err)
	}
	if _, err := Group("nobody-here"); err == nil {
		t.Error("a group that nobody knows")
	}
	far, err := User("far")
	if err != nil {
		t.Fatal(err)
	}
	if gids, err := Groups(far); err != nil || len(gids) != 3 || gids[2] != "7003" {
		t.Errorf("groups of far: %v %v", gids, err)
	}
}

func TestFiles(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	if u, err := User("root"); err != nil || u.Uid != "0" {
		t.Errorf("%+v %v", u, err)
	}
	if u, err := User("0"); err != nil || u.Username != "root" {
		t.Errorf("%+v %v", u, err)
	}
	u, err := User("4242") // nobody's number
	if err != nil || u.Uid != "4242" || u.Gid != "4242" {
		t.Errorf("%+v %v", u, err)
	}
	if gids, err := Groups(u); err != nil || len(gids) != 1 || gids[0] != "4242" {
		t.Errorf("groups of 4242: %v %v", gids, err)
	}
	if gid, err := Group("4242"); err != nil || gid != "4242" {
		t.Errorf("%q %v", gid, err)
	}
}
