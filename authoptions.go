package pando

import (
	"encoding/json"
	"maps"
	"slices"
)

// AuthOptions is what an auth collection adds to a collection: how its records
// log in, and which tokens they get. In JSON its keys stand at the top level of
// the collection.
type AuthOptions struct {
	AuthRule   *string `json:"authRule"`   // nil: nobody may log in; "": everyone
	ManageRule *string `json:"manageRule"` // who may manage others' records; never ""

	AuthAlert    AuthAlert    `json:"authAlert"`
	OAuth2       OAuth2       `json:"oauth2"`
	PasswordAuth PasswordAuth `json:"passwordAuth"`
	MFA          MFA          `json:"mfa"`
	OTP          OTP          `json:"otp"`

	AuthToken          TokenConfig `json:"authToken"`
	PasswordResetToken TokenConfig `json:"passwordResetToken"`
	EmailChangeToken   TokenConfig `json:"emailChangeToken"`
	VerificationToken  TokenConfig `json:"verificationToken"`
	FileToken          TokenConfig `json:"fileToken"`

	VerificationTemplate       EmailTemplate `json:"verificationTemplate"`
	ResetPasswordTemplate      EmailTemplate `json:"resetPasswordTemplate"`
	ConfirmEmailChangeTemplate EmailTemplate `json:"confirmEmailChangeTemplate"`
}

type (
	// TokenConfig is the life and the secret of one type of token.
	TokenConfig struct {
		Secret   string `json:"secret,omitempty"` // never sent to a client
		Duration int64  `json:"duration"`         // seconds
	}
	// EmailTemplate is a mail with placeholders.
	EmailTemplate struct {
		Subject string `json:"subject"`
		Body    string `json:"body"`
	}
	// AuthAlert mails a user who logged in from a new place.
	AuthAlert struct {
		Enabled       bool          `json:"enabled"`
		EmailTemplate EmailTemplate `json:"emailTemplate"`
	}
	// PasswordAuth is login with one of the identity fields and a password.
	PasswordAuth struct {
		Enabled        bool     `json:"enabled"`
		IdentityFields []string `json:"identityFields"`
	}
	// MFA asks for a second way to log in.
	MFA struct {
		Enabled  bool   `json:"enabled"`
		Duration int64  `json:"duration"` // seconds
		Rule     string `json:"rule"`
	}
	// OTP is login with a mailed one-time password.
	OTP struct {
		Enabled       bool          `json:"enabled"`
		Duration      int64         `json:"duration"` // seconds
		Length        int           `json:"length"`
		EmailTemplate EmailTemplate `json:"emailTemplate"`
	}
	// OAuth2 is login through another service.
	OAuth2 struct {
		Providers    []OAuth2Provider `json:"providers"`
		MappedFields OAuth2Fields     `json:"mappedFields"`
		Enabled      bool             `json:"enabled"`
	}
	// OAuth2Fields names the record fields that a provider's facts go into.
	OAuth2Fields struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		Username  string `json:"username"`
		AvatarURL string `json:"avatarURL"`
	}
	// OAuth2Provider is one configured service.
	OAuth2Provider struct {
		PKCE         *bool          `json:"pkce"`
		Name         string         `json:"name"`
		ClientID     string         `json:"clientId"`
		ClientSecret string         `json:"clientSecret,omitempty"` // never sent to a client
		AuthURL      string         `json:"authURL"`
		TokenURL     string         `json:"tokenURL"`
		UserInfoURL  string         `json:"userInfoURL"`
		DisplayName  string         `json:"displayName"`
		Extra        map[string]any `json:"extra"`
	}
)

// Tokens lists every token configuration of o, for code that treats them alike.
func (o *AuthOptions) Tokens() []*TokenConfig {
	return []*TokenConfig{&o.AuthToken, &o.PasswordResetToken, &o.EmailChangeToken, &o.VerificationToken, &o.FileToken}
}

// Clone is a deep copy.
func (o *AuthOptions) Clone() *AuthOptions {
	p := *o
	for _, r := range []**string{&p.AuthRule, &p.ManageRule} {
		if *r != nil {
			*r = new(**r)
		}
	}
	p.PasswordAuth.IdentityFields = slices.Clone(o.PasswordAuth.IdentityFields)
	p.OAuth2.Providers = slices.Clone(o.OAuth2.Providers)
	for i := range p.OAuth2.Providers {
		v := &p.OAuth2.Providers[i]
		v.Extra = maps.Clone(v.Extra)
		if v.PKCE != nil {
			v.PKCE = new(*v.PKCE)
		}
	}
	return &p
}

// WithoutSecrets is a copy of o that may be shown to a client.
func (o *AuthOptions) WithoutSecrets() *AuthOptions {
	p := o.Clone()
	for _, t := range p.Tokens() {
		t.Secret = ""
	}
	if p.OAuth2.Providers == nil {
		p.OAuth2.Providers = []OAuth2Provider{}
	}
	if p.PasswordAuth.IdentityFields == nil {
		p.PasswordAuth.IdentityFields = []string{}
	}
	for i := range p.OAuth2.Providers {
		p.OAuth2.Providers[i].ClientSecret = ""
	}
	return p
}

// merge reads the keys of data into o; what data leaves out stays. A list of
// providers replaces the old one, but one that comes without its clientSecret
// keeps the secret of the old one of the same name: clients never see it and so
// cannot send it back.
func (o *AuthOptions) merge(data []byte) error {
	providers, identity := o.OAuth2.Providers, o.PasswordAuth.IdentityFields
	o.OAuth2.Providers, o.PasswordAuth.IdentityFields = nil, nil // or the elements would be merged by position
	var sent struct {
		OAuth2       struct{ Providers json.RawMessage }
		PasswordAuth struct{ IdentityFields json.RawMessage }
	}
	if err := json.Unmarshal(data, &sent); err != nil {
		return err
	}
	if err := json.Unmarshal(data, o); err != nil {
		return err
	}
	if sent.PasswordAuth.IdentityFields == nil {
		o.PasswordAuth.IdentityFields = identity
	}
	if sent.OAuth2.Providers == nil {
		o.OAuth2.Providers = providers
		return nil
	}
	for i := range o.OAuth2.Providers {
		p := &o.OAuth2.Providers[i]
		for _, old := range providers {
			if p.ClientSecret == "" && old.Name == p.Name {
				p.ClientSecret = old.ClientSecret
			}
		}
	}
	return nil
}
