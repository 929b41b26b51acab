package settings

import (
	"fmt"
	"net/netip"
	"regexp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// validate says everything that is wrong with s, by key; nothing if it may be
// saved.
func validate(s *pando.Settings) pando.FieldErrors {
	errs := pando.FieldErrors{}
	field.PutNested(errs, "meta", meta(&s.Meta))
	field.PutNested(errs, "smtp", smtp(&s.SMTP))
	field.PutNested(errs, "s3", s3(&s.S3))
	field.PutNested(errs, "backups", backups(&s.Backups))
	field.PutNested(errs, "rateLimits", rateLimits(&s.RateLimits))
	field.PutNested(errs, "batch", batch(&s.Batch))

	logs := pando.FieldErrors{}
	field.Put(logs, "maxDays", field.AtLeast(s.Logs.MaxDays, 0))
	field.PutNested(errs, "logs", logs)
	addresses(errs, "superuserIPs", s.SuperuserIPs)
	return errs
}

// required notes that a value is missing.
func required[T comparable](errs pando.FieldErrors, key string, v T) {
	var zero T
	if v == zero {
		errs[key] = field.Blank()
	}
}

func meta(m *pando.MetaSettings) pando.FieldErrors {
	errs := pando.FieldErrors{}
	required(errs, "appName", m.AppName)
	field.Put(errs, "appName", field.Length(m.AppName, 1, 255))
	required(errs, "appURL", m.AppURL)
	field.Put(errs, "appURL", field.URL(m.AppURL))
	required(errs, "senderName", m.SenderName)
	field.Put(errs, "senderName", field.Length(m.SenderName, 1, 255))
	required(errs, "senderAddress", m.SenderAddress)
	field.Put(errs, "senderAddress", field.Email(m.SenderAddress))
	if m.AccentColor != "" && !colour.MatchString(m.AccentColor) {
		errs["accentColor"] = field.InvalidFormat()
	}
	return errs
}

var colour = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

func smtp(m *pando.SMTPSettings) pando.FieldErrors {
	errs := pando.FieldErrors{}
	if m.Enabled {
		required(errs, "host", m.Host)
		required(errs, "port", m.Port)
	}
	field.Put(errs, "host", field.Host(m.Host))
	field.Put(errs, "port", field.AtLeast(m.Port, 0))
	field.Put(errs, "localName", field.Host(m.LocalName))
	switch m.AuthMethod {
	case "", "PLAIN", "LOGIN":
	default:
		errs["authMethod"] = field.NotInList()
	}
	return errs
}

func s3(s *pando.S3Settings) pando.FieldErrors {
	errs := pando.FieldErrors{}
	if s.Enabled {
		for key, text := range map[string]string{
			"bucket": s.Bucket, "region": s.Region, "endpoint": s.Endpoint, "accessKey": s.AccessKey, "secret": s.Secret,
		} {
			required(errs, key, text)
		}
	}
	field.Put(errs, "endpoint", field.URL(s.Endpoint))
	return errs
}

func backups(b *pando.BackupsSettings) pando.FieldErrors {
	errs := pando.FieldErrors{}
	if b.Cron != "" {
		field.Put(errs, "cron", schedule(b.Cron))
		required(errs, "cronMaxKeep", b.CronMaxKeep)
	}
	field.Put(errs, "cronMaxKeep", field.AtLeast(b.CronMaxKeep, 1))
	field.PutNested(errs, "s3", s3(&b.S3))
	return errs
}

func batch(b *pando.BatchSettings) pando.FieldErrors {
	errs := pando.FieldErrors{}
	if b.Enabled {
		required(errs, "maxRequests", b.MaxRequests)
		required(errs, "timeout", b.Timeout)
	}
	field.Put(errs, "maxRequests", field.AtLeast(b.MaxRequests, 0))
	field.Put(errs, "timeout", field.AtLeast(b.Timeout, 0))
	field.Put(errs, "maxBodySize", field.AtLeast(b.MaxBodySize, 0))
	return errs
}

// label is what a rate limit may be put on: a tag ("users:create", "*:auth"), or
// a path with an optional method in front.
var label = regexp.MustCompile(`^(\w+ /[\w/\-]*|/[\w/\-]*|\w+|[\w*]+:\w+)$`)

func rateLimits(r *pando.RateLimitSettings) pando.FieldErrors {
	errs := pando.FieldErrors{}
	if r.Enabled && len(r.Rules) == 0 {
		errs["rules"] = field.Blank()
	}
	list := pando.FieldErrors{}
	for i, rule := range r.Rules {
		field.PutNested(list, fmt.Sprint(i), rateLimit(r.Rules[:i], rule))
	}
	field.PutNested(errs, "rules", list)
	addresses(errs, "excludedIPs", r.ExcludedIPs)
	return errs
}

// rateLimit checks one rule; before are those that stand above it.
func rateLimit(before []pando.RateLimitRule, r pando.RateLimitRule) pando.FieldErrors {
	errs := pando.FieldErrors{}
	required(errs, "label", r.Label)
	if r.Label != "" && !label.MatchString(r.Label) {
		errs["label"] = field.InvalidFormat()
	}
	switch r.Audience {
	case "", "@guest", "@auth":
	default:
		errs["audience"] = field.NotInList()
	}
	required(errs, "duration", r.Duration)
	field.Put(errs, "duration", field.AtLeast(r.Duration, 1))
	required(errs, "maxRequests", r.MaxRequests)
	field.Put(errs, "maxRequests", field.AtLeast(r.MaxRequests, 1))
	for _, other := range before {
		if other.Label == r.Label && (other.Audience == r.Audience || other.Audience == "" || r.Audience == "") {
			field.Put(errs, "label", &pando.FieldError{
				Code:    "validation_conflicting_rate_limit_rule",
				Message: fmt.Sprintf("Rate limit rule configuration with label %s already exists or conflicts with another rule.", r.Label),
				Params:  map[string]any{"label": r.Label},
			})
		}
	}
	return errs
}

// addresses checks a list of IP addresses and networks. The code is spelled as
// clients know it.
func addresses(errs pando.FieldErrors, key string, list []string) {
	for i, text := range list {
		if _, err := netip.ParseAddr(text); err == nil {
			continue
		}
		if _, err := netip.ParsePrefix(text); err == nil {
			continue
		}
		field.PutItem(errs, key, i, &pando.FieldError{
			Code: "validation_invlaid_ip_or_subnet", Message: "Invalid IP address or subnet.",
		})
	}
}
