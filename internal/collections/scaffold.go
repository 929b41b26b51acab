package collections

import (
	"context"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Scaffolds answers with an empty definition of each type, which clients build
// new ones from. It has no ids and no name yet.
func (s *Service) Scaffolds(context.Context) (pando.Answer, error) {
	out := make(map[pando.CollectionType]*pando.Collection, 3)
	for _, t := range []pando.CollectionType{pando.TypeBase, pando.TypeAuth, pando.TypeView} {
		c := scaffold(t)
		completeFields(c, nil)
		if t == pando.TypeAuth {
			completeIndexes(c, pando.RandomString(10, "abcdefghijklmnopqrstuvwxyz0123456789"))
		}
		out[t] = c
	}
	return answer(out, "")
}

// scaffold is the definition that a new collection of type t is merged into. Its
// fields are filled in by completeFields.
func scaffold(t pando.CollectionType) *pando.Collection {
	c := &pando.Collection{Type: t}
	if t == pando.TypeAuth {
		c.Auth = defaultAuth()
	}
	return c
}

// collectionID is the id of a collection that is created without one: the same
// definition has the same id in every installation.
func collectionID(t pando.CollectionType, name string) string {
	return fmt.Sprintf("pbc_%d", crc32.ChecksumIEEE([]byte(string(t)+name)))
}

// freeCollectionID is the id for a new collection, with a number behind it if one
// that was renamed still has it.
func freeCollectionID(catalog *store.Catalog, c *pando.Collection) string {
	id := collectionID(c.Type, c.Name)
	free := id
	for n := 2; catalog.Collection(free) != nil; n++ {
		free = id + strconv.Itoa(n)
	}
	return free
}

// fieldID is the id of a field that is sent without one.
func fieldID(t pando.FieldType, name string) string {
	return fmt.Sprintf("%s%d", t, crc32.ChecksumIEEE([]byte(name)))
}

// secretAlphabet and secretLength make the secrets of tokens.
const (
	secretAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	secretLength   = 50
)

func newSecret() string { return pando.RandomString(secretLength, secretAlphabet) }

// defaultAuth is what an auth collection starts with, durations in seconds.
func defaultAuth() *pando.AuthOptions {
	token := func(seconds int64) pando.TokenConfig {
		return pando.TokenConfig{Secret: newSecret(), Duration: seconds}
	}
	everybody := ""
	return &pando.AuthOptions{
		AuthRule:     &everybody,
		AuthAlert:    pando.AuthAlert{Enabled: true, EmailTemplate: alertMail},
		PasswordAuth: pando.PasswordAuth{Enabled: true, IdentityFields: []string{"email"}},
		MFA:          pando.MFA{Duration: 1800},
		OTP:          pando.OTP{Duration: 180, Length: 8, EmailTemplate: otpMail},

		AuthToken:          token(604800),
		PasswordResetToken: token(1800),
		EmailChangeToken:   token(1800),
		VerificationToken:  token(259200),
		FileToken:          token(180),

		VerificationTemplate:       verificationMail,
		ResetPasswordTemplate:      resetMail,
		ConfirmEmailChangeTemplate: changeMail,
	}
}
