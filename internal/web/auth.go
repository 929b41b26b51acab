package web

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pandobase/pando"
)

func authMethods(c *call) error {
	return c.known(c.h.cfg.Auth.Methods(c.r.Context(), c.path("c"), c.fields()))
}

func authWithPassword(c *call) error {
	var login pando.PasswordLogin
	if def := c.h.cfg.Collection(c.path("c")); def != nil && def.IsAuth() {
		if c.hasBody() && !isForm(c.contentType()) {
			return pando.Invalid(messageUnsupported)
		}
		if err := c.decodeForm(&login); err != nil {
			return err
		}
	} // else the service says what is missing
	return c.answer(c.h.cfg.Auth.WithPassword(c.r.Context(), &c.req, c.path("c"), login, c.projection()))
}

func authRefresh(c *call) error {
	def := c.h.cfg.Collection(c.path("c"))
	if def == nil { // even a guest is told so
		return unknownCollection()
	}
	if c.req.Auth != nil && c.req.Auth.Collection.ID == def.ID && c.hasBody() {
		in, err := c.submission() // rules may look at it
		if err != nil {
			return err
		}
		c.req.Body = in.Body
	}
	return c.answer(c.h.cfg.Auth.Refresh(c.r.Context(), &c.req, c.path("c"), c.token, c.projection()))
}

func impersonate(c *call) error {
	var f struct {
		Duration int64 `json:"duration"` // seconds
	}
	if err := c.decodeForm(&f); err != nil {
		return err
	}
	if f.Duration < 0 || f.Duration > int64(maxDuration/time.Second) {
		return invalidForm("duration", &pando.FieldError{
			Code:    "validation_min_greater_equal_than_required",
			Message: "Must be no less than 0.",
			Params:  map[string]any{"threshold": 0},
		})
	}
	d := time.Duration(f.Duration) * time.Second
	return c.answer(c.h.cfg.Auth.Impersonate(c.r.Context(), &c.req, c.path("c"), c.path("id"), d, c.projection()))
}

const maxDuration = time.Duration(1<<63 - 1)

func fileToken(c *call) error {
	token, err := c.h.cfg.Auth.FileToken(c.r.Context(), &c.req)
	if err != nil {
		return err
	}
	b, err := json.Marshal(map[string]string{"token": token})
	if err != nil {
		return fmt.Errorf("encode token: %w", err)
	}
	return c.picked(append(b, '\n'), nil)
}
