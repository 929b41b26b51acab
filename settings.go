package pando

import "net/netip"

// Settings is what superusers set for the whole application, in the shape of
// GET /api/settings. A Settings that came out of a catalog is shared and must
// not be changed.
type Settings struct {
	SMTP         SMTPSettings         `json:"smtp"`
	Backups      BackupsSettings      `json:"backups"`
	S3           S3Settings           `json:"s3"`
	Meta         MetaSettings         `json:"meta"`
	RateLimits   RateLimitSettings    `json:"rateLimits"`
	TrustedProxy TrustedProxySettings `json:"trustedProxy"`
	Batch        BatchSettings        `json:"batch"`
	Logs         LogsSettings         `json:"logs"`
	// SuperuserIPs lists addresses and networks that superuser tokens are
	// accepted from; empty means everywhere.
	SuperuserIPs []string `json:"superuserIPs,omitempty"`
}

type (
	// SMTPSettings is the mail server that messages are sent through.
	SMTPSettings struct {
		Enabled    bool   `json:"enabled"`
		Port       int    `json:"port"`
		Host       string `json:"host"`
		Username   string `json:"username"`
		Password   string `json:"password,omitempty"` // never sent to a client
		AuthMethod string `json:"authMethod"`
		TLS        bool   `json:"tls"`
		LocalName  string `json:"localName"`
	}
	// BackupsSettings says when backups are made and where they go.
	BackupsSettings struct {
		Cron        string     `json:"cron"`
		CronMaxKeep int        `json:"cronMaxKeep"`
		S3          S3Settings `json:"s3"`
	}
	// S3Settings is an object store for files or backups.
	S3Settings struct {
		Enabled        bool   `json:"enabled"`
		Bucket         string `json:"bucket"`
		Region         string `json:"region"`
		Endpoint       string `json:"endpoint"`
		AccessKey      string `json:"accessKey"`
		Secret         string `json:"secret,omitempty"` // never sent to a client
		ForcePathStyle bool   `json:"forcePathStyle"`
	}
	// MetaSettings is what the application is called, for people.
	MetaSettings struct {
		AppName       string `json:"appName"`
		AppURL        string `json:"appURL"`
		SenderName    string `json:"senderName"`
		SenderAddress string `json:"senderAddress"`
		HideControls  bool   `json:"hideControls"`
		AccentColor   string `json:"accentColor,omitempty"`
	}
	// RateLimitSettings bounds how often a client may ask.
	RateLimitSettings struct {
		Rules       []RateLimitRule `json:"rules"`
		ExcludedIPs []string        `json:"excludedIPs,omitempty"`
		Enabled     bool            `json:"enabled"`
	}
	// RateLimitRule lets each client of an audience ask MaxRequests times within
	// Duration for what Label names: a path, or a tag such as *:list.
	RateLimitRule struct {
		Label       string `json:"label"`
		Audience    string `json:"audience"`
		Duration    int64  `json:"duration"` // seconds
		MaxRequests int    `json:"maxRequests"`
	}
	// TrustedProxySettings names the headers in which a proxy in front tells the
	// address of the client.
	TrustedProxySettings struct {
		Headers       []string `json:"headers"`
		UseLeftmostIP bool     `json:"useLeftmostIP"`
	}
	// BatchSettings bounds a batch of writes.
	BatchSettings struct {
		Enabled     bool  `json:"enabled"`
		MaxRequests int   `json:"maxRequests"`
		Timeout     int64 `json:"timeout"`     // seconds; 0 means 3
		MaxBodySize int64 `json:"maxBodySize"` // bytes; 0 means 128 MB
	}
	// LogsSettings says what is logged and for how long.
	LogsSettings struct {
		MaxDays   int  `json:"maxDays"`
		MinLevel  int  `json:"minLevel"`
		LogIP     bool `json:"logIP"`
		LogAuthID bool `json:"logAuthId"`
	}
)

// TakesSuperuserFrom tells whether somebody at an address may be a superuser.
func (s *Settings) TakesSuperuserFrom(ip string) bool {
	return len(s.SuperuserIPs) == 0 || inNetworks(s.SuperuserIPs, ip)
}

// Excludes tells whether the limits do not count for an address.
func (s *RateLimitSettings) Excludes(ip string) bool { return inNetworks(s.ExcludedIPs, ip) }

// inNetworks tells whether ip is one of the addresses, or in one of the
// networks, of a list. What is no address is in none.
func inNetworks(list []string, ip string) bool {
	if len(list) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	for _, entry := range list {
		if one, err := netip.ParseAddr(entry); err == nil && one.Unmap() == addr {
			return true
		}
		if network, err := netip.ParsePrefix(entry); err == nil && network.Contains(addr) {
			return true
		}
	}
	return false
}

// DefaultSettings is what a new data directory starts with.
func DefaultSettings() *Settings {
	return &Settings{
		SMTP:    SMTPSettings{Port: 587, Host: "smtp.example.com"},
		Backups: BackupsSettings{CronMaxKeep: 3},
		Meta: MetaSettings{
			AppName: "Acme", AppURL: "http://localhost:8090",
			SenderName: "Support", SenderAddress: "support@example.com",
		},
		RateLimits: RateLimitSettings{Rules: []RateLimitRule{
			{Label: "*:auth", Duration: 3, MaxRequests: 2},
			{Label: "*:create", Duration: 5, MaxRequests: 20},
			{Label: "/api/batch", Duration: 1, MaxRequests: 3},
			{Label: "/api/", Duration: 10, MaxRequests: 300},
		}},
		TrustedProxy: TrustedProxySettings{Headers: []string{}},
		Batch:        BatchSettings{MaxRequests: 50, Timeout: 3},
		Logs:         LogsSettings{MaxDays: 5, LogIP: true},
	}
}
