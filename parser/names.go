package parser

import (
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// tableNames are the routing tables that every machine has.
var tableNames = map[string]uint32{"default": 253, "main": 254, "local": 255}

// table is the number of a routing table: one that is given, or a name of
// /etc/iproute2/rt_tables. There is no table 0.
func (d *decoder) table(v string) (uint32, *fault) {
	if n, ok := tableNames[v]; ok {
		return n, nil
	}
	n, f := d.namedNumber("rt_tables", v, 1<<32-1)
	if f == nil && n == 0 {
		f = badValue("table 0")
	}
	return n, f
}

// named8 is a number of eight bits, or a name for one.
func (d *decoder) named8(file, v string) (uint8, *fault) {
	n, f := d.namedNumber(file, v, 255)
	return uint8(n), f
}

// realms are [SRC/]DST.
func (d *decoder) realms(v string) (r config.Realms, f *fault) {
	src, dst, both := strings.Cut(v, "/")
	if !both {
		src, dst = "0", v
	}
	from, f := d.namedNumber("rt_realms", src, 255)
	if f != nil {
		return r, f
	}
	to, f := d.namedNumber("rt_realms", dst, 255)
	return config.Realms{Src: uint16(from), Dst: uint16(to)}, f
}

// namedNumber is a number, decimal, 0x or 0, or a name that one of the files
// of iproute2 gives to one.
func (d *decoder) namedNumber(file, v string, most uint64) (uint32, *fault) {
	n, err := strconv.ParseUint(v, 0, 32)
	if err == nil && !strings.Contains(v, "_") && n <= most {
		return uint32(n), nil
	}
	if d.offline && nameLen(v) == len(v) && v != "" {
		return 1, nil
	}
	if n, ok := d.iproute2(file)[v]; ok && uint64(n) <= most {
		return n, nil
	}
	return 0, badValue("'%s' is no number and no name of %s", v, file)
}

// iproute2 reads a file of iproute2: a number and a name on each line. The one
// of the machine comes before the one of its distribution.
func (d *decoder) iproute2(file string) map[string]uint32 {
	if known, ok := d.numbers[file]; ok {
		return known
	}
	all := map[string]uint32{}
	if d.numbers == nil {
		d.numbers = map[string]map[string]uint32{}
	}
	d.numbers[file] = all
	reload := &d.cfg.Global.Reload
	for _, dir := range []string{reload.IPRouteUsrDir, "/usr/share/iproute2", reload.IPRouteEtcDir, "/etc/iproute2"} {
		if dir == "" {
			continue
		}
		f, err := d.src.files.Open(path.Join(dir, file))
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(io.LimitReader(f, maxBytes))
		f.Close()
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				continue
			}
			if n, err := strconv.ParseUint(fields[0], 0, 32); err == nil {
				all[fields[1]] = uint32(n)
			}
		}
	}
	return all
}
