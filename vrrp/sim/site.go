package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/lvsd/lvsd/config"
)

// site is what the administrator wants at the moment. Routers load it one
// after the other.
type site struct {
	routers   int
	instances []Instance
	groups    []Group
}

func (sc *Scenario) site() *site {
	return &site{len(sc.Routers), slices.Clone(sc.Instances), slices.Clone(sc.Groups)}
}

// edit is the fault "set": a number and what is new of that instance.
func (s *site) edit(words []string) (*Instance, error) {
	n, err := strconv.Atoi(words[0])
	if err != nil {
		return nil, err
	}
	if n > len(s.instances) {
		return nil, nil // shrunk away
	}
	i := &s.instances[n-1]
	return i, assign(instanceFields, i, words[1:])
}

// editGroup is the fault "group".
func (s *site) editGroup(words []string) error {
	n, err := strconv.Atoi(words[0])
	if err != nil || n > len(s.groups) {
		return err
	}
	return assign(groupFields, &s.groups[n-1], words[1:])
}

// groupOf is the sync group of an instance, the first that names it.
func (s *site) groupOf(n int) *Group {
	for k := range s.groups {
		if g := &s.groups[k]; !g.Off && slices.Contains(g.Members, n) {
			return g
		}
	}
	return nil
}

// absent are instances that are not configured: the second of a name is
// skipped.
func (s *site) absent(n int) bool {
	i := &s.instances[n-1]
	for k := range n - 1 {
		if other := &s.instances[k]; !other.Off && other.Name == i.Name {
			return true
		}
	}
	return i.Off
}

// config is the site as router r loads it, resolved and with what Validate
// mends.
func (s *site) config(r int) *config.Config {
	cfg := &config.Config{Global: config.DefaultGlobal}
	var longest []time.Duration
	for k := range s.instances {
		if i := &s.instances[k]; !s.absent(k + 1) {
			longest = append(longest, i.Longest)
			cfg.Instances = append(cfg.Instances, s.instance(i, s.groupOf(k+1), r))
		}
	}
	for k := range s.groups {
		g := &s.groups[k]
		if g.Off {
			continue
		}
		group := config.SyncGroup{Name: g.Name, SyncGroupTrackingWeight: g.Uneven}
		for _, n := range g.Members {
			if n <= len(s.instances) && !s.absent(n) && s.groupOf(n) == g {
				group.Members = append(group.Members, s.instances[n-1].Name)
			}
		}
		if len(group.Members) == 0 {
			continue
		}
		weighed := g.Uneven || !slices.Contains(g.Prio, config.Owner)
		group.TrackScript = tracks(g.Script, scriptName, weighed)
		group.TrackInterface = tracks(g.Track, linkName, weighed)
		cfg.Groups = append(cfg.Groups, group)
	}
	cfg.Resolve(nil)
	for k := range cfg.Instances { // of global_defs, and here of each
		cfg.Instances[k].MaxAdvertInterval = longest[k]
	}
	return cfg
}

// key is the virtual router, which no edit changes.
func (i *Instance) key() wireKey { return wireKey{i.Link, uint8(i.VRID), i.V6} }

func (s *site) instance(i *Instance, g *Group, r int) config.Instance {
	prio := i.Prio
	switch {
	case g != nil && g.Uneven:
		prio = slices.Clone(prio)
		for k := range prio { // owners and others do not go together
			prio[k] = min(prio[k], config.Owner-1)
		}
	case g != nil:
		prio = g.Prio
	}
	c := config.DefaultInstance
	c.Name, c.VirtualRouterID, c.Interface = i.Name, uint8(i.VRID), linkName(i.Link)
	c.Version, c.Priority = config.Some(uint8(i.Version)), config.Some(uint8(prio[(r-1)%len(prio)]))
	c.AdvertInt, c.DownTimerAdverts = i.Interval, config.Some(max(i.Adverts, 1))
	if i.Version == 2 {
		c.AdvertInt = max(c.AdvertInt.Round(time.Second), time.Second)
	}
	i.prove(r, &c)
	owner := c.Priority.Value == config.Owner
	if i.Master == r && (owner || c.Authentication.Type != config.AuthAH) {
		c.State = config.Some(config.Master)
	}
	c.NoPreempt = i.NoPreempt && !owner && i.Master != r
	if !c.NoPreempt && !owner && i.Master != r {
		c.PreemptDelay = i.Delay
	}
	for k := range max(i.VIPs, 1) {
		a := config.Address{Prefix: netip.PrefixFrom(vip(i.V6, i.First+k), 24)}
		if k > 0 && k >= i.VIPs-i.Excluded {
			c.VirtualIPAddressExcluded = append(c.VirtualIPAddressExcluded, a)
		} else {
			c.VirtualIPAddress = append(c.VirtualIPAddress, a)
		}
	}
	s.unicast(i, r, &c)
	c.LowerPrioNoAdvert, c.HigherPrioSendAdvert = config.Some(i.Quiet), config.Some(i.Reply)
	c.SkipCheckAdvAddr, c.DontTrackPrimary = config.Some(i.SkipCheck), i.NoPrimary
	if i.Refresh > 0 {
		c.GarpMasterRefresh = config.Some(i.Refresh)
	}
	if c.NoPreempt {
		c.TimerExpiredBackup = i.Expired
	}
	c.OwnerIgnoreAdverts = config.Some(i.Ignore && owner && count(prio, config.Owner) == 1)
	weighed := (g == nil || g.Uneven) && !owner
	c.TrackScript = tracks(i.Script, scriptName, weighed)
	if i.Track.Object != i.Link {
		c.TrackInterface = tracks(i.Track, linkName, weighed)
	}
	return c
}

// prove is how router r proves that its adverts are its own.
func (i *Instance) prove(r int, c *config.Instance) {
	secret := func(s string) config.Secret {
		if i.Wrong == r {
			s = "not " + s
		}
		return config.Secret(s)
	}
	switch {
	case i.HMAC > 0:
		a := config.DefaultAuthHMAC
		a.ActiveKey = uint8(i.HMAC)
		a.Keys = []config.HMACKey{{ID: 1, Secret: secret("the first of two keys")}, {ID: 2, Secret: secret("the second of two keys")}}
		if i.Mode != "" {
			a.Mode = config.HMACMode(i.Mode)
		}
		if i.Monotonic {
			a.AntiReplay = config.ReplayMonotonic
		}
		c.AuthHMAC = &a
	case i.Version != 2:
	case i.AH != "" && !i.V6:
		c.Authentication = config.Authentication{Type: config.AuthAH, Pass: secret(i.AH)}
	case i.Pass != "":
		c.Authentication = config.Authentication{Type: config.AuthPass, Pass: secret(i.Pass)}
	}
}

func (s *site) unicast(i *Instance, r int, c *config.Instance) {
	if !i.Unicast {
		return
	}
	c.UnicastSrcIP = address(i.V6, i.Link, r)
	c.CheckUnicastSrc = config.Some(i.CheckSrc)
	for peer := 1; peer <= s.routers; peer++ {
		if peer != r {
			c.UnicastPeers = append(c.UnicastPeers, config.Peer{Addr: address(i.V6, i.Link, peer)})
		}
	}
}

func count(list []int, n int) (times int) {
	for _, x := range list {
		if x == n {
			times++
		}
	}
	return times
}

// tracks leaves out a weight where keepalived does: of the owner, and of
// members of a sync group without sync_group_tracking_weight.
func tracks(t Track, name func(int) string, weighed bool) []config.Track {
	if t.Object == 0 || t.Weight != 0 && !weighed {
		return nil
	}
	return []config.Track{{Name: name(t.Object), Weight: config.Some(t.Weight), Reverse: config.Some(t.Reverse)}}
}

func linkName(n int) string   { return fmt.Sprintf("eth%d", n) }
func scriptName(n int) string { return fmt.Sprintf("chk%d", n) }

// address is that of a router on a link.
func address(v6 bool, link, router int) netip.Addr {
	if v6 {
		return netip.AddrFrom16([16]byte{0xfe, 0x80, 14: byte(link), 15: byte(router)})
	}
	return netip.AddrFrom4([4]byte{10, 0, byte(link), byte(router)})
}

// vip is a virtual address.
func vip(v6 bool, n int) netip.Addr {
	if v6 {
		return netip.AddrFrom16([16]byte{0xfd, 14: 1, 15: byte(n)})
	}
	return netip.AddrFrom4([4]byte{10, 1, 0, byte(n)})
}
