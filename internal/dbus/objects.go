package dbus

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/lvsd/lvsd/config"
)

// Names of keepalived on the bus.
const (
	defaultName       = "org.keepalived.Vrrp1"
	vrrpInterface     = "org.keepalived.Vrrp1.Vrrp"
	instanceInterface = "org.keepalived.Vrrp1.Instance"
	vrrpPath          = dbus.ObjectPath("/org/keepalived/Vrrp1/Vrrp")
	instancesPath     = "/org/keepalived/Vrrp1/Instance"
)

// instancePath is the object of an instance: interface, VRID, family.
func instancePath(i *config.Instance, from *config.ExternalInterfaces) dbus.ObjectPath {
	name := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, cmp.Or(i.Interface, from.DBusNoInterfaceName, "none"))
	family := "IPv4"
	if i.IPv6() {
		family = "IPv6"
	}
	return dbus.ObjectPath(fmt.Sprintf("%s/%s/%d/%s", instancesPath, name, i.VirtualRouterID, family))
}

// LookupObject implements [dbus.Handler]: an object, or a folder of some.
func (b *Bus) LookupObject(path dbus.ObjectPath) (dbus.ServerObject, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	below := []string{}
	for at := range b.instances {
		below = appendBelow(below, path, at)
	}
	below = appendBelow(below, path, vrrpPath)
	name, isInstance := b.instances[path]
	o := object{}
	switch {
	case path == vrrpPath:
		o = b.vrrpObject()
	case isInstance:
		o = b.instanceObject(name)
	case len(below) == 0:
		return nil, false
	}
	o["org.freedesktop.DBus.Introspectable"] = methods{"Introspect": {call: func([]any) ([]any, error) {
		return []any{introspection(o, below)}, nil
	}}}
	return o, true
}

// appendBelow adds the name of what leads from a path to one below it.
func appendBelow(names []string, from, to dbus.ObjectPath) []string {
	rest, ok := strings.CutPrefix(string(to), strings.TrimSuffix(string(from), "/")+"/")
	if !ok {
		return names
	}
	name, _, _ := strings.Cut(rest, "/")
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

func (b *Bus) vrrpObject() object {
	do := func(f func() error) method {
		return method{call: func([]any) ([]any, error) { return nil, failed(f()) }}
	}
	return object{vrrpInterface: {
		"PrintData": do(b.o.Daemon.PrintData), "PrintStats": do(b.o.Daemon.PrintStats),
		"PrintStatsClear": do(b.o.Daemon.PrintStatsClear), "ReloadConfig": do(b.o.Daemon.Reload),
	}, propertiesInterface: properties(vrrpInterface, func() map[string]dbus.Variant { return map[string]dbus.Variant{} })}
}

func (b *Bus) instanceObject(name string) object {
	return object{
		instanceInterface: {"SendGarp": {call: func([]any) ([]any, error) { return nil, failed(b.o.Daemon.SendGarp(name)) }}},
		propertiesInterface: properties(instanceInterface, func() map[string]dbus.Variant {
			state, _ := b.o.Daemon.State(name)
			return map[string]dbus.Variant{
				// keepalived declares a text and sends it in a structure.
				"Name": dbus.MakeVariant(struct{ Name string }{name}),
				"State": dbus.MakeVariant(struct {
					Number uint32
					Text   string
				}{uint32(state), stateText(state)}),
			}
		}),
	}
}

// stateText is a state as the property has it: Master.
func stateText(s config.State) string {
	text := s.String()
	return text[:1] + strings.ToLower(text[1:])
}

// failed is an error as the caller sees it.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return dbus.MakeFailedError(err)
}

const propertiesInterface = "org.freedesktop.DBus.Properties"

// properties are the read-only ones that an object has in its own interface.
func properties(own string, all func() map[string]dbus.Variant) methods {
	invalid := func(format string, name any) error {
		return dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{fmt.Sprintf(format, name)})
	}
	one := func(args []any) (name string, v dbus.Variant, err error) {
		of, name := *args[0].(*string), *args[1].(*string)
		if of != own {
			return name, v, invalid("No such interface “%s”", of)
		}
		v, ok := all()[name]
		if !ok {
			err = invalid("No such property “%s”", name)
		}
		return name, v, err
	}
	return methods{
		"Get": {in: []any{"", ""}, call: func(args []any) ([]any, error) {
			_, v, err := one(args)
			return []any{v}, err
		}},
		"GetAll": {in: []any{""}, call: func(args []any) ([]any, error) {
			if of := *args[0].(*string); of != own {
				return nil, invalid("No such interface “%s”", of)
			}
			return []any{all()}, nil
		}},
		"Set": {in: []any{"", "", dbus.Variant{}}, call: func(args []any) ([]any, error) {
			name, _, err := one(args)
			if err == nil {
				err = invalid("Property “%s” is not writable", name)
			}
			return nil, err
		}},
	}
}

// object has interfaces.
type object map[string]methods

// LookupInterface implements [dbus.ServerObject]. A call may leave the
// interface out.
func (o object) LookupInterface(name string) (dbus.Interface, bool) {
	if name == "" {
		all := methods{}
		for _, m := range o {
			for name := range m {
				all[name] = m[name]
			}
		}
		return all, true
	}
	m, ok := o[name]
	return m, ok
}

// methods are those of an interface.
type methods map[string]method

// LookupMethod implements [dbus.Interface].
func (m methods) LookupMethod(name string) (dbus.Method, bool) {
	f, ok := m[name]
	return f, ok
}

// method is one that godbus calls.
type method struct {
	in   []any                                   // a value of the type of each argument
	call func(args []any) (out []any, err error) // with pointers to the arguments
}

// Call implements [dbus.Method].
func (m method) Call(args ...any) ([]any, error) { return m.call(args) }

// NumArguments implements [dbus.Method].
func (m method) NumArguments() int { return len(m.in) }

// ArgumentValue implements [dbus.Method].
func (m method) ArgumentValue(i int) any { return m.in[i] }

// NumReturns implements [dbus.Method]; godbus never asks.
func (m method) NumReturns() int { return 0 }

// ReturnValue implements [dbus.Method]; godbus never asks.
func (m method) ReturnValue(int) any { return nil }

// introspection describes an object and what is below it.
func introspection(o object, below []string) string {
	var x strings.Builder
	x.WriteString(`<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
                      "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node>
`)
	for _, i := range []struct{ name, text string }{
		{propertiesInterface, propertiesXML}, {vrrpInterface, vrrpXML}, {instanceInterface, instanceXML},
	} {
		if _, ok := o[i.name]; ok {
			if i.name == propertiesInterface {
				x.WriteString(i.text + introspectableXML + peerXML)
				continue
			}
			x.WriteString(i.text)
		}
	}
	slices.Sort(below)
	for _, name := range below {
		fmt.Fprintf(&x, "  <node name=%q/>\n", name)
	}
	x.WriteString("</node>\n")
	return x.String()
}

const (
	propertiesXML = `  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="out"/>
    </method>
    <method name="GetAll">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="a{sv}" name="properties" direction="out"/>
    </method>
    <method name="Set">
      <arg type="s" name="interface_name" direction="in"/>
      <arg type="s" name="property_name" direction="in"/>
      <arg type="v" name="value" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg type="s" name="interface_name"/>
      <arg type="a{sv}" name="changed_properties"/>
      <arg type="as" name="invalidated_properties"/>
    </signal>
  </interface>
`
	introspectableXML = `  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg type="s" name="xml_data" direction="out"/>
    </method>
  </interface>
`
	peerXML = `  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg type="s" name="machine_uuid" direction="out"/>
    </method>
  </interface>
`
	vrrpXML = `  <interface name="org.keepalived.Vrrp1.Vrrp">
    <method name="PrintData"/>
    <method name="PrintStats"/>
    <method name="PrintStatsClear"/>
    <method name="ReloadConfig"/>
    <signal name="VrrpStarted"/>
    <signal name="VrrpReloaded"/>
    <signal name="VrrpStopped"/>
  </interface>
`
	instanceXML = `  <interface name="org.keepalived.Vrrp1.Instance">
    <method name="SendGarp"/>
    <signal name="VrrpStatusChange">
      <arg type="u" name="status"/>
    </signal>
    <property type="s" name="Name" access="read"/>
    <property type="(us)" name="State" access="read"/>
  </interface>
`
)
