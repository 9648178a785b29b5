package config

import (
	"reflect"
	"testing"
	"time"
)

// TestJSONEnums: every type of ours that is a number or a text has its words,
// or is known to have none.
func TestJSONEnums(t *testing.T) {
	seen := map[reflect.Type]bool{reflect.TypeFor[Secret](): true, reflect.TypeFor[MAC](): true}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(typ.Elem())
		case reflect.Struct:
			if typ.PkgPath() == reflect.TypeFor[Config]().PkgPath() {
				for i := range typ.NumField() {
					walk(typ.Field(i).Type)
				}
			}
		case reflect.Interface:
			for _, params := range jsonParams {
				walk(params)
			}
		default:
			if _, ok := jsonEnums[typ]; !ok && typ.PkgPath() == reflect.TypeFor[Config]().PkgPath() {
				t.Errorf("%s has no words in jsonEnums", typ)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	for typ := range jsonEnums {
		if !seen[typ] {
			t.Errorf("jsonEnums has %s, which is not in the model", typ)
		}
	}
}

// TestJSONNames: jsonNames and jsonTexts name fields that exist.
func TestJSONNames(t *testing.T) {
	fields := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(typ.Elem())
		case reflect.Interface:
			for _, params := range jsonParams {
				walk(params)
			}
		case reflect.Struct:
			for i := range typ.NumField() {
				fields[typ.Name()+"."+typ.Field(i).Name] = true
				walk(typ.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	for name := range jsonNames {
		if !fields[name] {
			t.Errorf("jsonNames has %s, which is no field", name)
		}
	}
	for name := range jsonTexts {
		if !fields[name] {
			t.Errorf("jsonTexts has %s, which is no field", name)
		}
	}
}

func TestSnake(t *testing.T) {
	for field, want := range map[string]string{
		"VirtualRouterID": "virtual_router_id", "VRRPGarpExtraIf": "vrrp_garp_extra_if", "VirtualIPAddressExcluded": "virtual_ipaddress_excluded",
		"V3ChecksumAsV2": "v3_checksum_as_v2", "NFTablesIPVSStartFWMark": "nftables_ipvs_start_fwmark", "EnableSNMPRFCv2": "enable_snmp_rfcv2",
		"EnableDBus": "enable_dbus", "DBusServiceName": "dbus_service_name", "OPS": "ops", "SNMPVSStatsUpdateInterval": "snmp_vs_stats_update_interval",
	} {
		if got := jsonName(reflect.TypeFor[Config](), field); got != want {
			t.Errorf("%s: %s, want %s", field, got, want)
		}
	}
}

func TestDecimalSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0", time.Second: "1", 1500 * time.Millisecond: "1.5", time.Microsecond: "0.000001", 100 * time.Second: "100", time.Hour + 10*time.Millisecond: "3600.01"} {
		if got := decimalSeconds(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
