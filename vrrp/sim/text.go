package sim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// field is one key=value of an object in both directions. An empty value is
// the zero value and not written.
type field[T any] struct {
	key string
	get func(*T) string
	set func(*T, string) error
}

func text[T any](key string, at func(*T) *string) field[T] {
	return field[T]{key, func(o *T) string { return *at(o) }, func(o *T, v string) error { *at(o) = v; return nil }}
}

func number[T any](key string, at func(*T) *int) field[T] {
	get := func(o *T) string {
		if *at(o) == 0 {
			return ""
		}
		return strconv.Itoa(*at(o))
	}
	return field[T]{key, get, func(o *T, v string) (err error) { *at(o), err = strconv.Atoi(v); return err }}
}

func flag[T any](key string, at func(*T) *bool) field[T] {
	get := func(o *T) string {
		if *at(o) {
			return "true"
		}
		return ""
	}
	return field[T]{key, get, func(o *T, v string) (err error) { *at(o), err = strconv.ParseBool(v); return err }}
}

func duration[T any](key string, at func(*T) *time.Duration) field[T] {
	get := func(o *T) string {
		if *at(o) == 0 {
			return ""
		}
		return at(o).String()
	}
	return field[T]{key, get, func(o *T, v string) (err error) { *at(o), err = time.ParseDuration(v); return err }}
}

func numbers[T any](key string, at func(*T) *[]int) field[T] {
	get := func(o *T) string {
		var words []string
		for _, n := range *at(o) {
			words = append(words, strconv.Itoa(n))
		}
		return strings.Join(words, ",")
	}
	set := func(o *T, v string) error {
		var list []int // a new one: the old may be shared
		for _, word := range strings.Split(v, ",") {
			n, err := strconv.Atoi(word)
			if err != nil {
				return err
			}
			list = append(list, n)
		}
		*at(o) = list
		return nil
	}
	return field[T]{key, get, set}
}

// track is OBJECT:WEIGHT, with a ! in front when it is reversed.
func track[T any](key string, at func(*T) *Track) field[T] {
	get := func(o *T) string {
		t := *at(o)
		switch {
		case t.Object == 0:
			return ""
		case t.Reverse:
			return fmt.Sprintf("!%d:%d", t.Object, t.Weight)
		}
		return fmt.Sprintf("%d:%d", t.Object, t.Weight)
	}
	set := func(o *T, v string) error {
		v, reverse := strings.CutPrefix(v, "!")
		t := Track{Reverse: reverse}
		if v == "" {
			*at(o) = t
			return nil
		}
		if n, err := fmt.Sscanf(v, "%d:%d", &t.Object, &t.Weight); n == 0 {
			return err
		}
		*at(o) = t
		return nil
	}
	return field[T]{key, get, set}
}

var netFields = []field[Net]{
	duration("latency", func(n *Net) *time.Duration { return &n.Latency }),
	number("loss", func(n *Net) *int { return &n.Loss }),
	number("twice", func(n *Net) *int { return &n.Twice }),
	number("late", func(n *Net) *int { return &n.Late }),
}

var routerFields = []field[Router]{
	number("drift", func(r *Router) *int { return &r.Drift }),
	duration("boot", func(r *Router) *time.Duration { return &r.Boot }),
	duration("quiet", func(r *Router) *time.Duration { return &r.Quiet }),
}

var instanceFields = []field[Instance]{
	text("name", func(i *Instance) *string { return &i.Name }),
	number("vrid", func(i *Instance) *int { return &i.VRID }),
	number("link", func(i *Instance) *int { return &i.Link }),
	number("version", func(i *Instance) *int { return &i.Version }),
	flag("v6", func(i *Instance) *bool { return &i.V6 }),
	duration("interval", func(i *Instance) *time.Duration { return &i.Interval }),
	numbers("prio", func(i *Instance) *[]int { return &i.Prio }),
	number("master", func(i *Instance) *int { return &i.Master }),
	flag("off", func(i *Instance) *bool { return &i.Off }),
	flag("nopreempt", func(i *Instance) *bool { return &i.NoPreempt }),
	duration("delay", func(i *Instance) *time.Duration { return &i.Delay }),
	number("vips", func(i *Instance) *int { return &i.VIPs }),
	number("first", func(i *Instance) *int { return &i.First }),
	number("excluded", func(i *Instance) *int { return &i.Excluded }),
	flag("unicast", func(i *Instance) *bool { return &i.Unicast }),
	flag("checksrc", func(i *Instance) *bool { return &i.CheckSrc }),
	number("adverts", func(i *Instance) *int { return &i.Adverts }),
	flag("quiet", func(i *Instance) *bool { return &i.Quiet }),
	flag("reply", func(i *Instance) *bool { return &i.Reply }),
	flag("skipcheck", func(i *Instance) *bool { return &i.SkipCheck }),
	text("pass", func(i *Instance) *string { return &i.Pass }),
	text("ah", func(i *Instance) *string { return &i.AH }),
	number("hmac", func(i *Instance) *int { return &i.HMAC }),
	text("mode", func(i *Instance) *string { return &i.Mode }),
	flag("monotonic", func(i *Instance) *bool { return &i.Monotonic }),
	number("wrong", func(i *Instance) *int { return &i.Wrong }),
	track("script", func(i *Instance) *Track { return &i.Script }),
	track("track", func(i *Instance) *Track { return &i.Track }),
	flag("noprimary", func(i *Instance) *bool { return &i.NoPrimary }),
	duration("refresh", func(i *Instance) *time.Duration { return &i.Refresh }),
	number("expired", func(i *Instance) *int { return &i.Expired }),
	flag("ignore", func(i *Instance) *bool { return &i.Ignore }),
	duration("longest", func(i *Instance) *time.Duration { return &i.Longest }),
}

var groupFields = []field[Group]{
	text("name", func(g *Group) *string { return &g.Name }),
	numbers("members", func(g *Group) *[]int { return &g.Members }),
	numbers("prio", func(g *Group) *[]int { return &g.Prio }),
	flag("uneven", func(g *Group) *bool { return &g.Uneven }),
	track("script", func(g *Group) *Track { return &g.Script }),
	track("track", func(g *Group) *Track { return &g.Track }),
	flag("off", func(g *Group) *bool { return &g.Off }),
}

func words[T any](fields []field[T], o *T) string {
	var b strings.Builder
	for _, f := range fields {
		if v := f.get(o); v != "" {
			b.WriteString(" " + f.key + "=" + v)
		}
	}
	return b.String()
}

func assign[T any](fields []field[T], o *T, words []string) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		found := false
		for _, f := range fields {
			if f.key != key {
				continue
			}
			found = true
			if err := f.set(o, value); err != nil {
				return fmt.Errorf("%s: %w", word, err)
			}
		}
		if !found {
			return fmt.Errorf("unknown key in %q", word)
		}
	}
	return nil
}

// String is the scenario as [Parse] reads it.
func (sc *Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d\nlinks %d\nnet%s\nchaos %s\nsplit %d\ndrill %s\n", sc.Seed, sc.Links, words(netFields, &sc.Net), sc.Chaos, sc.Split, sc.Drill)
	for i := range sc.Routers {
		fmt.Fprintf(&b, "router%s\n", words(routerFields, &sc.Routers[i]))
	}
	for i := range sc.Instances {
		fmt.Fprintf(&b, "instance%s\n", words(instanceFields, &sc.Instances[i]))
	}
	for i := range sc.Groups {
		fmt.Fprintf(&b, "group%s\n", words(groupFields, &sc.Groups[i]))
	}
	for _, f := range sc.Faults {
		fmt.Fprintf(&b, "%s %s\n", f.At, strings.Join(f.Words, " "))
	}
	return b.String()
}

// Parse reads a scenario. Lines that begin with # are comments.
func Parse(text string) (*Scenario, error) {
	sc := &Scenario{Drill: NoDrill}
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := sc.line(words[0], words[1:]); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return sc, nil
}

func (sc *Scenario) line(verb string, args []string) (err error) {
	switch verb {
	case "net":
		return assign(netFields, &sc.Net, args)
	case "router":
		sc.Routers = append(sc.Routers, Router{})
		return assign(routerFields, &sc.Routers[len(sc.Routers)-1], args)
	case "instance":
		sc.Instances = append(sc.Instances, Instance{})
		return assign(instanceFields, &sc.Instances[len(sc.Instances)-1], args)
	case "group":
		sc.Groups = append(sc.Groups, Group{})
		return assign(groupFields, &sc.Groups[len(sc.Groups)-1], args)
	}
	if len(args) == 0 {
		return errors.New("one word alone")
	}
	switch verb {
	case "seed":
		sc.Seed, err = strconv.ParseUint(args[0], 10, 64)
	case "links":
		sc.Links, err = strconv.Atoi(args[0])
	case "split":
		sc.Split, err = strconv.Atoi(args[0])
	case "chaos":
		sc.Chaos, err = time.ParseDuration(args[0])
	case "drill":
		sc.Drill = Drill(args[0])
	default:
		var at time.Duration
		at, err = time.ParseDuration(verb)
		sc.Faults = append(sc.Faults, Fault{at, args})
	}
	return err
}
