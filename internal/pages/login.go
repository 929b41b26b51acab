package pages

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/pandobase/pando"
)

// The actions of forms. A login form posts collection (default users),
// identity, password and next, the path to go on to.
const (
	loginPath  = "/-/login"
	logoutPath = "/-/logout"

	cookieName  = "pando_session"
	maxFormSize = 16 << 10 // bytes
)

// visitor is the record that the session's cookie stands for; nil is a guest.
// Only pages look at the cookie, never the API: a form on another site can make
// a browser send it along.
func (p *Pages) visitor(ctx context.Context, r *http.Request) (*pando.Record, error) {
	c, err := r.Cookie(cookieName)
	if err != nil || c.Value == "" {
		return nil, nil
	}
	user, err := p.o.Auth.Identify(ctx, c.Value)
	if err != nil || user == nil {
		return nil, err
	}
	if p.o.CheckIP != nil && p.o.CheckIP(user, p.realIP(r)) != nil {
		return nil, nil
	}
	return user, nil
}

// shown is what a page sees of its visitor, in the form that records have in
// lists: no hidden field, no password.
func shown(user *pando.Record) (map[string]any, error) {
	if user == nil {
		return nil, nil
	}
	out := map[string]any{"collectionId": user.Collection.ID, "collectionName": user.Collection.Name}
	for i, f := range user.Collection.Fields {
		if !f.Hidden && f.Type != pando.FieldPassword && f.Name != "tokenKey" {
			out[f.Name] = user.Values[i]
		}
	}
	b, err := json.Marshal(out)
	return decode(b, err)
}

func (p *Pages) login(w http.ResponseWriter, r *http.Request) {
	if !p.formAllowed(w, r) {
		return
	}
	collection := r.PostForm.Get("collection")
	if collection == "" {
		collection = "users"
	}
	if p.o.LimitLogin != nil {
		if err := p.o.LimitLogin(r, collection); err != nil {
			p.loginFailed(w, r, err)
			return
		}
	}
	v := &visit{ctx: r.Context(), pages: p, r: r}
	req := v.request().With("password")
	req.Method = http.MethodPost
	answer, err := p.o.Auth.WithPassword(r.Context(), req, collection, pando.PasswordLogin{
		Identity: r.PostForm.Get("identity"),
		Password: r.PostForm.Get("password"),
	}, pando.Projection{})
	if err != nil {
		p.loginFailed(w, r, err)
		return
	}
	var body struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(answer, &body); err != nil {
		p.loginFailed(w, r, err)
		return
	}
	setCookie(w, r, body.Token)
	http.Redirect(w, r, next(r), http.StatusSeeOther)
}

// loginFailed sends the visitor back to the form, which can look at
// {{query "login"}}: failed if the password was wrong or the login is not
// allowed, busy if it could not be checked.
func (p *Pages) loginFailed(w http.ResponseWriter, r *http.Request, err error) {
	code := "failed"
	switch pando.KindOf(err) {
	case pando.KindTooMany, pando.KindUnavailable:
		code = "busy"
	case pando.KindInternal:
		code = "busy"
		p.o.Log.Error("login by form", "error", err)
	}
	back := "/"
	if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host && from.Path != "" {
		q := from.Query()
		q.Set("login", code)
		back = from.Path + "?" + q.Encode()
	}
	http.Redirect(w, r, local(back), http.StatusSeeOther)
}

func (p *Pages) logout(w http.ResponseWriter, r *http.Request) {
	if !p.formAllowed(w, r) {
		return
	}
	setCookie(w, r, "")
	http.Redirect(w, r, next(r), http.StatusSeeOther)
}

// formAllowed parses a posted form if it came from a page of this site.
func (p *Pages) formAllowed(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		p.notFound(w, r)
		return false
	}
	if !sameOrigin(r) {
		http.Error(w, "This form came from another site.", http.StatusForbidden)
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFormSize)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "This form cannot be read.", http.StatusBadRequest)
		return false
	}
	return true
}

// sameOrigin: browsers name the origin of every POST. A request without Origin
// must say by Sec-Fetch-Site that it stays on this site.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// setCookie keeps token in the browser; an empty one ends the session.
func setCookie(w http.ResponseWriter, r *http.Request, token string) {
	c := &http.Cookie{
		Name: cookieName, Value: token, Path: "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		// A proxy in front may have ended TLS; the browser says what it sees.
		Secure: r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://"),
	}
	if token == "" {
		c.MaxAge = -1
	}
	w.Header().Set("Cache-Control", "no-store")
	http.SetCookie(w, c)
}

func next(r *http.Request) string { return local(r.PostForm.Get("next")) }

// local makes sure that a redirect stays on this site.
func local(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}
