package vrrp

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// filled sets every field of v to something of its own, n counting on.
func filled(v reflect.Value, n *int64) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *netip.Addr:
		*x = netip.AddrFrom4([4]byte{10, 0, 0, byte(*n)})
		return
	case *config.State:
		*x = config.Master
		return
	case *Kind:
		*x = Script
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			filled(v.Field(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			filled(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		filled(v.Index(0), n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(time.Duration(*n).String())
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 200))
	default:
		panic(v.Type().String() + " is new here")
	}
}

// Every field of a handover comes through JSON, into a machine, and out of it
// again. The moments that others count from differ.
func TestHandoverFields(t *testing.T) {
	cfg := config.DefaultInstance
	cfg.Name, cfg.Interface, cfg.VirtualRouterID, cfg.Version = "VI_1", "eth0", 51, config.Some[uint8](3)
	cfg.AuthHMAC = &config.AuthHMAC{Mode: config.HMACEnforce, ActiveKey: 1, Keys: []config.HMACKey{{ID: 1, Secret: "0123456789abcdef0123456789abcdef"}}}
	var want InstanceHandover
	n := int64(0)
	filled(reflect.ValueOf(&want).Elem(), &n)
	want.Key, want.Name, want.ID = cfg.Key(), cfg.Name, 0 // the first two are the configuration's, the last the shell's
	cfg.TrackScript = []config.Track{{Name: want.Trackers[0].Name}}

	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var read InstanceHandover
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("through JSON (-want +got):\n%s", diff)
	}
	m := NewMachine(cfg)
	then := time.Unix(1000, 0)
	m.takeOver(&read, then, then)
	if diff := cmp.Diff(want, m.handover(then), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("through a machine (-want +got):\n%s", diff)
	}
}

// Errands and reliefs come through JSON too.
func TestErrandFields(t *testing.T) {
	for _, v := range []any{&Errands{}, &Relief{}, &Handover{}} {
		n := int64(0)
		filled(reflect.ValueOf(v).Elem(), &n)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		read := reflect.New(reflect.TypeOf(v).Elem()).Interface()
		if err := json.Unmarshal(text, read); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(v, read) {
			t.Errorf("%+v became %+v", v, read)
		}
	}
}
