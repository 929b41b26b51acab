package doctor_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/doctor"
)

func addrs(texts ...string) (list []netip.Addr) {
	for _, t := range texts {
		list = append(list, netip.MustParseAddr(t))
	}
	return list
}

func TestCheckDomains(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	own := addrs("10.0.0.5", "203.0.113.7", "2001:db8::7")
	inside := addrs("10.0.0.5")
	named := func(own []netip.Addr, to ...string) doctor.Domains {
		return doctor.Domains{Own: own, Names: []doctor.Domain{{Name: "app.example.com", Addresses: addrs(to...)}}, Now: now}
	}
	with := func(d doctor.Domains, change func(*doctor.Domains)) doctor.Domains { change(&d); return d }
	listen := func(p doctor.Port) doctor.Domains { return doctor.Domains{Ports: []doctor.Port{p}} }
	for name, tt := range map[string]struct {
		d          doctor.Domains
		level      doctor.Level
		found, fix string
	}{
		"none":         {doctor.Domains{}, doctor.OK, "", ""},
		"ours":         {named(own, "203.0.113.7", "2001:db8::7"), doctor.OK, "this machine, 203.0.113.7 and 2001:db8::7", ""},
		"no record":    {with(named(own), func(d *doctor.Domains) { d.Names[0].Missing = true }), doctor.Bad, "no address", "app.example.com. A 203.0.113.7, and app.example.com. AAAA 2001:db8::7."},
		"empty record": {named(inside), doctor.Bad, "no address", "A ADDRESS"},
		"unknown":      {with(named(own), func(d *doctor.Domains) { d.Names[0].Err = errors.New("timeout") }), doctor.Warn, "timeout", "resolv.conf"},
		"elsewhere":    {named(own, "198.51.100.1"), doctor.Warn, "no address of this machine", "Else: Set the DNS record app.example.com. A 203.0.113.7"},
		"half":         {named(own, "203.0.113.7", "2001:db8::9"), doctor.Warn, "and to 2001:db8::9 as well", "take those records away"},
		"forwarded":    {named(inside, "198.51.100.1"), doctor.Warn, "private addresses only (10.0.0.5)", "forwarded"},
		"inside":       {named(inside, "10.0.0.5"), doctor.Bad, "cannot reach", "A ADDRESS"},
		"loopback":     {named(own, "127.0.0.1"), doctor.Bad, "cannot reach", "A 203.0.113.7"},
		"shared":       {named(own, "100.64.1.1"), doctor.Bad, "cannot reach", "A 203.0.113.7"},
		"own inside":   {with(named(inside, "10.0.0.5"), func(d *doctor.Domains) { d.Private = true }), doctor.OK, "this machine", ""},
		"own missing":  {with(named(inside), func(d *doctor.Domains) { d.Private = true }), doctor.Bad, "no address", "A 10.0.0.5"},
		"free":         {listen(doctor.Port{Flag: "http", Address: ":80"}), doctor.OK, ":80 can be", ""},
		"denied":       {listen(doctor.Port{Flag: "http", Address: ":80", Denied: true}), doctor.Bad, "may not listen on :80", "CAP_NET_BIND_SERVICE"},
		"taken":        {listen(doctor.Port{Flag: "https", Address: ":443", Taken: true}), doctor.Warn, "in use", "ss -ltnp"},
		"odd":          {listen(doctor.Port{Flag: "https", Address: "1.2.3.4:443", Err: errors.New("no such address")}), doctor.Bad, "no such address", "--https"},
		"holds":        {doctor.Domains{Cert: "c.pem", CertEnds: now.Add(90 * 24 * time.Hour), Now: now}, doctor.OK, "holds until 2026-07-30", ""},
		"ends soon":    {doctor.Domains{Cert: "c.pem", CertEnds: now.Add(24 * time.Hour), Now: now}, doctor.Warn, "ends on 2026-05-02", "Replace"},
		"has ended":    {doctor.Domains{Cert: "c.pem", CertEnds: now, Now: now}, doctor.Bad, "has ended", "Replace"},
		"unusable":     {doctor.Domains{Cert: "c.pem", CertErr: errors.New("no PEM"), Now: now}, doctor.Bad, "no PEM", "PEM files"},
	} {
		t.Run(name, func(t *testing.T) {
			checks := doctor.CheckDomains(tt.d)
			if got := doctor.Worst(checks); got != tt.level {
				t.Errorf("the worst is %s, want %s: %+v", got, tt.level, checks)
			}
			if tt.found == "" {
				if len(checks) > 0 {
					t.Errorf("something is said: %+v", checks)
				}
				return
			}
			if len(checks) != 1 || !strings.Contains(checks[0].Found, tt.found) || !strings.Contains(checks[0].Fix, tt.fix) || (checks[0].Fix == "") != (tt.fix == "") {
				t.Errorf("want %q and %q: %+v", tt.found, tt.fix, checks)
			}
		})
	}
}
