package vrrp

import (
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// buffer is the receive buffer that the members of a socket ask for together:
// kernel_rx_buf_size, else vrrp_rx_bufs_policy.
func (r *Runner) buffer(s *socket) (b Buffer) {
	times := int(r.receiving.VRRPRxBufsMultiplier)
	for _, sharing := range s.members {
		for _, m := range sharing {
			policy := r.receiving.VRRPRxBufsPolicy
			switch size := m.Config().KernelRxBufSize; {
			case size > 0:
				b.Bytes += int(size)
			case policy == config.RxSize:
				b.Bytes += int(r.receiving.VRRPRxBufsSize)
			case policy == config.RxAdvert:
				b.Bytes += times * m.advertLen()
			case policy == config.RxMTU:
				b.MTUs += times
			}
		}
	}
	return b
}

// advertLen is the length of the instance's adverts, IP header included.
func (m *Machine) advertLen() int {
	const header4, header6, vrrp, addr4, addr6, auth = 20, 40, 8, 4, 16, 8
	n := len(m.own.Addrs)
	length := header4 + vrrp + n*addr4
	if m.cfg.IPv6() {
		length = header6 + vrrp + n*addr6
	} else if m.cfg.Version.Value == 2 {
		length += auth
	}
	if m.ah != nil {
		length += wire.AHLen
	}
	if m.hmac != nil {
		length += wire.HMACLen
	}
	return length
}
