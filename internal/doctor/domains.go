package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Domains is what is known of the names that are served by HTTPS.
type Domains struct {
	Names []Domain
	Own   []netip.Addr // of this machine, but for loopback
	Ports []Port

	Private bool // certificates are the user's own, or of an authority that is not the internet's

	Cert     string // file of the user's own certificate; "": they come by themselves
	CertErr  error  // why it cannot be used
	CertEnds time.Time
	Now      time.Time
}

// Domain is what DNS says of a name.
type Domain struct {
	Name      string
	Addresses []netip.Addr
	Missing   bool  // DNS says that there is no such name
	Err       error // why it is not known
}

// Port is an address to listen on.
type Port struct {
	Flag, Address string
	Taken, Denied bool
	Err           error // another cause
}

// soonEnds is when a certificate of one's own should have been replaced.
const soonEnds = 14 * 24 * time.Hour

// CheckDomains judges them; nothing is said where there are none.
func CheckDomains(d Domains) (checks []Check) {
	for _, n := range d.Names {
		l := &list{about: "domain " + n.Name}
		d.name(l, n)
		checks = append(checks, l.checks...)
	}
	if len(d.Ports) > 0 {
		l := &list{about: "public address"}
		for _, p := range d.Ports {
			port(l, p)
		}
		checks = append(checks, l.checks...)
	}
	if d.Cert != "" {
		l := &list{about: "certificate"}
		d.certificate(l)
		checks = append(checks, l.checks...)
	}
	return checks
}

func (d Domains) name(l *list, n Domain) {
	switch {
	case n.Missing || n.Err == nil && len(n.Addresses) == 0:
		l.bad(d.records(n.Name), "DNS has no address for it.")
		return
	case n.Err != nil:
		l.warn("Try again; check this machine's /etc/resolv.conf if it stays so.", "It cannot be looked up: %v.", n.Err)
		return
	}
	var ours, others, inside []string
	for _, a := range n.Addresses {
		switch {
		case slices.Contains(d.Own, a):
			ours = append(ours, a.String())
		default:
			others = append(others, a.String())
		}
		if !d.Private && !public(a) {
			inside = append(inside, a.String())
		}
	}
	switch {
	case len(inside) > 0:
		l.bad(d.records(n.Name), "It leads to %s, which the internet cannot reach: neither can the authority that is to give a certificate.", strings.Join(inside, " and "))
	case len(others) == 0:
		l.ok("It leads to this machine, %s.", strings.Join(ours, " and "))
	case len(ours) > 0:
		l.warn("Right if that is another server or load balancer of the same cluster. Else take those records away: clients and the authority use any of them.",
			"It leads to this machine, %s, and to %s as well.", strings.Join(ours, " and "), strings.Join(others, " and "))
	case !slices.ContainsFunc(d.Own, public):
		l.warn("Right if that address is forwarded to this machine, ports 80 and 443. Else: "+d.records(n.Name),
			"It leads to %s; this machine has private addresses only (%s), so that cannot be seen from here.", strings.Join(others, " and "), join(d.Own))
	default:
		l.warn("Right if that is a load balancer of the cluster, or an address that is forwarded to this machine. Else: "+d.records(n.Name),
			"It leads to %s, which is no address of this machine.", strings.Join(others, " and "))
	}
}

// records are the DNS records to set.
func (d Domains) records(name string) string {
	var lines []string
	for _, a := range d.Own {
		if public(a) || d.Private && a.Is4() {
			kind := "AAAA"
			if a.Is4() {
				kind = "A"
			}
			lines = append(lines, fmt.Sprintf("%s. %s %s", name, kind, a))
		}
	}
	if len(lines) == 0 {
		return fmt.Sprintf("Set the DNS record %s. A ADDRESS, with the address at which the internet reaches this machine (it has private ones only itself).", name)
	}
	return "Set the DNS record " + strings.Join(lines, ", and ") + "."
}

// public tells whether an address can be one of the internet's.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// shared is what providers use between themselves and their customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

func join(list []netip.Addr) string {
	if len(list) == 0 {
		return "none"
	}
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

func port(l *list, p Port) {
	switch {
	case p.Denied:
		l.bad("Give the right: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit (deploy/systemd has it), or setcap cap_net_bind_service=+ep on the binary. Or choose another address with --"+p.Flag+".",
			"This user may not listen on %s.", p.Address)
	case p.Taken:
		l.warn("Right if this server is running; else `ss -ltnp` shows which program has it.", "The address %s is in use.", p.Address)
	case p.Err != nil:
		l.bad("Choose another address with --"+p.Flag+" HOST:PORT.", "%s cannot be listened on: %v.", p.Address, p.Err)
	default:
		l.ok("%s can be listened on.", p.Address)
	}
}

func (d Domains) certificate(l *list) {
	left := d.CertEnds.Sub(d.Now)
	switch {
	case d.CertErr != nil:
		l.bad("Give the certificate with its chain, and its key, for all domains named, as PEM files.", "%s cannot be used: %v.", d.Cert, d.CertErr)
	case left <= 0:
		l.bad("Replace it: a running server takes the new one by itself.", "%s has ended on %s.", d.Cert, d.CertEnds.Format(time.DateOnly))
	case left < soonEnds:
		l.warn("Replace it: a running server takes the new one by itself.", "%s ends on %s.", d.Cert, d.CertEnds.Format(time.DateOnly))
	default:
		l.ok("%s holds until %s.", d.Cert, d.CertEnds.Format(time.DateOnly))
	}
}
