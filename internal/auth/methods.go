package auth

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/wire"
)

// methods is the answer to auth-methods. The last three keys are what clients
// of before 0.23 read.
type methods struct {
	Password struct {
		IdentityFields []string `json:"identityFields"`
		Enabled        bool     `json:"enabled"`
	} `json:"password"`
	OAuth2 struct {
		Providers []struct{} `json:"providers"` // none until OAuth2 is there
		Enabled   bool       `json:"enabled"`
	} `json:"oauth2"`
	MFA              methodTime `json:"mfa"`
	OTP              methodTime `json:"otp"`
	AuthProviders    []struct{} `json:"authProviders"`
	UsernamePassword bool       `json:"usernamePassword"`
	EmailPassword    bool       `json:"emailPassword"`
}

type methodTime struct {
	Enabled  bool  `json:"enabled"`
	Duration int64 `json:"duration"` // seconds; 0 if off
}

// Methods says how one can log in to a collection.
func (a *Auth) Methods(_ context.Context, collection, fields string) (pando.Answer, error) {
	c, err := authCollection(a.store.Catalog(), collection)
	if err != nil {
		return nil, err
	}
	var m methods
	m.Password.IdentityFields = []string{}
	if o := c.Auth.PasswordAuth; o.Enabled {
		m.Password.Enabled = true
		m.Password.IdentityFields = append(m.Password.IdentityFields, o.IdentityFields...)
		m.EmailPassword = slices.Contains(o.IdentityFields, "email")
		m.UsernamePassword = slices.Contains(o.IdentityFields, "username")
	}
	m.OAuth2.Providers = []struct{}{}
	if o := c.Auth.MFA; o.Enabled {
		m.MFA = methodTime{true, o.Duration}
	}
	if o := c.Auth.OTP; o.Enabled {
		m.OTP = methodTime{true, o.Duration}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return wire.Pick(body, fields)
}
