// Package wire encodes and decodes what VRRP puts on the network: adverts of
// versions 2 and 3, the IPv4 header around them, what authenticates them
// (authentication headers, trailers of auth_hmac), gratuitous ARP requests and
// unsolicited neighbour advertisements. It has no sockets, no clock and no
// state but that of a hash; Parse(Append(x)) is x, and Parse never panics.
package wire
