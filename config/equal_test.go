package config

import (
	"net/netip"
	"reflect"
	"testing"
)

// Two services differ when any field of a real server or of its checks does, and
// only where it was written does not count.
func TestServersDifferByAnyField(t *testing.T) {
	bare := func() []Service {
		return []Service{{Servers: []Server{{Checks: []Check{{Kind: TCPCheck, Timing: &Timing{}}}}}}}
	}
	if !SameServices(bare(), bare()) {
		t.Error("equal services differ")
	}
	for name, of := range map[string]func([]Service) reflect.Value{
		"Server": func(s []Service) reflect.Value { return reflect.ValueOf(&s[0].Servers[0]).Elem() },
		"Check":  func(s []Service) reflect.Value { return reflect.ValueOf(&s[0].Servers[0].Checks[0]).Elem() },
		"Timing": func(s []Service) reflect.Value { return reflect.ValueOf(s[0].Servers[0].Checks[0].Timing).Elem() },
	} {
		for i := range of(bare()).NumField() {
			other := bare()
			field := of(other)
			what := name + "." + field.Type().Field(i).Name
			change(t, field.Field(i))
			if same, counts := SameServices(bare(), other), field.Field(i).Type() != originType; same == counts {
				t.Errorf("%s differs: %t", what, !same)
			}
		}
	}
}

// What is behind a pointer of its own is the same when its content is.
func TestSameServersBehindPointers(t *testing.T) {
	full := func() []Service {
		return []Service{{Servers: []Server{{
			NotifyUp: new(NewCommand("/up", User{}, Origin{"a.conf", 9, 1})),
			Checks:   []Check{{Kind: UDPCheck, Bind: &Bind{BindPort: 7}, Timing: &Timing{}, Params: &UDPParams{MinReplyLength: 3}}},
		}}}}
	}
	a, b := full(), full()
	b[0].Servers[0].NotifyUp.Origin.Line = 10
	if !SameServices(a, b) {
		t.Error("equal services differ")
	}
	b[0].Servers[0].Checks[0].Bind.BindPort = 8
	if SameServices(a, b) {
		t.Error("another bind_port makes no difference")
	}
}

// change gives a field another value.
func change(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		} else {
			v.SetZero()
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(&UDPParams{}))
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case reflect.Struct:
		switch v.Interface().(type) {
		case netip.AddrPort:
			v.Set(reflect.ValueOf(netip.MustParseAddrPort("10.0.0.1:80")))
		case netip.Addr:
			v.Set(reflect.ValueOf(netip.MustParseAddr("10.0.0.1")))
		default:
			change(t, v.Field(0))
		}
	default:
		t.Fatalf("no other value of %s", v.Type())
	}
}
