package dbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/godbus/dbus/v5"
)

// systemBus is where the system bus is unless the environment says otherwise.
const systemBus = "unix:path=/run/dbus/system_bus_socket"

var errNoSocket = errors.New("no unix socket in the address of the bus")

// dial connects to an address of the D-Bus specification: unix sockets, in a
// folder or abstract, and the first one that answers of several.
func dial(ctx context.Context, address string) (*net.UnixConn, error) {
	address = cmp.Or(address, os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), systemBus)
	failed := fmt.Errorf("%w: %s", errNoSocket, address)
	for one := range strings.SplitSeq(address, ";") {
		options, ok := strings.CutPrefix(one, "unix:")
		if !ok {
			continue
		}
		socket, err := socketOf(options)
		if err != nil {
			failed = err
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		failed = fmt.Errorf("connect to the bus: %w", err)
	}
	return nil, failed
}

func socketOf(options string) (string, error) {
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		value, err := dbus.UnescapeBusAddressValue(value)
		if err != nil {
			return "", fmt.Errorf("address of the bus: %w", err)
		}
		switch key {
		case "path":
			return value, nil
		case "abstract":
			return "@" + value, nil
		}
	}
	return "", fmt.Errorf("%w: unix:%s", errNoSocket, options)
}
