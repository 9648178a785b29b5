package sim

import (
	"slices"
	"time"
)

// Scenario is everything that happens to a cluster from outside. Routers,
// links, instances and scripts are counted from 1.
type Scenario struct {
	Seed      uint64 // of the network's dice
	Links     int
	Net       Net
	Chaos     time.Duration // then it becomes calm
	Split     int           // in the calm, routers up to this one are cut off from the others; 0: none are
	Drill     Drill         // what happens to a MASTER after the calm
	Routers   []Router
	Instances []Instance
	Groups    []Group
	Faults    []Fault
}

// Net is how datagrams travel while there is chaos. Chances are in thousandths.
type Net struct {
	Latency time.Duration // the longest, one way; in the calm too
	Loss    int
	Twice   int // arrive twice
	Late    int // arrive up to four times later, behind others
}

// Drill is what the MASTERs of one instance get after the calm.
type Drill string

// The drills.
const (
	NoDrill    Drill = "none"
	CrashDrill Drill = "crash"
	StopDrill  Drill = "stop"
)

// Router is a host with lvsd on it.
type Router struct {
	Drift int           // of its clock, millionths
	Boot  time.Duration // when it starts
	Quiet time.Duration // vrrp_startup_delay
}

// Instance is a vrrp_instance as the administrator wants it on every router.
type Instance struct {
	Name      string
	VRID      int
	Link      int
	Version   int
	V6        bool
	Interval  time.Duration
	Prio      []int // of each router, unless a group has its own
	Master    int   // the router that has state MASTER; 0: none
	Off       bool  // not configured
	NoPreempt bool
	Delay     time.Duration // preempt_delay
	VIPs      int           // this many addresses
	First     int           // from this one on
	Excluded  int           // of these are virtual_ipaddress_excluded
	Unicast   bool
	CheckSrc  bool
	Adverts   int  // down_timer_adverts
	Quiet     bool // lower_prio_no_advert
	Reply     bool // higher_prio_send_advert
	SkipCheck bool
	Pass      string
	AH        string // the password of auth_type AH
	HMAC      int    // auth_hmac: the active one of its two keys
	Mode      string // of auth_hmac
	Monotonic bool   // anti_replay monotonic
	Wrong     int    // the router that has other passwords and keys
	Script    Track
	Track     Track // a link
	NoPrimary bool  // dont_track_primary
	Refresh   time.Duration
	Expired   int           // timer_expired_backup
	Ignore    bool          // owner_ignore_adverts, where there is one owner
	Longest   time.Duration // vrrp_max_advert_interval
}

// Track is a line of track_script or track_interface.
type Track struct {
	Object  int // script or link; 0: none
	Weight  int
	Reverse bool
}

// Group is a vrrp_sync_group.
type Group struct {
	Name    string
	Members []int // instances
	Prio    []int // of each member on each router
	Uneven  bool  // members have priorities of their own, and weights: each router may be the better one for a part
	Script  Track
	Track   Track
	Off     bool
}

// Fault is something that happens. The words are those of the text, see
// [world.fault].
type Fault struct {
	At    time.Duration
	Words []string
}

// scripts is how many vrrp_scripts every router has.
const scripts = 2

func (sc *Scenario) clone() *Scenario {
	c := *sc
	c.Routers, c.Faults = slices.Clone(sc.Routers), slices.Clone(sc.Faults)
	c.Instances, c.Groups = slices.Clone(sc.Instances), slices.Clone(sc.Groups)
	return &c
}

// longest is the longest Advertisement_Interval that is ever configured.
func (sc *Scenario) longest() time.Duration {
	most := time.Duration(0)
	longer := func(i *Instance) {
		d := i.Interval
		if i.Version == 2 {
			d = max(d.Round(time.Second), time.Second)
		}
		most = max(most, d)
	}
	site := sc.site()
	for k := range site.instances {
		longer(&site.instances[k])
	}
	for _, f := range sc.Faults {
		if f.Words[0] == "set" {
			if i, err := site.edit(f.Words[1:]); err == nil && i != nil {
				longer(i)
			}
		}
	}
	return most
}
