package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pandobase/pando"
)

// Types of token, the claim "type".
const (
	typeAuth = "auth"
	typeFile = "file"
)

// maxToken is more bytes than any token of ours has.
const maxToken = 4096

// claims is what a token says. Nothing of it is true before the signature has
// been checked.
type claims struct {
	Type         string           `json:"type"`
	ID           string           `json:"id"`
	CollectionID string           `json:"collectionId"`
	Refreshable  bool             `json:"refreshable"`
	Expires      *jwt.NumericDate `json:"exp"`
}

// These make claims a jwt.Claims. The expiry is judged at every use instead of
// once (see [Auth.Identify]), so the library is told that there is none.
func (claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (claims) GetIssuer() (string, error)                   { return "", nil }
func (claims) GetSubject() (string, error)                  { return "", nil }
func (claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

var (
	parser   = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}))
	errToken = errors.New("auth: not a token of ours")
)

// tokenConfig is the life and secret of a type of token; nil if there is no such
// type or c has no tokens.
func tokenConfig(c *pando.Collection, kind string) *pando.TokenConfig {
	switch {
	case c == nil || !c.IsAuth() || c.Auth == nil:
		return nil
	case kind == typeAuth:
		return &c.Auth.AuthToken
	case kind == typeFile:
		return &c.Auth.FileToken
	}
	return nil
}

// signingKey belongs to one record and one type of token, so that a change of
// either secret voids exactly the tokens made with it. It is empty if either is
// missing; such a key signs and proves nothing.
func signingKey(rec *pando.Record, kind string) []byte {
	tokenKey := rec.String("tokenKey")
	conf := tokenConfig(rec.Collection, kind)
	if tokenKey == "" || conf == nil || conf.Secret == "" {
		return nil
	}
	return []byte(tokenKey + conf.Secret)
}

// sign makes a token of rec that lives for d from now; d 0 means as long as the
// collection says.
func sign(rec *pando.Record, kind string, now time.Time, d time.Duration, more jwt.MapClaims) (string, error) {
	key := signingKey(rec, kind)
	if key == nil {
		return "", errors.New("auth: the record or its collection has no secret to sign with")
	}
	if d == 0 {
		d = time.Duration(tokenConfig(rec.Collection, kind).Duration) * time.Second
	}
	c := jwt.MapClaims{ // a map, since its keys are sent in sorted order
		"type": kind, "id": rec.ID(), "collectionId": rec.Collection.ID,
		"exp": now.Add(d).Unix(),
	}
	for k, v := range more {
		c[k] = v
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(key)
}

// peek reads what a token says, unchecked.
func peek(token string) (*claims, error) {
	if len(token) > maxToken {
		return nil, errToken
	}
	c := new(claims)
	if _, _, err := parser.ParseUnverified(token, c); err != nil {
		return nil, errToken
	}
	if c.ID == "" || c.CollectionID == "" || c.Expires == nil {
		return nil, errToken
	}
	return c, nil
}

// verify checks that token was signed for rec. Its expiry is the caller's to
// judge.
func verify(token string, rec *pando.Record, kind string) error {
	key := signingKey(rec, kind)
	if key == nil {
		return errToken
	}
	_, err := parser.ParseWithClaims(token, new(claims), func(*jwt.Token) (any, error) { return key, nil })
	if err != nil {
		return errToken
	}
	return nil
}
