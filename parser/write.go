package parser

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// Write writes a configuration as a keepalived.conf that says all that is not
// a default, and nothing more: one file, without definitions and conditions.
// To load it gives the configuration again. The table of keywords writes it:
// the constructors of rows have a writer beside the setter, and rows with a
// setter of their own have one in [writers].
func Write(out io.Writer, c *config.Config) error { return write(out, c, false) }

// WriteConcealed writes what is to be read by people: as [Write], with asterisks
// for passwords.
func WriteConcealed(out io.Writer, c *config.Config) error { return write(out, c, true) }

func write(out io.Writer, c *config.Config, conceal bool) error {
	w := &confWriter{cfg: c, schema: newSchema(), orders: map[any][]string{}, conceal: conceal}
	writeRows(w, w.schema.root, rootWriters(), c, &config.Config{Global: config.DefaultGlobal, Daemon: config.DefaultDaemon})
	if _, err := w.WriteTo(out); err != nil {
		return err
	}
	return errors.Join(w.failed...)
}

// writer says with a keyword what t has and def has not.
type writer[T any] func(w *confWriter, keyword string, t, def *T)

// writers are those of rows with a setter of their own.
type writers[T any] map[string]writer[T]

// confWriter is a configuration that is being written.
type confWriter struct {
	bytes.Buffer
	cfg    *config.Config
	schema *schema
	depth  int
	failed []error          // what cannot be said
	orders map[any][]string // of the keywords of a block
	server *serverTables    // nil: not needed yet

	conceal bool // asterisks for passwords
}

// olderNames are keywords that say what another one says, with the path of
// their block.
var olderNames = map[string]bool{
	"/vrrp_track_file": true, "global_defs/lvs_flush_onstop": true, "global_defs/enable_snmp_keepalived": true, "global_defs/enable_snmp_rfc": true,
	"global_defs/vrrp_rlimit_rtime": true, "global_defs/checker_rlimit_rtime": true, "global_defs/bfd_rlimit_rtime": true,
	"global_defs/lvs_process_name": true, "global_defs/vrrp_vmac_garp_intvl": true,
	"garp_group/interface": true, "bfd_instance/neighbour_ip": true, "bfd_instance/hoplimit": true, "vrrp_track_process/delay": true,
	"vrrp_instance/preempt": true, "vrrp_instance/thread_timer_expired": true, "vrrp_instance/lvs_sync_daemon_interface": true, "vrrp_instance/vmac_garp_intvl": true, "vrrp_sync_group/global_tracking": true,
	"virtual_server/lvs_sched": true, "virtual_server/lvs_method": true, "virtual_server/hashed": true,
	"virtual_server/sh-fallback": true, "virtual_server/sh-port": true, "virtual_server/mh-fallback": true, "virtual_server/mh-port": true,
	"virtual_server/real_server/HTTP_GET/nb_get_retry": true, "virtual_server/real_server/SSL_GET/nb_get_retry": true,
	"virtual_server/real_server/SMTP_CHECK/host": true,
}

// foremost are keywords that stand first in their block, in this order; others
// follow by name, and blocks come last.
var foremost = [...]string{
	"state", "interface", "virtual_router_id", "auth_type", "priority", "advert_int", "protocol", "lb_algo", "lb_kind", "script", "connect_ip", "global_defs", "SSL", "track_group",
	"static_ipaddress", "static_routes", "static_rules", "track_file", "vrrp_track_process", "bfd_instance", "vrrp_script", "vrrp_sync_group", "vrrp_instance",
	"virtual_server_group", "virtual_server",
}

func rank(keyword string) int {
	if i := slices.Index(foremost[:], keyword); i >= 0 {
		return i
	}
	return len(foremost)
}

// writeRows writes the keywords of a block.
func writeRows[T any](w *confWriter, b *block[T], own writers[T], t, def *T) {
	names, ok := w.orders[b]
	if !ok {
		names = order(b, own)
		w.orders[b] = names
	}
	for _, name := range names {
		if write := own[name]; write != nil {
			write(w, name, t, def)
		} else {
			b.rows[name].write(w, name, t, def)
		}
	}
}

// order are the keywords of a block that are written.
func order[T any](b *block[T], own writers[T]) []string {
	names := slices.SortedFunc(maps.Keys(b.rows), func(x, y string) int {
		blocks := func(name string) int {
			if b.rows[name].block {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(blocks(x), blocks(y)), cmp.Compare(rank(x), rank(y)), cmp.Compare(x, y))
	})
	return slices.DeleteFunc(names, func(name string) bool {
		return own[name] == nil && b.rows[name].write == nil || olderNames[b.path+"/"+name]
	})
}

// line writes a line of words; empty ones are none.
func (w *confWriter) line(words ...string) {
	w.WriteString(strings.Repeat(indent, w.depth))
	w.WriteString(strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " "))
	w.WriteByte('\n')
}

// block writes a block, which goes when it comes to nothing and is not wanted
// empty.
func (w *confWriter) block(head string, empty bool, body func()) {
	before := w.Len()
	w.line(head, "{")
	at := w.Len()
	w.depth++
	body()
	w.depth--
	if w.Len() == at && !empty {
		w.Truncate(before)
		return
	}
	w.line("}")
}

// fails notes what cannot be said.
func (w *confWriter) fails(keyword, value string) {
	w.failed = append(w.failed, fmt.Errorf("write %s: no line reads as %q", keyword, value))
}

// each is a block of lines, one for each of a list.
func each[T, E any](field func(*T) []E, line func(w *confWriter, keyword string, e *E) string) writer[T] {
	return func(w *confWriter, keyword string, t, _ *T) {
		all := field(t)
		w.block(keyword, false, func() {
			for i := range all {
				if text := line(w, keyword, &all[i]); text != "" {
					w.line(text)
				}
			}
		})
	}
}

// blocks are blocks of the same keyword.
func blocks[T, E any](field func(*T) []E, b func(*confWriter) *block[E], own func(*E) writers[E], name func(w *confWriter, keyword string, e *E) string, def func(w *confWriter, e *E) *E) writer[T] {
	return func(w *confWriter, keyword string, t, _ *T) {
		all := field(t)
		table := b(w)
		for i := range all {
			e := all[i] // a copy: the accessors of rows make what is not there
			w.block(strings.TrimSpace(keyword+" "+name(w, keyword, &e)), true, func() { writeRows(w, table, own(&e), &e, def(w, &e)) })
		}
	}
}
