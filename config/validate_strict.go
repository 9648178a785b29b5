package config

import "slices"

// isStrict says that an instance keeps to the RFC, by itself or by vrrp_strict.
func (v *validator) isStrict(i *Instance) bool {
	return i.StrictMode.Value || !i.StrictMode.Set && v.c.Global.VRRPStrict
}

// strictState: the RFCs know no initial state but that of the owner.
func (v *validator) strictState(i *Instance) {
	if !v.isStrict(i) || !i.State.Set || (i.State.Value == Master) == i.owner() {
		return
	}
	v.fixed(i.Origin, "strict-value", "(%s) State MASTER must match being address owner", i.Name)
	i.State = Some(Backup)
	if i.owner() {
		i.State = Some(Master)
	}
}

// strictAddresses: RFC 9568 section 5.2.9 wants the link-local address first.
func (v *validator) strictAddresses(i *Instance) {
	if v.isStrict(i) && i.IPv6() && !i.Unicast() && len(i.VirtualIPAddress) > 0 && !i.VirtualIPAddress[0].Prefix.Addr().IsLinkLocalUnicast() {
		v.fixed(i.Origin, "strict-value", "(%s) the first IPv6 VIP address must be link local", i.Name)
	}
}

// strictValues: what the RFCs leave no choice in.
func (v *validator) strictValues(i *Instance) {
	if !v.isStrict(i) {
		return
	}
	says := func(format string) { v.fixed(i.Origin, "strict-value", format, i.Name) }
	if i.DownTimerAdverts.Set && i.DownTimerAdverts.Value != 3 || !i.DownTimerAdverts.Set && v.c.Global.VRRPDownTimerAdverts != 3 {
		says("(%s) down_timer_adverts is incompatible with strict mode - resetting")
		i.DownTimerAdverts = Some(3)
	}
	if i.Accept.Set && i.Accept.Value && v.versionOf(i) == 2 && !i.owner() {
		says("(%s) warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting")
		i.Accept = Some(false)
	}
	if i.GarpLowerPrioRepeat.Set && i.GarpLowerPrioRepeat.Value != 0 {
		says("(%s) Strict mode requires no repeat garps. resetting")
		i.GarpLowerPrioRepeat = Some(0)
	}
	if i.GarpLowerPrioDelay.Set && i.GarpLowerPrioDelay.Value != 0 {
		says("(%s) Strict mode requires no repeat garp delay. resetting")
		i.GarpLowerPrioDelay.Value = 0
	}
	if i.LowerPrioNoAdvert.Set && !i.LowerPrioNoAdvert.Value {
		says("(%s) Strict mode requires no lower priority advert. resetting")
		i.LowerPrioNoAdvert.Value = true
	}
	if i.HigherPrioSendAdvert.Set && i.HigherPrioSendAdvert.Value {
		says("(%s) strict mode requires higher_prio_send_advert to be clear. resetting")
		i.HigherPrioSendAdvert.Value = false
	}
	if i.owner() && i.OwnerIgnoreAdverts.Set && !i.OwnerIgnoreAdverts.Value {
		says("(%s) strict mode requires owner_ignore_adverts. setting")
		i.OwnerIgnoreAdverts.Value = true
	}
}

// waiting drops what needs another keyword to have a meaning.
func (v *validator) waiting(i *Instance) {
	if i.TimerExpiredBackup > 0 && !i.NoPreempt {
		v.fixed(i.Origin, "timer-expired", "(%s) timer_expired_backup requires nopreempt - resetting", i.Name)
		i.TimerExpiredBackup = 0
	}
	if i.OwnerIgnoreAdverts.Set && i.OwnerIgnoreAdverts.Value && !i.owner() {
		v.fixed(i.Origin, "owner-ignore-adverts", "(%s) owner_ignore_adverts is only valid with priority %d - ignoring", i.Name, Owner)
		i.OwnerIgnoreAdverts = Opt[bool]{}
	}
}

// capacity moves addresses for which an advert has no room to those that are
// not advertised. The Ethernet header is part of keepalived's reckoning.
func (v *validator) capacity(i *Instance) {
	most := maxAdvertised
	if mtu := v.mtu(i.Interface); mtu > 0 {
		const ethernet, ipv4, ipv6, vrrp, password, header = 14, 20, 40, 8, 8, 24
		room, size := mtu-ethernet-vrrp-ipv4, 4
		switch {
		case i.IPv6():
			room, size = mtu-ethernet-vrrp-ipv6, 16
		case v.versionOf(i) == 2:
			room -= password
		}
		if i.Authentication.Type == AuthAH {
			room -= header
		}
		if i.AuthHMAC != nil {
			room -= 28
		}
		most = max(0, min(most, room/size))
	}
	if len(i.VirtualIPAddress) <= most {
		return
	}
	v.fixed(i.Origin, "too-many-addresses", "(%s) Number of VIPs (%d) exceeds maximum/space available in packet (max %d addresses) - excess moved to eVIPs",
		i.Name, len(i.VirtualIPAddress), most)
	i.VirtualIPAddressExcluded = slices.Concat(i.VirtualIPAddressExcluded, i.VirtualIPAddress[most:])
	i.VirtualIPAddress = i.VirtualIPAddress[:most:most]
}

// maxAdvertised is what the count of an advert can say, RFC 9568 section 5.2.5.
const maxAdvertised = 255

func (v *validator) mtu(link string) int {
	if v.env == nil || link == "" {
		return 0
	}
	return v.env.MTU(link)
}
