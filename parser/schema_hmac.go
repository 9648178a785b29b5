package parser

import (
	"path"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

func authHMAC(c *cursor, i *config.Instance) {
	a := config.DefaultAuthHMAC
	a.Origin = c.origin()
	decode(c.d, authHMACBlock(), c.st.Body, &a)
	i.AuthHMAC = &a
}

func authHMACBlock() *block[config.AuthHMAC] {
	type auth = config.AuthHMAC
	return &block[auth]{path: "vrrp_instance/auth_hmac", rows: rows[auth]{
		"key":        {apply: hmacKey},
		"active_key": set(num[uint8](1, 255), func(a *auth) *uint8 { return &a.ActiveKey }).or("(%N) auth_hmac active_key '%V' must be between 1 and 255 - ignoring"),
		"time_window": opt(wholeSeconds(1, 300), func(a *auth) *config.Opt[time.Duration] { return &a.TimeWindow }).
			or("(%N) auth_hmac time_window '%V' must be between 1 and 300 - ignoring"),
		"anti_replay": set(oneOf(map[string]config.AntiReplay{"time": config.ReplayTime, "monotonic": config.ReplayMonotonic}),
			func(a *auth) *config.AntiReplay { return &a.AntiReplay }).or("(%N) auth_hmac unknown anti_replay '%V' - ignoring"),
		"mode": set(oneOf(map[string]config.HMACMode{
			"enforce": config.HMACEnforce, "permissive": config.HMACPermissive, "receive-only": config.HMACReceiveOnly,
		}), func(a *auth) *config.HMACMode { return &a.Mode }).or("(%N) auth_hmac unknown mode '%V' - ignoring"),
	}}
}

// hmacKey reads ID STRING | hex:HEX | file:PATH, of 32 to 64 bytes.
func hmacKey(c *cursor, a *config.AuthHMAC) {
	number, ok := c.need()
	if !ok {
		return
	}
	id, f := num[uint8](1, 255)(number)
	value, ok := c.need()
	k := config.HMACKey{Origin: c.origin(), ID: id}
	switch {
	case !ok:
		return
	case f != nil:
		c.errorf(f.class, f.code, "(%s) auth_hmac key id '%s' must be between 1 and 255 - ignoring", c.d.name, number)
		return
	case c.d.twice(mention{list: "auth_hmac", name: number}):
		c.errorf(config.ClassGeneral, "duplicate", "(%s) auth_hmac key %s is a duplicate - ignoring", c.d.name, number)
		return
	}
	text, isHex := strings.CutPrefix(value, "hex:")
	name, isFile := strings.CutPrefix(value, "file:")
	length := len(text)
	if isHex {
		length /= 2
		if strings.Trim(text, "0123456789abcdefABCDEF") != "" || len(text)%2 != 0 {
			length = 0
		}
	}
	switch {
	case isFile:
		k.File = path.Clean(name)
	case length < 32 || length > 64:
		c.errorf(config.ClassGeneral, "invalid-value", "(%s) auth_hmac key %d must be 32 to 64 bytes long - ignoring", c.d.name, id)
		return
	default:
		k.Secret = config.Secret(strings.Clone(value))
	}
	a.Keys = append(a.Keys, k)
}
