package importer

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/crypto/bcrypt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// secret is a password field. A row fills it with the plain text under the
// field's own name, which is hashed and takes some 50 ms of a processor, or with
// a bcrypt hash that another system made under that name with Hash behind it.
type secret struct {
	field   *pando.Field
	hashKey string
}

// secretsOf are the password fields of c.
func secretsOf(c *pando.Collection) []secret {
	var out []secret
	for _, f := range c.Fields {
		if f.Type == pando.FieldPassword && c.Field(f.Name+"Hash") == nil {
			out = append(out, secret{f, f.Name + "Hash"})
		}
	}
	return out
}

// hashed is what the password fields of one row become.
type hashed struct {
	values map[string]string // field → hash
	locked bool              // the password of an auth record was not given
	err    error             // the row cannot be taken
}

// hashes tells whether the file has plain passwords.
func (r *run) hashes() bool {
	for _, s := range r.secrets {
		if r.byKey[s.field.Name] != nil {
			return true
		}
	}
	return false
}

// hashAll hashes the passwords of a batch before its transaction, which must not
// wait for that. The result stands in the order of batch.
func (r *run) hashAll(ctx context.Context, batch []Row) ([]hashed, error) {
	out := make([]hashed, len(batch))
	if len(r.secrets) == 0 {
		return out, nil
	}
	var (
		wait  sync.WaitGroup
		once  sync.Once
		fault error
		slots = make(chan struct{}, runtime.GOMAXPROCS(0))
	)
	for i, row := range batch {
		if row.Err != nil {
			continue
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			out[i] = r.hash(ctx, row)
			if err := out[i].err; err != nil && !isRowError(err) {
				once.Do(func() { fault = fmt.Errorf("row %d: %w", row.Number, err) })
			}
		})
	}
	wait.Wait()
	return out, fault
}

func (r *run) hash(ctx context.Context, row Row) hashed {
	h := hashed{values: map[string]string{}}
	for _, s := range r.secrets {
		name := s.field.Name
		ready, err := secretText(row, s.hashKey)
		if err == nil && ready != "" {
			_, err = bcrypt.Cost([]byte(ready))
			if err != nil {
				err = rowError{fmt.Errorf("%s is not a bcrypt hash", s.hashKey)}
			}
		}
		plain, perr := secretText(row, name)
		switch {
		case err != nil:
			return hashed{err: err}
		case perr != nil:
			return hashed{err: perr}
		case ready != "" && plain != "":
			return hashed{err: rowError{fmt.Errorf("has both %s and %s", name, s.hashKey)}}
		case ready != "":
			h.values[name] = ready
		case plain != "":
			if h.values[name], err = r.hashPlain(ctx, s.field, plain); err != nil {
				return hashed{err: err}
			}
		case name == "password" && r.sum.Collection.IsAuth():
			h.values[name], h.locked = lockedHash(), true
		}
	}
	return h
}

// secretText is the text of a password or a hash. Errors never quote it.
func secretText(row Row, key string) (string, error) {
	switch v := row.Values[key].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", rowError{fmt.Errorf("%s is not a text", key)}
}

func (r *run) hashPlain(ctx context.Context, f *pando.Field, plain string) (string, error) {
	if fe := field.Check(f, plain); fe != nil {
		return "", rowError{fmt.Errorf("%s: %s", f.Name, fe.Message)}
	}
	cost := 0
	if o, ok := f.Options.(*pando.PasswordOptions); ok {
		cost = o.Cost
	}
	hash, err := r.im.Passwords.Hash(ctx, plain, cost)
	if pando.KindOf(err) == pando.KindInvalid {
		return "", rowError{fmt.Errorf("%s: %w", f.Name, err)}
	}
	return hash, err
}

// lockedHash has the form of a bcrypt hash, and nobody knows a password for it:
// it was drawn and not computed.
func lockedHash() string {
	return "$2a$10$" + pando.RandomString(53, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
}
