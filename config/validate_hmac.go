package config

import (
	"slices"
	"strings"
)

// Lengths of keys of auth_hmac, in bytes.
const (
	minHMACKey = 32
	maxHMACKey = 64
)

// authHMAC settles an auth_hmac block. An instance whose keys cannot be used
// must not run: what it sends would be worth nothing to its peers, and theirs
// nothing to it.
func (v *validator) authHMAC(i *Instance) {
	a := i.AuthHMAC
	if a == nil {
		return
	}
	if i.Authentication.Type != AuthNone {
		v.fixed(i.Origin, "authentication", "(%s) authentication cannot be used beside auth_hmac - ignoring it", i.Name)
		i.Authentication = Authentication{}
	}
	if v.isStrict(i) && a.Mode != HMACEnforce {
		v.fixed(a.Origin, "auth-hmac", "(%s) auth_hmac mode %s is incompatible with strict mode - using enforce", i.Name, a.Mode)
		a.Mode = HMACEnforce
	}
	a.Keys = slices.DeleteFunc(a.Keys, func(k HMACKey) bool { return k.File != "" && v.env != nil && !v.keyFile(i, a, &k) })
	if !slices.ContainsFunc(a.Keys, func(k HMACKey) bool { return k.ID == a.ActiveKey }) {
		v.add(a.Origin, ClassGeneral, "auth-hmac", "(%s) auth_hmac active_key %d is not one of its keys: the instance stays in FAULT", i.Name, a.ActiveKey)
		i.Unable = "auth_hmac without its active key"
	}
}

// keyFile reads the file of a key, and reports whether it holds one.
func (v *validator) keyFile(i *Instance, a *AuthHMAC, k *HMACKey) bool {
	content, private, err := v.env.KeyFile(k.File)
	if err != nil {
		v.add(k.Origin, ClassGeneral, "auth-hmac", "(%s) auth_hmac key %d: %v - ignoring", i.Name, k.ID, err)
		return false
	}
	if !private {
		v.add(k.Origin, ClassSecurity, "auth-hmac", "(%s) SECURITY VIOLATION - auth_hmac key file %s can be read by others", i.Name, k.File)
	}
	held := strings.TrimRight(string(content), "\r\n")
	if len(held) < minHMACKey || len(held) > maxHMACKey {
		v.add(k.Origin, ClassGeneral, "auth-hmac", "(%s) auth_hmac key %d must be %d to %d bytes long - ignoring", i.Name, k.ID, minHMACKey, maxHMACKey)
		return false
	}
	at := slices.IndexFunc(a.Keys, func(other HMACKey) bool { return other.ID == k.ID })
	a.Keys[at].Held = Secret(held)
	return true
}
