package web

import (
	"net/http"

	"github.com/pandobase/pando"
)

// Request tells who asks in r, as the routes of the API see it.
func (h *Handler) Request(r *http.Request) (*pando.Request, error) {
	c := &call{h: h, r: r}
	if _, err := c.identify(); err != nil {
		return nil, err
	}
	return &c.req, nil
}
