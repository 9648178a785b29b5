package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/realserver"
	"github.com/lvsd/lvsd/parser"
)

// statusWrong is the exit status of lvsd real-server status when something is.
const statusWrong = 1

// realServer is one call of lvsd real-server.
type realServer struct {
	*program
	out    io.Writer
	from   string // a keepalived.conf
	state  string
	method string
	tunnel string
	port   uint16
	own    string
	csum   bool
}

// realServerCommand is lvsd real-server: the real server's side of LVS.
func realServerCommand(p *program) *cobra.Command {
	r := &realServer{program: p}
	cmd := &cobra.Command{
		Use:   "real-server start|stop|status",
		Short: "be a real server of direct routing or tunnels",
		Long: `Does on a real server what LVS with direct routing or tunnels needs there: the
virtual addresses on lo or on the device of the tunnel, ARP that keeps quiet
about them (arp_ignore, arp_announce), and what comes out of a tunnel let in
(rp_filter).

The addresses are given, or taken from the keepalived.conf of the directors: of
the virtual servers that name an address of this host as real_server, with their
lb_kind or lvs_method. What start changes is noted, and stop puts it back.
start may be repeated, after the configuration has changed for example. status
says what is wrong, on a server that was set up by hand, too, and its exit
status is 1 then.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errors.New("say start, stop or status") },
	}
	for _, c := range []struct {
		name, short string
		run         func(*realserver.Host, realserver.Want) error
	}{
		{"start", "set this host up as a real server", r.start},
		{"status", "say what is wrong", r.status},
	} {
		sub := &cobra.Command{
			Use: c.name + " [-f FILE | VIP...]", Short: c.short,
			RunE: func(cmd *cobra.Command, vips []string) error {
				r.out = cmd.OutOrStdout()
				return r.onHost(func(h *realserver.Host) error {
					want, err := r.want(h, vips)
					if err != nil {
						return err
					}
					return c.run(h, want)
				})
			},
		}
		sub.Flags().StringVarP(&r.from, "use-file", "f", "", "the directors' configuration (default "+defaultFile+")")
		sub.Flags().StringVar(&r.method, "method", "DR", "of addresses that are given: DR or TUN")
		sub.Flags().StringVar(&r.tunnel, "type", "ipip", "of TUN: ipip, gue or gre")
		sub.Flags().Uint16Var(&r.port, "port", 6080, "of gue")
		sub.Flags().StringVar(&r.own, "address", "", "this host's own, which says the family of the tunnel")
		sub.Flags().BoolVar(&r.csum, "csum", false, "of gre: the directors send checksums, as with csum; needs --address")
		cmd.AddCommand(sub)
	}
	cmd.AddCommand(&cobra.Command{
		Use: "stop", Short: "put back what start has changed", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.out = cmd.OutOrStdout()
			return r.onHost(r.stop)
		},
	})
	cmd.PersistentFlags().StringVar(&r.state, "state", realserver.StateFile, "where start notes what it has changed")
	return cmd
}

func (r *realServer) onHost(f func(*realserver.Host) error) error {
	h, err := realserver.Open(r.state)
	if err != nil {
		return err
	}
	return errors.Join(f(h), h.Close())
}

// want is what is given, or what the configuration says.
func (r *realServer) want(h *realserver.Host, vips []string) (w realserver.Want, err error) {
	if len(vips) > 0 {
		if r.from != "" {
			return w, errors.New("name a file or addresses, not both")
		}
		return w, r.given(&w, vips)
	}
	if r.from == "" {
		r.from = defaultFile
	}
	c, problems, err := parser.Load(parser.Options{File: r.from, ConfigID: r.id(), Offline: true})
	if err != nil {
		return w, fmt.Errorf("read the directors' configuration: %w", err)
	}
	for _, problem := range problems {
		if problem.Severity == config.Error {
			fmt.Fprintln(r.stderr, problem)
		}
	}
	here, err := h.Addresses()
	if err != nil {
		return w, err
	}
	w, notes := realserver.FromConfig(c, here)
	for _, note := range notes {
		fmt.Fprintln(r.out, note)
	}
	if len(w.VIPs) == 0 {
		return w, fmt.Errorf("%s has no virtual address that a real server needs", r.from)
	}
	return w, nil
}

// given adds the addresses of the command line.
func (r *realServer) given(w *realserver.Want, vips []string) error {
	methods := map[string]config.Method{"DR": config.DR, "TUN": config.TUN}
	types := map[string]config.TunnelType{"ipip": config.IPIP, "gue": config.GUE, "gre": config.GRE}
	method, known := methods[strings.ToUpper(r.method)]
	kind, knownType := types[strings.ToLower(r.tunnel)]
	if !known || !knownType {
		return fmt.Errorf("--method %s --type %s: the methods are DR and TUN, the types of TUN ipip, gue and gre", r.method, r.tunnel)
	}
	var own netip.Addr
	if r.own != "" {
		var err error
		if own, err = netip.ParseAddr(r.own); err != nil {
			return fmt.Errorf("--address: %w", err)
		}
	}
	t := config.Tunnel{Type: kind}
	if kind == config.GUE {
		t.Port = r.port
	}
	if r.csum {
		if kind != config.GRE || !own.IsValid() {
			return errors.New("--csum is about --type gre, and needs --address")
		}
		t.Checksum = config.Checksum
	}
	for _, word := range vips {
		vip, err := netip.ParseAddr(word)
		if err != nil {
			return fmt.Errorf("a virtual address: %w", err)
		}
		w.Add(vip, own, method, t)
	}
	return nil
}

func (r *realServer) start(h *realserver.Host, want realserver.Want) error {
	steps, err := h.Start(want)
	r.print(steps)
	if err != nil {
		return err
	}
	_, err = r.look(h, want)
	return err
}

func (r *realServer) stop(h *realserver.Host) error {
	steps, err := h.Stop()
	r.print(steps)
	if err == nil && len(steps) == 0 {
		fmt.Fprintln(r.out, "nothing to put back")
	}
	return err
}

func (r *realServer) print(steps []realserver.Step) {
	for _, s := range steps {
		fmt.Fprintln(r.out, s)
	}
}

func (r *realServer) status(h *realserver.Host, want realserver.Want) error {
	wrong, err := r.look(h, want)
	if wrong {
		r.program.status = statusWrong
	}
	return err
}

// look prints what is wrong, and says whether anything is.
func (r *realServer) look(h *realserver.Host, want realserver.Want) (wrong bool, err error) {
	found, err := h.Check(want)
	if err != nil {
		return false, err
	}
	for _, f := range found {
		fmt.Fprintln(r.out, f)
	}
	if len(found) == 0 {
		fmt.Fprintln(r.out, want.String()+": all is well")
	}
	return len(found) > 0, nil
}
