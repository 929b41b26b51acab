package web

import (
	"math"

	"github.com/pandobase/pando"
)

// Sizes that fields allow when they do not say, in bytes.
const (
	defaultFileSize   = 5 * megabyte
	defaultEditorSize = 5 * megabyte
	defaultJSONSize   = megabyte
)

// recordLimit is how long a body may be that writes a record: the usual limit
// and what its fields may hold beyond it.
func recordLimit(c *call) int64 {
	limit := int64(defaultBodyLimit)
	def := c.h.cfg.Collection(c.path("c"))
	if def == nil {
		return limit
	}
	for _, f := range def.Fields {
		var size, count int64 = 0, 1
		switch o := f.Options.(type) {
		case *pando.FileOptions:
			size, count = orDefault(o.MaxSize, defaultFileSize), max(int64(o.MaxSelect), 1)
		case *pando.EditorOptions:
			size = orDefault(o.MaxSize, defaultEditorSize)
		case *pando.JSONOptions:
			size = orDefault(o.MaxSize, defaultJSONSize)
		}
		if size > (math.MaxInt64-limit)/count {
			return math.MaxInt64
		}
		limit += size * count
	}
	return limit
}

func orDefault(n, def int64) int64 {
	if n <= 0 {
		return def
	}
	return n
}

func listRecords(c *call) error {
	q, err := c.listQuery()
	if err != nil {
		if def := c.h.cfg.Collection(c.path("c")); def == nil || def.ListRule == nil && !c.req.IsSuperuser() {
			// That there is nothing to list weighs more, and is the service's to say.
			if _, refused := c.h.cfg.Records.List(c.r.Context(), &c.req, c.path("c"), pando.ListQuery{}); refused != nil {
				return refused
			}
		}
		return err
	}
	if err := c.bodyForRules(); err != nil {
		return err
	}
	return c.answer(c.h.cfg.Records.List(c.r.Context(), &c.req, c.path("c"), q))
}

func viewRecord(c *call) error {
	if err := c.bodyForRules(); err != nil {
		return err
	}
	return c.answer(c.h.cfg.Records.View(c.r.Context(), &c.req, c.path("c"), c.path("id"), c.projection()))
}

func createRecord(c *call) error {
	in, err := c.recordInput()
	if err != nil {
		return err
	}
	return c.saved(c.h.cfg.Records.Create(c.r.Context(), &c.req, c.path("c"), in, c.projection()))
}

func updateRecord(c *call) error {
	in, err := c.recordInput()
	if err != nil {
		return err
	}
	return c.saved(c.h.cfg.Records.Update(c.r.Context(), &c.req, c.path("c"), c.path("id"), in, c.projection()))
}

func deleteRecord(c *call) error {
	if err := c.bodyForRules(); err != nil {
		return err
	}
	return c.removed(c.h.cfg.Records.Delete(c.r.Context(), &c.req, c.path("c"), c.path("id")))
}

// recordInput reads what is to be written. Where nothing can be, the body is left unread,
// and it is said here: the service may know a newer collection, and take it for empty.
func (c *call) recordInput() (pando.Input, error) {
	def := c.h.cfg.Collection(c.path("c"))
	if def == nil {
		return pando.Input{}, unknownCollection()
	}
	if def.IsView() {
		return pando.Input{}, pando.Invalid("Unsupported collection type.")
	}
	in, err := c.submission()
	c.req.Body = in.Body
	return in, err
}

func unknownCollection() error {
	return &pando.Error{Kind: pando.KindNotFound, Message: "Missing or invalid collection context."}
}

// bodyForRules reads the body of a call that writes nothing: rules may look at
// it all the same. Where there is no such collection it is left unread: the service
// says so.
func (c *call) bodyForRules() error {
	if !c.hasBody() {
		return nil
	}
	if def := c.h.cfg.Collection(c.path("c")); def == nil || def.IsView() {
		return nil
	}
	_, err := c.recordInput()
	return err
}
