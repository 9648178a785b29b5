package dump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// JSON writes keepalived.json: the instances, their state and their counters,
// in the form of json_version. There is none without instances.
func JSON(w io.Writer, c *config.Config, f *Facts) error {
	return write(w, f, func(p *printer) {
		instances := make([]any, 0, len(c.Instances))
		for i := range c.Instances {
			instances = append(instances, p.instanceJSON(c, &c.Instances[i]))
		}
		if c.Global.Interface.JSONVersion < 2 {
			_, _ = p.out.Write(encode(instances)) // an error stays until Flush
			return
		}
		processes := make([]any, 0, len(c.Trackers.Processes))
		for i := range c.Trackers.Processes {
			processes = append(processes, p.processJSON(&c.Trackers.Processes[i]))
		}
		all := object{{"vrrp", instances}, {"track_process", processes}}
		if len(p.facts.Draining) > 0 {
			all = append(all, member{"draining", p.drainingJSON()})
		}
		_, _ = p.out.Write(encode(all))
	})
}

// drainingJSON are the real servers that have left the configuration; keepalived
// has none.
func (p *printer) drainingJSON() (all []object) {
	for _, d := range p.facts.Draining {
		all = append(all, object{
			{"virtual_server", d.Service.String()}, {"real_server", endpointText(d.Server, d.Service.Protocol)}, {"until", decimal(d.Until)},
		})
	}
	return all
}

// object is a JSON object whose keys are in keepalived's order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", m.name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode is JSON as keepalived's library writes it: with \/ for a slash.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("keepalived.json cannot be encoded: %v", err)) // a defect of this file
	}
	// A slash stands in strings only.
	return bytes.ReplaceAll(bytes.TrimSuffix(b.Bytes(), []byte("\n")), []byte("/"), []byte(`\/`))
}

// decimal is a number of seconds with six decimals.
func decimal(t time.Time) json.Number {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return json.Number(fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000))
}

// inSeconds is a length in seconds, without decimals where it has none.
func inSeconds(d time.Duration) json.Number {
	return json.Number(strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
}

func (p *printer) instanceJSON(c *config.Config, i *config.Instance) object {
	s := p.state(i)
	want := s.State
	if want == config.Init {
		want = i.State.Value
	}
	data := object{
		{"iname", i.Name},
		{"dont_track_primary", number(i.DontTrackPrimary)},
		{"skip_check_adv_addr", number(i.SkipCheckAdvAddr.Value)},
		{"strict_mode", number(i.StrictMode.Value)},
		{"vmac_ifname", choose(i.Device() != i.Interface, i.Device(), "")},
	}
	if i.Device() != "" {
		data = append(data, member{"ifp_ifname", i.Device()})
	}
	data = append(data, object{
		{"master_priority", s.MasterPriority},
		{"last_transition", decimal(s.Changed)},
		{"garp_delay", inSeconds(i.GarpMasterDelay.Value)},
		{"garp_refresh", wholes(i.GarpMasterRefresh.Value)},
		{"garp_rep", i.GarpMasterRepeat.Value},
		{"garp_refresh_rep", i.GarpMasterRefreshRepeat.Value},
		{"garp_lower_prio_delay", wholes(i.GarpLowerPrioDelay.Value)},
		{"garp_lower_prio_rep", i.GarpLowerPrioRepeat.Value},
		{"lower_prio_no_advert", number(i.LowerPrioNoAdvert.Value)},
		{"higher_prio_send_advert", number(i.HigherPrioSendAdvert.Value)},
		{"vrid", i.VirtualRouterID},
		{"base_priority", i.Priority.Value},
		{"effective_priority", s.Priority},
		{"vipset", s.State == config.Master},
		{"promote_secondaries", i.PromoteSecondaries},
		{"adver_int", inSeconds(i.AdvertInt)},
		{"master_adver_int", inSeconds(learned(i, &s))},
		{"accept", number(i.Accepts())},
		{"nopreempt", i.NoPreempt},
		{"preempt_delay", inSeconds(i.PreemptDelay)},
		{"state", int(s.State)},
		{"wantstate", int(want)},
		{"version", i.Version.Value},
		{"smtp_alert", i.SMTPAlert.Value},
		{"notify_deleted", i.NotifyDeleted.Set},
	}...)
	data = append(data, scriptsJSON(i)...)
	data = append(data, listsJSON(c, i, s.State == config.Master)...)
	data = append(data, member{"auth_type", int(i.Authentication.Type)})
	if i.Authentication.Type != config.AuthNone {
		data = append(data, member{"auth_data", i.Authentication.Pass.String()})
	}
	return object{{"data", data}, {"stats", s.Stats.json()}}
}

func scriptsJSON(i *config.Instance) (o object) {
	for _, script := range []struct {
		name string
		cmd  *config.Command
	}{
		{"script_backup", i.NotifyBackup}, {"script_master", i.NotifyMaster}, {"script_fault", i.NotifyFault}, {"script_stop", i.NotifyStop},
		{"script_deleted", i.NotifyDeleted.Value}, {"script", i.Notify}, {"script_master_rx_lower_pri", i.NotifyMasterRxLowerPri},
	} {
		if !script.cmd.IsZero() {
			o = append(o, member{script.name, script.cmd.Quoted()})
		}
	}
	return o
}

// listsJSON are the lists that are not empty.
func listsJSON(c *config.Config, i *config.Instance, set bool) (o object) {
	add := func(name string, list []string) {
		if len(list) > 0 {
			o = append(o, member{name, list})
		}
	}
	addresses := func(list []config.Address) (all []string) {
		for k := range list {
			all = append(all, addressText(i, &list[k], set))
		}
		return all
	}
	add("vips", addresses(i.VirtualIPAddress))
	add("evips", addresses(i.VirtualIPAddressExcluded))
	var routes, rules []string
	for k := range i.VirtualRoutes {
		routes = append(routes, i.VirtualRoutes[k].String())
	}
	for k := range i.VirtualRules {
		rules = append(rules, i.VirtualRules[k].String())
	}
	add("vroutes", routes)
	add("vrules", rules)
	add("track_ifp", names(i.TrackInterface))
	add("track_script", commands(c, i.TrackScript))
	add("track_process", names(i.TrackProcess))
	return o
}

func names(tracks []config.Track) (all []string) {
	for _, t := range tracks {
		all = append(all, t.Name)
	}
	return all
}

// commands are the command lines of tracked scripts.
func commands(c *config.Config, tracks []config.Track) (all []string) {
	for _, t := range tracks {
		for k := range c.Scripts {
			if c.Scripts[k].Name == t.Name {
				all = append(all, c.Scripts[k].Script.Quoted())
			}
		}
	}
	return all
}

func (s *Stats) json() object {
	return object{
		{"advert_rcvd", s.Received}, {"advert_sent", s.Sent}, {"become_master", s.BecameMaster}, {"release_master", s.ReleasedMaster},
		{"packet_len_err", s.Length}, {"advert_interval_err", s.Interval}, {"ip_ttl_err", s.TTL}, {"invalid_type_rcvd", s.Type},
		{"addr_list_err", s.AddressList}, {"invalid_authtype", s.AuthInvalid}, {"authtype_mismatch", s.AuthMismatch}, {"auth_failure", s.AuthFailure},
		{"auth_ext_missing", s.ExtMissing}, {"auth_ext_malformed", s.ExtMalformed}, {"auth_ext_unknown_key", s.ExtUnknownKey},
		{"auth_ext_invalid_hmac", s.ExtInvalidHMAC}, {"auth_ext_stale", s.ExtStale}, {"auth_ext_replay", s.ExtReplay},
		{"pri_zero_rcvd", s.PriorityZeroReceived}, {"pri_zero_sent", s.PriorityZeroSent},
	}
}

func (p *printer) processJSON(t *config.TrackProcess) object {
	state := p.facts.Processes[t.Name]
	o := object{{"process", t.Process[0]}}
	if len(t.Process) > 1 {
		o = append(o, member{"parameters", strings.Join(t.Process[1:], " ")})
	}
	if t.ParamMatch != config.ParamNone {
		o = append(o, member{"param_match", string(t.ParamMatch)})
	}
	o = append(o, member{"min_processes", t.Quorum})
	if t.QuorumMax.Set {
		o = append(o, member{"max_processes", t.QuorumMax.Value})
	}
	return append(o, object{
		{"current_processes", state.Current}, {"have_quorum", state.Quorum}, {"weight", t.Weight.Value},
		{"terminate_delay", inSeconds(t.TerminateDelay)}, {"fork_delay", inSeconds(t.ForkDelay)}, {"full_command", t.FullCommand},
	}...)
}
