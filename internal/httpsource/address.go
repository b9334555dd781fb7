package httpsource

import (
	"fmt"
	"net/netip"
)

// privateError is an address that no source may have.
type privateError struct{ address netip.Addr }

func (e *privateError) Error() string { return fmt.Sprintf("the address %v is not public", e.address) }

// checkPublic refuses addresses that are not of the public Internet, so that a
// URL cannot make a program read what only its own network can reach.
func checkPublic(address string) error {
	dialed, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := dialed.Addr().Unmap().WithZone("") // no network contains an address with a zone
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return &privateError{ip}
	}
	for _, special := range specialNetworks {
		if special.Contains(ip) {
			return &privateError{ip}
		}
	}
	return nil
}

// specialNetworks are the global unicast addresses that lead to no public host
// or, in IPv6, into IPv4 by a way that hides the address.
var specialNetworks = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("2001:2::/48"),
	netip.MustParsePrefix("2001:10::/28"), netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"),
	netip.MustParsePrefix("::ffff:0:0:0/96"),
}
