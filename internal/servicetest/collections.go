package servicetest

import (
	"fmt"
	"strings"
)

const idJSON = `{"id":"text1","name":"id","type":"text","system":true,"required":true,"primaryKey":true,` +
	`"min":15,"max":15,"pattern":"^[a-z0-9]+$","autogeneratePattern":"[a-z0-9]{15}"}`

// BaseJSON is a base collection that everybody may do anything with, with these
// fields beside the id.
func BaseJSON(name string, fields ...string) string {
	return fmt.Sprintf(`{"id":"pbc_%s","name":%q,"type":"base","listRule":"","viewRule":"","createRule":"",`+
		`"updateRule":"","deleteRule":"","fields":[%s]}`, name, name, strings.Join(append([]string{idJSON}, fields...), ","))
}

// AuthJSON is an auth collection that everybody may see, with these fields
// beside the system's. Passwords cost next to nothing.
func AuthJSON(name string, fields ...string) string {
	all := append([]string{
		idJSON,
		`{"id":"password2","name":"password","type":"password","system":true,"hidden":true,"required":true,"min":8,"cost":4}`,
		`{"id":"text3","name":"tokenKey","type":"text","system":true,"hidden":true,"required":true,"min":30,"max":60}`,
		`{"id":"email4","name":"email","type":"email","system":true,"required":true}`,
		`{"id":"bool5","name":"emailVisibility","type":"bool","system":true}`,
		`{"id":"bool6","name":"verified","type":"bool","system":true}`,
		`{"id":"autodate7","name":"created","type":"autodate","onCreate":true}`,
		`{"id":"autodate8","name":"updated","type":"autodate","onCreate":true,"onUpdate":true}`,
	}, fields...)
	secret := func(kind string, life int) string {
		return fmt.Sprintf(`{"secret":"%s-%s-0123456789012345678901234567890","duration":%d}`, name, kind, life)
	}
	return fmt.Sprintf(`{"id":"pbc_%[1]s","name":"%[1]s","type":"auth","system":%[2]v,"listRule":"","viewRule":"",
		"createRule":"","updateRule":"","deleteRule":"","authRule":"","manageRule":null,"fields":[%[3]s],
		"indexes":["CREATE UNIQUE INDEX `+"`idx_tokenKey_%[1]s` ON `%[1]s` (`tokenKey`)"+`",
			"CREATE UNIQUE INDEX `+"`idx_email_%[1]s` ON `%[1]s` (`email`) WHERE `email` != ''"+`"],
		"passwordAuth":{"enabled":true,"identityFields":["email"]},
		"authToken":%[4]s,"fileToken":%[5]s}`,
		name, strings.HasPrefix(name, "_"), strings.Join(all, ","), secret("auth", 604800), secret("file", 180))
}

// systemJSON is one of the system collections about auth records.
func systemJSON(name string) string {
	text := func(id, name string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"type":"text","system":true}`, id, name)
	}
	return fmt.Sprintf(`{"id":"pbc_%[1]s","name":"%[1]s","type":"base","system":true,"fields":[%[2]s]}`, name,
		strings.Join([]string{
			idJSON, text("text2", "collectionRef"), text("text3", "recordRef"), text("text4", "method"),
			`{"id":"autodate5","name":"created","type":"autodate","onCreate":true}`,
			`{"id":"autodate6","name":"updated","type":"autodate","onCreate":true,"onUpdate":true}`,
		}, ","))
}
