package records

import (
	"context"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// fixSystem sets what a record of a system collection cannot choose:
// superusers are always verified.
func fixSystem(rec *pando.Record) {
	if rec.Collection.IsSuperusers() {
		rec.Set("verified", true)
	}
}

// validateSystem checks the records of the system collections that belong to an
// auth record.
func (s *Records) validateSystem(
	ctx context.Context, r store.Reader, rec *pando.Record,
) (pando.FieldErrors, error) {
	c := rec.Collection
	if !c.System || c.IsAuth() || c.Field("collectionRef") == nil || c.Field("recordRef") == nil {
		return nil, nil
	}
	errs := pando.FieldErrors{}
	owner := r.Catalog().Collection(rec.String("collectionRef"))
	if owner == nil || !owner.IsAuth() || owner.ID != rec.String("collectionRef") {
		errs["collectionRef"] = &pando.FieldError{
			Code: "validation_invalid_collection_id", Message: "Missing or invalid collection.",
		}
	} else if _, err := r.Record(ctx, owner, rec.String("recordRef")); isNotFound(err) {
		errs["recordRef"] = &pando.FieldError{
			Code: "validation_invalid_record", Message: "Missing or invalid record.",
		}
	} else if err != nil {
		return nil, err
	}
	if f := c.Field("provider"); f != nil && !slices.Contains(providers, rec.String("provider")) {
		errs["provider"] = &pando.FieldError{Code: "validation_in_invalid", Message: "Must be a valid value."}
	}
	return errs, nil
}

// providers are the names of the services that an external login can be from.
var providers = []string{
	"apple", "bitbucket", "box", "discord", "facebook", "gitea", "gitee", "github", "gitlab", "google",
	"instagram2", "kakao", "lark", "linear", "livechat", "mailcow", "microsoft", "monday", "notion",
	"oidc", "oidc2", "oidc3", "patreon", "planningcenter", "spotify", "strava", "trakt", "twitch",
	"twitter", "vk", "wakatime", "yandex",
}
