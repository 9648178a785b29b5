package config

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JSONVersion is the version of the JSON form. It rises when a key goes, gets
// another name, type or meaning; new keys and new words do not change it.
const JSONVersion = 1

// JSONOptions say what the JSON form holds besides the configuration.
type JSONOptions struct {
	Origins bool // where each block begins, as {file, line}
	Secrets bool // passwords as they are, not as asterisks
}

// JSON is the configuration as JSON, see docs/configuration.md and
// [JSONSchema]. It is valid after [Config.Resolve]; real servers and their
// checks have what they take from their service.
func (c *Config) JSON(o JSONOptions) []byte {
	e := jsonEncoder{JSONOptions: o}
	e.object(reflect.ValueOf(c.effective()).Elem(), fmt.Sprintf(`"version":%d`, JSONVersion))
	var out bytes.Buffer
	if err := json.Indent(&out, e.Bytes(), "", "  "); err != nil {
		panic(fmt.Sprintf("the JSON form of a configuration is no JSON: %v", err)) // a defect of this file
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// effective is the configuration with what services give to their real servers
// filled in.
func (c *Config) effective() *Config {
	all := *c
	all.Services = slices.Clone(c.Services)
	for i := range all.Services {
		v := &all.Services[i]
		v.LBAlgo.inherit(defaultScheduler)
		v.LBKind.inherit(NAT)
		if v.Group == "" && v.FWMark == 0 {
			v.Protocol.inherit(UDP)
		}
		servers := c.Servers(&c.Services[i])
		v.RealServers = slices.Clone(v.RealServers)
		for k := range v.RealServers {
			r, s := &v.RealServers[k], &servers[k]
			r.Addr, r.Checks, r.Tunnel = s.Addr, s.Checks, s.Tunnel
			r.Weight.Value, r.LVSMethod.Value, r.InhibitOnFailure.Value = s.Weight, s.Method, s.InhibitOnFailure
			r.DrainTimeout.Value = s.DrainTimeout
		}
	}
	return &all
}

// jsonKey is a key of an object.
type jsonKey struct {
	name string
	typ  reflect.Type
	// always: a number, a bool or a word that is there even when it is zero
	always bool
	get    func(reflect.Value) reflect.Value // from the struct; not valid: there is none
}

// jsonKeys are the keys of a struct.
func jsonKeys(t reflect.Type) (all []jsonKey) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := jsonName(t, f.Name)
		prefix, inline := strings.CutPrefix(name, "+")
		get := func(v reflect.Value) reflect.Value { return v.Field(i) }
		text, isText := jsonTexts[t.Name()+"."+f.Name]
		switch {
		case name == "-", f.Type == reflect.TypeFor[Origin]() && f.Name != "Origin":
		case inline:
			all = append(all, jsonInline(f.Type, prefix, get)...)
		case isText:
			all = append(all, jsonKey{name: name, typ: reflect.TypeFor[string](), get: func(v reflect.Value) reflect.Value {
				return reflect.ValueOf(text(get(v)))
			}})
		default:
			all = append(all, jsonKey{name: name, typ: f.Type, always: jsonAlways(f.Type), get: get})
		}
	}
	return all
}

// jsonInline are the keys of a struct that stands within another.
func jsonInline(t reflect.Type, prefix string, outer func(reflect.Value) reflect.Value) (all []jsonKey) {
	optional := t.Kind() == reflect.Pointer
	if optional {
		t = t.Elem()
	}
	if t == reflect.TypeFor[netip.AddrPort]() {
		return jsonEndpoint(outer)
	}
	if t.Kind() == reflect.Interface {
		return nil // of the kind that it is, see object
	}
	for _, key := range jsonKeys(t) {
		if key.name == "origin" {
			continue
		}
		get := key.get
		key.name = prefix + key.name
		key.always = key.always && !optional
		key.get = func(v reflect.Value) reflect.Value {
			if v = outer(v); optional {
				if v.IsNil() {
					return reflect.Value{}
				}
				v = v.Elem()
			}
			return get(v)
		}
		all = append(all, key)
	}
	return all
}

// jsonEndpoint are an address and a port.
func jsonEndpoint(outer func(reflect.Value) reflect.Value) []jsonKey {
	at := func(v reflect.Value) netip.AddrPort { return outer(v).Interface().(netip.AddrPort) }
	return []jsonKey{
		{name: "ip", typ: reflect.TypeFor[netip.Addr](), get: func(v reflect.Value) reflect.Value { return reflect.ValueOf(at(v).Addr()) }},
		{name: "port", typ: reflect.TypeFor[uint16](), get: func(v reflect.Value) reflect.Value { return reflect.ValueOf(at(v).Port()) }},
	}
}

// jsonAlways reports whether a zero value says something.
func jsonAlways(t reflect.Type) bool {
	if enum, ok := jsonEnums[t]; ok {
		return enum.words[0] != ""
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// isOpt reports an [Opt].
func isOpt(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Opt[")
}

type jsonEncoder struct {
	JSONOptions
	bytes.Buffer
	types map[reflect.Type][]jsonKey
}

// keys are those of a struct, which are found out once.
func (e *jsonEncoder) keys(t reflect.Type) []jsonKey {
	all, ok := e.types[t]
	if !ok {
		if e.types == nil {
			e.types = map[reflect.Type][]jsonKey{}
		}
		all = jsonKeys(t)
		e.types[t] = all
	}
	return all
}

// object writes a struct, after what stands before its first key.
func (e *jsonEncoder) object(v reflect.Value, first string) {
	e.WriteByte('{')
	e.WriteString(first)
	e.members(v, first != "")
	if k, ok := v.Addr().Interface().(*Check); ok && k.Params != nil {
		e.members(reflect.ValueOf(k.Params).Elem(), true)
	}
	e.WriteByte('}')
}

// members writes the keys of a struct; more when there are some before.
func (e *jsonEncoder) members(v reflect.Value, more bool) {
	for _, key := range e.keys(v.Type()) {
		field := key.get(v)
		if !field.IsValid() || !key.always && isAbsent(field) || key.name == "origin" && !e.Origins {
			continue
		}
		if more {
			e.WriteByte(',')
		}
		more = true
		e.text(key.name)
		e.WriteByte(':')
		e.value(field)
	}
}

// isAbsent reports a value that nobody gave.
func isAbsent(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.IsNil()
	}
	return v.IsZero()
}

func (e *jsonEncoder) value(v reflect.Value) {
	if enum, ok := jsonEnums[v.Type()]; ok && enum.texts == nil {
		e.enum(v.Uint(), enum)
		return
	}
	if isOpt(v.Type()) {
		e.value(v.Field(0))
		return
	}
	if !v.CanAddr() { // of a getter
		at := reflect.New(v.Type()).Elem()
		at.Set(v)
		v = at
	}
	switch x := v.Addr().Interface().(type) {
	case *time.Duration:
		e.WriteString(decimalSeconds(*x))
	case *netip.Addr:
		e.text(x.String())
	case *netip.Prefix:
		e.text(x.String())
	case *Secret:
		if e.Secrets {
			e.text(string(*x))
		} else {
			e.text(x.String())
		}
	case *MAC:
		e.text(x.String())
	case *StatusRange:
		e.text(x.String())
	case *Origin:
		fmt.Fprintf(e, `{"file":%s,"line":%d}`, jsonText(x.File), x.Line)
	case *[]byte:
		e.text(hex.EncodeToString(*x))
	default:
		e.kind(v)
	}
}

func (e *jsonEncoder) kind(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() { // of an [Opt] that was set to nothing
			v = reflect.New(v.Type().Elem())
		}
		e.value(v.Elem())
	case reflect.Slice:
		e.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				e.WriteByte(',')
			}
			e.value(v.Index(i))
		}
		e.WriteByte(']')
	case reflect.Struct:
		e.object(v, "")
	case reflect.String:
		e.text(v.String())
	case reflect.Bool:
		e.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int64:
		e.WriteString(strconv.FormatInt(v.Int(), 10))
	default:
		e.WriteString(strconv.FormatUint(v.Uint(), 10))
	}
}

func (e *jsonEncoder) enum(n uint64, enum jsonEnum) {
	word, ok := enum.words[n]
	switch {
	case enum.bits:
		var all []string
		for bit := uint64(1); bit <= n; bit <<= 1 {
			if n&bit != 0 {
				all = append(all, string(jsonText(enum.words[bit])))
			}
		}
		e.WriteString("[" + strings.Join(all, ",") + "]")
	case ok:
		e.text(word)
	default:
		e.WriteString(strconv.FormatUint(n, 10))
	}
}

func (e *jsonEncoder) text(s string) { e.Write(jsonText(s)) }

// jsonText is a string; bytes that are no UTF-8 become U+FFFD.
func jsonText(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(fmt.Sprintf("a string is no JSON: %v", err)) // strings always are
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// decimalSeconds is a time as a decimal number of seconds.
func decimalSeconds(d time.Duration) string {
	whole, fraction := d/time.Second, d%time.Second
	if fraction == 0 {
		return strconv.FormatInt(int64(whole), 10)
	}
	return strings.TrimRight(fmt.Sprintf("%d.%09d", whole, fraction), "0")
}

// String is the address with colons.
func (m MAC) String() string {
	octets := make([]string, m.Len)
	for i := range octets {
		octets[i] = fmt.Sprintf("%02x", m.Octets[i])
	}
	return strings.Join(octets, ":")
}

// String is LOW-HIGH, or the one code.
func (s StatusRange) String() string {
	if s.Low == s.High {
		return strconv.Itoa(int(s.Low))
	}
	return fmt.Sprintf("%d-%d", s.Low, s.High)
}
