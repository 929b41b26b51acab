package collections

import (
	"context"
	"fmt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Bootstrap makes what every data directory has: the settings, the system
// collections, and in a new one the users collection that most applications
// begin with. It may be called at each start: what is there stays.
func Bootstrap(ctx context.Context, s store.Store) error {
	if ready(s.Catalog()) {
		return nil
	}
	_, err := s.Write(ctx, func(tx store.Tx) error {
		if tx.Catalog().Settings == nil {
			if err := tx.SaveSettings(ctx, pando.DefaultSettings()); err != nil {
				return err
			}
		}
		missing := systemCollections()
		if len(tx.Catalog().Collections) == 0 {
			missing = append(missing, users())
		}
		for _, c := range missing {
			if tx.Catalog().Collection(c.Name) != nil {
				continue
			}
			c.Created = now()
			c.Updated = c.Created
			complete(c, nil)
			if errs := validate(tx.Catalog(), nil, c, nil); len(errs) > 0 {
				return fmt.Errorf("collections: the built-in collection %s: %w", c.Name, invalid("", errs))
			}
			if err := tx.SaveCollection(ctx, nil, c); err != nil {
				return fmt.Errorf("collections: making %s: %w", c.Name, err)
			}
		}
		return nil
	})
	return err
}

func ready(catalog *store.Catalog) bool {
	if catalog.Settings == nil {
		return false
	}
	for _, c := range systemCollections() {
		if catalog.Collection(c.Name) == nil {
			return false
		}
	}
	return true
}

// systemCollections is the collections that the services need, in the order in
// which they are made.
func systemCollections() []*pando.Collection {
	mfas := companion("_mfas", false, textField("method"))
	mfas.Indexes = []string{"CREATE INDEX `idx_mfas_collectionRef_recordRef` ON `_mfas` (collectionRef,recordRef)"}

	password := newField("password", pando.FieldPassword, &pando.PasswordOptions{Cost: 8})
	password.System, password.Hidden, password.Required = true, true, true
	sentTo := textField("sentTo")
	sentTo.Hidden, sentTo.Required = true, false
	otps := companion("_otps", false, password, sentTo)
	otps.Indexes = []string{"CREATE INDEX `idx_otps_collectionRef_recordRef` ON `_otps` (collectionRef, recordRef)"}

	external := companion("_externalAuths", true, textField("provider"), textField("providerId"))
	external.Indexes = []string{
		"CREATE UNIQUE INDEX `idx_externalAuths_record_provider` ON `_externalAuths` (collectionRef, recordRef, provider)",
		"CREATE UNIQUE INDEX `idx_externalAuths_collection_provider` ON `_externalAuths` (collectionRef, provider, providerId)",
	}

	origins := companion("_authOrigins", true, textField("fingerprint"))
	origins.Indexes = []string{"CREATE UNIQUE INDEX `idx_authOrigins_unique_pairs` ON `_authOrigins` (collectionRef, recordRef, fingerprint)"}

	superusers := builtIn(pando.TypeAuth, pando.SuperusersName)
	superusers.System = true
	superusers.Auth.AuthToken.Duration = daySeconds
	completeFields(superusers, nil)
	superusers.Fields = append(superusers.Fields, timestamps(true)...)

	return []*pando.Collection{mfas, otps, external, origins, superusers}
}

func builtIn(t pando.CollectionType, name string) *pando.Collection {
	c := scaffold(t)
	c.Name, c.ID = name, collectionID(t, name)
	return c
}

// companion is a system collection that holds something about the records of
// auth collections. Their owners may see it, and some may remove it.
func companion(name string, removable bool, fields ...*pando.Field) *pando.Collection {
	const owner = "@request.auth.id != '' && recordRef = @request.auth.id && collectionRef = @request.auth.collectionId"
	c := builtIn(pando.TypeBase, name)
	c.System = true
	c.ListRule, c.ViewRule = new(owner), new(owner)
	if removable {
		c.DeleteRule = new(owner)
	}
	c.Fields = append([]*pando.Field{idField(), textField("collectionRef"), textField("recordRef")}, fields...)
	c.Fields = append(c.Fields, timestamps(true)...)
	return c
}

func textField(name string) *pando.Field {
	f := newField(name, pando.FieldText, &pando.TextOptions{})
	f.System, f.Required = true, true
	return f
}

func timestamps(system bool) []*pando.Field {
	created := newField("created", pando.FieldAutodate, &pando.AutodateOptions{OnCreate: true})
	updated := newField("updated", pando.FieldAutodate, &pando.AutodateOptions{OnCreate: true, OnUpdate: true})
	created.System, updated.System = system, system
	return []*pando.Field{created, updated}
}

// users is the auth collection that a new data directory has: everyone may sign
// up, and everyone sees and changes only himself.
func users() *pando.Collection {
	const self = "id = @request.auth.id"
	c := builtIn(pando.TypeAuth, "users")
	c.ID = "_pb_users_auth_" // known to clients and to definitions that refer to it
	c.ListRule, c.ViewRule, c.UpdateRule, c.DeleteRule = new(self), new(self), new(self), new(self)
	c.CreateRule = new("")
	completeFields(c, nil)
	avatar := &pando.FileOptions{MaxSelect: 1, MimeTypes: []string{"image/jpeg", "image/png", "image/svg+xml", "image/gif", "image/webp"}}
	c.Fields = append(c.Fields,
		newField("name", pando.FieldText, &pando.TextOptions{Max: 255}),
		newField("avatar", pando.FieldFile, avatar))
	c.Fields = append(c.Fields, timestamps(false)...)
	c.Auth.OAuth2.MappedFields = pando.OAuth2Fields{Name: "name", AvatarURL: "avatar"}
	return c
}
