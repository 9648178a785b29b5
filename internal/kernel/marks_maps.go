//go:build linux

package kernel

import (
	"encoding/binary"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// google/nftables cannot say the byte order of what a map leads to, and without
// it nft shows 0xe8030000 where the mark is 1000. So the empty maps are made
// here, as nft makes them.

// Attributes of linux/netfilter/nf_tables.h that x/sys/unix lacks, and nft's
// byte orders.
const (
	setDescConcat    = 2 // NFTA_SET_DESC_CONCAT
	setFieldLength   = 1 // NFTA_SET_FIELD_LEN
	hostByteOrder    = 1
	networkByteOrder = 2
)

func markMap(in *nftables.Table, protocol config.Protocol) *nftables.Set {
	address := nftables.TypeIPAddr
	if in.Family == nftables.TableFamilyIPv6 {
		address = nftables.TypeIP6Addr
	}
	return &nftables.Set{
		Table: in, Name: markMaps[protocol], IsMap: true, Interval: true, Concatenation: true,
		KeyType: nftables.MustConcatSetType(address, nftables.TypeInetService), DataType: nftables.TypeMark,
	}
}

// makeMaps makes the table and those of the maps that are not there.
func (m *Marks) makeMaps(in *nftables.Table, maps, there []config.Protocol) error {
	messages := []netlink.Message{
		nftMessage(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
		nftMessage(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, netlink.Acknowledge|netlink.Create, byte(in.Family), 0, []netlink.Attribute{text(unix.NFTA_TABLE_NAME, in.Name)}),
	}
	for i, protocol := range maps {
		if slices.Contains(there, protocol) {
			continue
		}
		messages = append(messages, nftMessage(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWSET, netlink.Acknowledge|netlink.Create, byte(in.Family), 0, mapAttributes(markMap(in, protocol), uint32(i+1))))
	}
	if len(messages) == 2 && len(there) > 0 {
		return nil
	}
	messages = append(messages, nftMessage(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil))
	if _, err := m.socket.SendMessages(messages); err != nil {
		return err
	}
	for range len(messages) - 2 { // the batch itself has no answer
		if _, err := m.socket.Receive(); err != nil {
			return err
		}
	}
	return nil
}

func mapAttributes(s *nftables.Set, id uint32) []netlink.Attribute {
	var fields []netlink.Attribute
	for _, t := range nftables.ConcatSetTypeElements(s.KeyType) {
		fields = append(fields, nested(unix.NFTA_LIST_ELEM, number(setFieldLength, t.Bytes)))
	}
	orders := userdata.AppendUint32(nil, userdata.NFTNL_UDATA_SET_KEYBYTEORDER, networkByteOrder)
	orders = userdata.AppendUint32(orders, userdata.NFTNL_UDATA_SET_DATABYTEORDER, hostByteOrder)
	return []netlink.Attribute{
		text(unix.NFTA_SET_TABLE, s.Table.Name), text(unix.NFTA_SET_NAME, s.Name),
		number(unix.NFTA_SET_FLAGS, unix.NFT_SET_MAP|unix.NFT_SET_INTERVAL|nftables.NFT_SET_CONCAT),
		number(unix.NFTA_SET_KEY_TYPE, s.KeyType.GetNFTMagic()), number(unix.NFTA_SET_KEY_LEN, s.KeyType.Bytes),
		number(unix.NFTA_SET_DATA_TYPE, s.DataType.GetNFTMagic()), number(unix.NFTA_SET_DATA_LEN, s.DataType.Bytes),
		number(unix.NFTA_SET_ID, id), nested(unix.NFTA_SET_DESC, nested(setDescConcat, fields...)), {Type: unix.NFTA_SET_USERDATA, Data: orders},
	}
}

// nftMessage has a struct nfgenmsg in front of its attributes.
func nftMessage(kind uint16, flags netlink.HeaderFlags, family byte, resource uint16, attributes []netlink.Attribute) netlink.Message {
	data := append([]byte{family, unix.NFNETLINK_V0}, byte(resource>>8), byte(resource))
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags},
		Data:   append(data, marshalled(attributes)...),
	}
}

func text(kind uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(s), 0)}
}

func number(kind uint16, n uint32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binary.BigEndian.AppendUint32(nil, n)}
}

func nested(kind uint16, attributes ...netlink.Attribute) netlink.Attribute {
	return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: marshalled(attributes)}
}

// marshalled are attributes of a few bytes each: only ones that are too long
// could fail.
func marshalled(attributes []netlink.Attribute) []byte {
	data, err := netlink.MarshalAttributes(attributes)
	if err != nil {
		panic(err)
	}
	return data
}
