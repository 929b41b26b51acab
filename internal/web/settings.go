package web

import (
	"encoding/json"
)

func viewSettings(c *call) error {
	return c.known(c.h.cfg.Settings.View(c.r.Context(), c.fields()))
}

func updateSettings(c *call) error {
	body, err := c.object(messageLoad)
	if err != nil {
		return err
	}
	return c.saved(c.h.cfg.Settings.Update(c.r.Context(), body, c.fields()))
}

// health is the answer of an API that is up; superusers learn how the server
// sees them.
func health(c *call) error {
	type facts struct {
		CanBackup   bool   `json:"canBackup"`
		ProxyHeader string `json:"possibleProxyHeader"`
		RealIP      string `json:"realIP"`
	}
	var data any = struct{}{}
	if c.req.IsSuperuser() {
		trusted := &c.h.cfg.Settings.Current().TrustedProxy
		data = facts{ProxyHeader: proxyHeader(c.r, trusted), RealIP: c.req.RealIP, CanBackup: true}
	}
	b, err := json.Marshal(struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
		Data    any    `json:"data"`
	}{"API is healthy.", 200, data})
	return c.picked(append(b, '\n'), err)
}
