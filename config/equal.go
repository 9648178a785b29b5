package config

import (
	"net/netip"
	"reflect"
)

// SameServices reports that nothing of what runs differs, wherever it is
// written.
func SameServices(a, b []Service) bool { return equal(&a, &b) }

// ServiceComparison is [SameServices] of two services at a time, for one goroutine.
func ServiceComparison() func(a, b *Service) bool { return comparisonOf[Service]() }

// equal compares two values of this package, ignoring where they were written.
func equal[T any](a, b *T) bool { return comparisonOf[T]()(a, b) }

// comparisonOf is equal for many values of a type. What there is to know about
// a type is found out once.
func comparisonOf[T any]() func(a, b *T) bool {
	same := comparisons{}.of(reflect.TypeFor[T]())
	return func(a, b *T) bool { return same(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()) }
}

// comparison compares two values of the type that it was made for.
type comparison func(a, b reflect.Value) bool

type comparisons map[reflect.Type]comparison

var originType = reflect.TypeFor[Origin]()

func (known comparisons) of(t reflect.Type) comparison {
	if same, ok := known[t]; ok {
		return same
	}
	// A type that contains itself finds this one.
	known[t] = func(a, b reflect.Value) bool { return known[t](a, b) }
	known[t] = known.make(t)
	return known[t]
}

func (known comparisons) make(t reflect.Type) comparison {
	switch t {
	// What every real server has is compared without a look at its parts.
	case reflect.TypeFor[netip.Addr]():
		return directly[netip.Addr]
	case reflect.TypeFor[netip.AddrPort]():
		return directly[netip.AddrPort]
	case reflect.TypeFor[Timing]():
		return directly[Timing]
	case reflect.TypeFor[Server]():
		return known.server()
	}
	switch t.Kind() {
	case reflect.Struct:
		if t.PkgPath() != originType.PkgPath() && t.Comparable() {
			return reflect.Value.Equal
		}
		return known.fields(t)
	case reflect.Pointer:
		same := known.of(t.Elem())
		return func(a, b reflect.Value) bool {
			return a.Pointer() == b.Pointer() || !a.IsNil() && !b.IsNil() && same(a.Elem(), b.Elem())
		}
	case reflect.Interface:
		return func(a, b reflect.Value) bool {
			if a.IsNil() || b.IsNil() {
				return a.IsNil() == b.IsNil()
			}
			a, b = a.Elem(), b.Elem()
			return a.Type() == b.Type() && known.of(a.Type())(a, b)
		}
	case reflect.Slice:
		same := known.of(t.Elem())
		return func(a, b reflect.Value) bool {
			if a.Len() != b.Len() {
				return false
			}
			for i := range a.Len() {
				if !same(a.Index(i), b.Index(i)) {
					return false
				}
			}
			return true
		}
	}
	return reflect.Value.Equal
}

// fields compares structs, but for where they were written.
func (known comparisons) fields(t reflect.Type) comparison {
	type field struct {
		at   int
		same comparison
	}
	var fields []field
	for i := range t.NumField() {
		if of := t.Field(i).Type; of != originType {
			fields = append(fields, field{i, known.of(of)})
		}
	}
	return func(a, b reflect.Value) bool {
		for _, f := range fields {
			if !f.same(a.Field(f.at), b.Field(f.at)) {
				return false
			}
		}
		return true
	}
}

// server compares real servers, of which there are tens of thousands: reflection
// decides about those that may differ.
func (known comparisons) server() comparison {
	same := known.fields(reflect.TypeFor[Server]())
	return func(a, b reflect.Value) bool {
		if a.CanAddr() && b.CanAddr() && a.Addr().Interface().(*Server).alike(b.Addr().Interface().(*Server)) {
			return true
		}
		return same(a, b)
	}
}

// alike reports that two real servers are equal if that can be seen at once.
func (s *Server) alike(o *Server) bool {
	if s.Addr != o.Addr || s.Weight != o.Weight || s.Method != o.Method || s.Tunnel != o.Tunnel || s.InhibitOnFailure != o.InhibitOnFailure ||
		s.SMTPAlert != o.SMTPAlert || s.UThreshold != o.UThreshold || s.LThreshold != o.LThreshold || s.DrainTimeout != o.DrainTimeout ||
		s.NotifyUp != o.NotifyUp || s.NotifyDown != o.NotifyDown || len(s.Checks) != len(o.Checks) {
		return false
	}
	for i := range s.Checks {
		if !s.Checks[i].alike(&o.Checks[i]) {
			return false
		}
	}
	return true
}

func (c *Check) alike(o *Check) bool {
	return c.Kind == o.Kind && c.ConnectIP == o.ConnectIP && c.ConnectPort == o.ConnectPort && c.Bind == o.Bind && c.Params == o.Params &&
		(c.Timing == o.Timing || c.Timing != nil && o.Timing != nil && *c.Timing == *o.Timing)
}

func directly[T comparable](a, b reflect.Value) bool {
	if a.CanAddr() && b.CanAddr() && a.CanInterface() && b.CanInterface() {
		return *a.Addr().Interface().(*T) == *b.Addr().Interface().(*T)
	}
	return a.Equal(b)
}
