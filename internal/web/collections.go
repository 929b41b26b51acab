package web

import (
	"encoding/json"

	"github.com/pandobase/pando"
)

const (
	messageNewCollection = "Failed to load the collection type data due to invalid formatting."
	messageCollection    = "Failed to load the submitted data due to invalid formatting."
)

func listCollections(c *call) error {
	q, err := c.listQuery()
	if err != nil {
		return err
	}
	return c.known(c.h.cfg.Collections.List(c.r.Context(), q))
}

func createCollection(c *call) error {
	body, err := c.object(messageNewCollection)
	if err != nil {
		return err
	}
	return c.saved(c.h.cfg.Collections.Create(c.r.Context(), body, c.fields()))
}

func viewCollection(c *call) error {
	return c.known(c.h.cfg.Collections.View(c.r.Context(), c.path("c"), c.fields()))
}

func updateCollection(c *call) error {
	body, err := c.object(messageCollection)
	if err != nil {
		return err
	}
	return c.saved(c.h.cfg.Collections.Update(c.r.Context(), c.path("c"), body, c.fields()))
}

func deleteCollection(c *call) error {
	return c.removed(c.h.cfg.Collections.Delete(c.r.Context(), c.path("c")))
}

func truncateCollection(c *call) error {
	return c.removed(c.h.cfg.Collections.Truncate(c.r.Context(), c.path("c")))
}

func importCollections(c *call) error {
	var f struct {
		Collections   []json.RawMessage `json:"collections"`
		DeleteMissing bool              `json:"deleteMissing"`
	}
	if c.hasBody() && !isForm(c.contentType()) {
		return pando.Invalid(messageUnsupported)
	}
	if err := c.decodeForm(&f); err != nil {
		return err
	}
	if len(f.Collections) == 0 {
		return invalidForm("collections", required())
	}
	for _, raw := range f.Collections {
		if raw[0] != '{' {
			return pando.Invalid(messageLoad)
		}
	}
	return c.removed(c.h.cfg.Collections.Import(c.r.Context(), f.Collections, f.DeleteMissing))
}

func scaffolds(c *call) error {
	a, err := c.h.cfg.Collections.Scaffolds(c.r.Context())
	return c.picked(a, err)
}

func dryRunView(c *call) error {
	var f struct {
		Query string `json:"query"`
	}
	if err := c.decodeForm(&f); err != nil {
		return err
	}
	if f.Query == "" {
		return invalidForm("query", required())
	}
	if n := len([]rune(f.Query)); n > 5000 {
		return invalidForm("query", tooLong(5000, 1))
	}
	a, err := c.h.cfg.Collections.DryRunView(c.r.Context(), f.Query)
	return c.picked(a, err)
}

// picked answers with what the fields parameter leaves of an answer whose
// service knows nothing of that parameter.
func (c *call) picked(a pando.Answer, err error) error {
	if err != nil {
		return err
	}
	if fields := c.fields(); fields != "" {
		if a, err = c.h.cfg.PickFields(a, fields); err != nil {
			return err
		}
	}
	return c.answer(a, nil)
}
