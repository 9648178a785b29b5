// Package wire is the BFD control packet, RFC 5880 section 4.1: bytes only, no
// sockets. Parse(p.Append(nil)) is p, and Parse does not panic.
package wire
