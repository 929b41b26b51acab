package web

import (
	"context"
	_ "embed"
	"html/template"
	"net/http"

	"github.com/pandobase/pando"
)

// Installer makes the first superuser of a new server.
type Installer interface {
	// CheckInstallToken fails if Install would not take the token.
	CheckInstallToken(ctx context.Context, token string) error
	// Install makes the superuser and uses the token up, both or neither. It
	// fails if the token is wrong or used, if there is a superuser
	// (KindForbidden), or if a value does not do (KindInvalid with Data).
	Install(ctx context.Context, token, email, password string) error
}

//go:embed install.html
var installHTML string

//go:embed dashboard.html
var dashboardHTML string

var (
	installPage   = template.Must(template.New("install").Parse(installHTML))
	dashboardPage = template.Must(template.New("dashboard").Parse(dashboardHTML))
)

// installData fills the install page.
type installData struct {
	Valid  bool // the link can be used
	Done   bool
	Email  string
	Error  string
	Fields map[string]string // field → what is wrong with it
}

func dashboard(c *call) error {
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead || c.r.URL.Path != "/_/" {
		return notFound(c)
	}
	return c.page(http.StatusOK, dashboardPage, c.h.cfg.Version)
}

func installForm(c *call) error {
	if c.h.cfg.Installer == nil {
		return notFound(c)
	}
	err := c.h.cfg.Installer.CheckInstallToken(c.r.Context(), c.path("token"))
	if body := describe(err); err != nil && body.Status >= 500 {
		return err
	} else if err != nil {
		return c.page(body.Status, installPage, installData{Error: body.Message})
	}
	return c.page(http.StatusOK, installPage, installData{Valid: true})
}

// maxInstallForm is far above what an address and two passwords need.
const maxInstallForm = 16 << 10

func install(c *call) error {
	if c.h.cfg.Installer == nil {
		return notFound(c)
	}
	if err := http.NewCrossOriginProtection().Check(c.r); err != nil {
		return &pando.Error{Kind: pando.KindForbidden, Message: "The form must be sent from its own page.", Err: err}
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxInstallForm)
	if err := c.r.ParseForm(); err != nil {
		return bodyError(messageLoad, err)
	}
	email, password := c.r.PostForm.Get("email"), c.r.PostForm.Get("password")
	data := installData{Valid: true, Email: email, Fields: map[string]string{}}
	if password != c.r.PostForm.Get("passwordConfirm") {
		data.Fields["passwordConfirm"] = "The two passwords differ."
		return c.page(http.StatusBadRequest, installPage, data)
	}
	err := c.h.cfg.Installer.Install(c.r.Context(), c.path("token"), email, password)
	if err == nil {
		c.h.log.Info("first superuser created")
		return c.page(http.StatusOK, installPage, installData{Done: true})
	}
	body := describe(err)
	if body.Status >= 500 {
		return err
	}
	if body.Status != http.StatusBadRequest {
		data = installData{} // the link itself is no good
	}
	data.Error = body.Message
	if e := asError(err); len(e.Data) > 0 {
		for field, what := range e.Data {
			if fe, ok := what.(*pando.FieldError); ok {
				data.Fields[field] = sentence(fe.Message)
			}
		}
	}
	return c.page(body.Status, installPage, data)
}

// page answers with HTML that may do nothing but show itself and post to here.
func (c *call) page(status int, t *template.Template, data any) error {
	c.markAge()
	header := c.w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer") // the link is a secret
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	c.status, c.wrote = status, true
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodHead {
		return nil
	}
	return t.Execute(c.w, data)
}
