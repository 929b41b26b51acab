package lb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, versions 1 and 2, as the balancer in front sends it before
// anything else: whom the connection is from.

var (
	errProxyHeader = errors.New("no PROXY header, or none that can be read")
	proxyV2        = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

const (
	maxProxyV1 = 107  // bytes, by the specification
	maxProxyV2 = 2048 // bytes of addresses and extras
)

// readProxyHeader reads a header and not a byte more than it and r's buffer hold. The
// address is invalid if the connection is the balancer's own (LOCAL, UNKNOWN): a check of
// whether we are there.
func readProxyHeader(r *bufio.Reader) (netip.AddrPort, error) {
	first, err := r.Peek(1)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if first[0] == proxyV2[0] {
		return readProxyV2(r)
	}
	return readProxyV1(r)
}

func readProxyV1(r *bufio.Reader) (netip.AddrPort, error) {
	var line []byte
	for len(line) < maxProxyV1 {
		c, err := r.ReadByte()
		if err != nil {
			return netip.AddrPort{}, err
		}
		line = append(line, c)
		if c == '\n' {
			break
		}
		if len(line) <= 6 && line[len(line)-1] != "PROXY "[len(line)-1] {
			return netip.AddrPort{}, errProxyHeader
		}
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return netip.AddrPort{}, errProxyHeader
	}
	f := strings.Split(text, " ")
	if len(f) >= 2 && f[0] == "PROXY" && f[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(f) != 6 || f[0] != "PROXY" {
		return netip.AddrPort{}, errProxyHeader
	}
	from, err := netip.ParseAddr(f[2])
	to, err2 := netip.ParseAddr(f[3])
	source, ok1 := port16(f[4])
	_, ok2 := port16(f[5])
	if err != nil || err2 != nil || !ok1 || !ok2 || from.Zone() != "" ||
		f[1] != map[bool]string{true: "TCP4", false: "TCP6"}[from.Is4()] || from.Is4() != to.Is4() {
		return netip.AddrPort{}, errProxyHeader
	}
	return netip.AddrPortFrom(from, source), nil
}

func port16(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && s == strconv.FormatUint(n, 10)
}

func readProxyV2(r *bufio.Reader) (netip.AddrPort, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, err
	}
	size := int(binary.BigEndian.Uint16(head[14:]))
	if !bytes.Equal(head[:12], proxyV2) || head[12]>>4 != 2 || size > maxProxyV2 {
		return netip.AddrPort{}, errProxyHeader
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, err
	}
	switch head[12] & 15 {
	case 0: // LOCAL
		return netip.AddrPort{}, nil
	case 1: // PROXY
	default:
		return netip.AddrPort{}, errProxyHeader
	}
	switch family := head[13]; {
	case family == 0x11 && size >= 12:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest[:4])), binary.BigEndian.Uint16(rest[8:])), nil
	case family == 0x21 && size >= 36:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest[:16])), binary.BigEndian.Uint16(rest[32:])), nil
	case family == 0x00: // not said
		return netip.AddrPort{}, nil
	}
	return netip.AddrPort{}, errProxyHeader
}

// appendProxyV1 is a header as it is written; the inverse of reading one.
func appendProxyV1(b []byte, from, to netip.AddrPort) []byte {
	family := "TCP6"
	if from.Addr().Is4() {
		family = "TCP4"
	}
	b = append(b, "PROXY "+family+" "+from.Addr().String()+" "+to.Addr().String()+" "...)
	b = strconv.AppendUint(b, uint64(from.Port()), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(to.Port()), 10)
	return append(b, "\r\n"...)
}

// tcpAddr is an address as connections tell it.
func tcpAddr(ap netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(ap) }
