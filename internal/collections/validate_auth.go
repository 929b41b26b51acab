package collections

import (
	"fmt"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/indexdef"
)

// auth checks the options of an auth collection.
func (v *validator) auth() {
	o := v.c.Auth
	v.authRules(o)
	v.passwordAuth(o)
	v.oauth2(o)
	v.otp(o)
	v.mfa(o)

	alert := pando.FieldErrors{}
	field.PutNested(alert, "emailTemplate", mail(o.AuthAlert.EmailTemplate))
	field.PutNested(v.errs, "authAlert", alert)
	for key, t := range map[string]pando.EmailTemplate{
		"verificationTemplate": o.VerificationTemplate, "resetPasswordTemplate": o.ResetPasswordTemplate,
		"confirmEmailChangeTemplate": o.ConfirmEmailChangeTemplate,
	} {
		field.PutNested(v.errs, key, mail(t))
	}
	for key, t := range map[string]pando.TokenConfig{
		"authToken": o.AuthToken, "passwordResetToken": o.PasswordResetToken, "emailChangeToken": o.EmailChangeToken,
		"verificationToken": o.VerificationToken, "fileToken": o.FileToken,
	} {
		field.PutNested(v.errs, key, tokenConfig(t))
	}
}

func (v *validator) authRules(o *pando.AuthOptions) {
	authRule := func(c *pando.Collection) *string { return c.Auth.AuthRule }
	manageRule := func(c *pando.Collection) *string { return c.Auth.ManageRule }
	if v.old != nil && v.old.Auth != nil {
		v.systemRule("authRule", authRule)
		v.systemRule("manageRule", manageRule)
	}
	field.Put(v.errs, "authRule", v.compile(o.AuthRule))
	if o.ManageRule != nil && *o.ManageRule == "" {
		field.Put(v.errs, "manageRule", &pando.FieldError{
			Code: "validation_nil_or_not_empty_required", Message: "Cannot be blank.",
		})
	}
	field.Put(v.errs, "manageRule", v.compile(o.ManageRule))
}

// passwordAuth checks the fields that people log in with: each must name one
// record.
func (v *validator) passwordAuth(o *pando.AuthOptions) {
	if !o.PasswordAuth.Enabled {
		return
	}
	var err *pando.FieldError
	if len(o.PasswordAuth.IdentityFields) == 0 {
		err = field.Blank()
	}
	for _, name := range o.PasswordAuth.IdentityFields {
		if err != nil {
			break
		}
		params := map[string]any{"fieldName": name}
		switch {
		case v.c.Field(name) == nil:
			err = &pando.FieldError{
				Code: "validation_missing_field", Message: fmt.Sprintf("Invalid or missing field %s.", name), Params: params,
			}
		case !v.uniqueOn(name):
			err = &pando.FieldError{
				Code: "validation_missing_unique_constraint", Message: fmt.Sprintf("The field %s doesn't have a UNIQUE constraint.", name), Params: params,
			}
		}
	}
	if err != nil {
		v.errs["passwordAuth"] = pando.FieldErrors{"identityFields": err}
	}
}

func (v *validator) uniqueOn(name string) bool {
	return slices.ContainsFunc(v.c.Indexes, func(text string) bool {
		d, err := indexdef.Parse(text)
		return err == nil && d.UniqueOn(name)
	})
}

// providers are the names of the services that OAuth2 knows.
var providers = []string{
	"apple", "bitbucket", "box", "discord", "facebook", "gitea", "gitee", "github", "gitlab", "google", "instagram2",
	"kakao", "lark", "linear", "livechat", "mailcow", "microsoft", "monday", "notion", "oidc", "oidc2", "oidc3", "patreon",
	"planningcenter", "spotify", "strava", "trakt", "twitch", "twitter", "vk", "wakatime", "yandex",
}

func (v *validator) oauth2(o *pando.AuthOptions) {
	if !o.OAuth2.Enabled {
		return
	}
	all, seen := pando.FieldErrors{}, map[string]bool{}
	for i, p := range o.OAuth2.Providers {
		errs := pando.FieldErrors{}
		params := map[string]any{"name": p.Name}
		switch {
		case p.Name == "":
			errs["name"] = field.Blank()
		case seen[p.Name]:
			errs["name"] = &pando.FieldError{
				Code: "validation_duplicated_provider", Message: fmt.Sprintf("The provider %s is already registered.", p.Name), Params: params,
			}
		case !slices.Contains(providers, p.Name):
			errs["name"] = &pando.FieldError{
				Code: "validation_missing_provider", Message: fmt.Sprintf("Invalid or missing provider with name %s.", p.Name), Params: params,
			}
		}
		seen[p.Name] = true
		for key, text := range map[string]string{"clientId": p.ClientID, "clientSecret": p.ClientSecret} {
			if text == "" {
				errs[key] = field.Blank()
			}
		}
		field.Put(errs, "authURL", field.URL(p.AuthURL))
		field.Put(errs, "tokenURL", field.URL(p.TokenURL))
		field.Put(errs, "userInfoURL", field.URL(p.UserInfoURL))
		field.PutNested(all, fmt.Sprint(i), errs)
	}
	if len(all) > 0 {
		v.errs["oauth2"] = pando.FieldErrors{"providers": all}
	}
}

func (v *validator) otp(o *pando.AuthOptions) {
	errs := pando.FieldErrors{}
	if o.OTP.Enabled {
		field.Put(errs, "duration", seconds(o.OTP.Duration, daySeconds))
		if o.OTP.Length == 0 {
			errs["length"] = field.Blank()
		}
		field.Put(errs, "length", field.AtLeast(o.OTP.Length, 4))
	}
	field.PutNested(errs, "emailTemplate", mail(o.OTP.EmailTemplate))
	field.PutNested(v.errs, "otp", errs)
}

// mfa checks that there are two ways to log in, or nobody could.
func (v *validator) mfa(o *pando.AuthOptions) {
	if !o.MFA.Enabled {
		return
	}
	errs := pando.FieldErrors{}
	ways := 0
	for _, enabled := range []bool{o.PasswordAuth.Enabled, o.OAuth2.Enabled, o.OTP.Enabled} {
		if enabled {
			ways++
		}
	}
	if ways < 2 {
		errs["enabled"] = &pando.FieldError{
			Code: "validation_mfa_not_enough_auths", Message: "MFA requires at least 2 auth methods to be enabled.",
		}
	}
	field.Put(errs, "duration", seconds(o.MFA.Duration, daySeconds))
	if len(errs) == 0 {
		field.Put(errs, "rule", v.compile(&o.MFA.Rule))
	}
	field.PutNested(v.errs, "mfa", errs)
}

const (
	daySeconds  = 24 * 60 * 60
	longestLife = 94670856 // three years
)

// seconds checks a duration.
func seconds(n, most int64) *pando.FieldError {
	if n == 0 {
		return field.Blank()
	}
	if err := field.AtLeast(n, 10); err != nil {
		return err
	}
	return field.AtMost(n, most)
}

func mail(t pando.EmailTemplate) pando.FieldErrors {
	errs := pando.FieldErrors{}
	if t.Subject == "" {
		errs["subject"] = field.Blank()
	}
	if t.Body == "" {
		errs["body"] = field.Blank()
	}
	return errs
}

func tokenConfig(t pando.TokenConfig) pando.FieldErrors {
	errs := pando.FieldErrors{}
	if t.Secret == "" {
		errs["secret"] = field.Blank()
	}
	field.Put(errs, "secret", field.Length(t.Secret, 30, 255))
	field.Put(errs, "duration", seconds(t.Duration, longestLife))
	return errs
}
