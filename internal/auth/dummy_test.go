package auth

import (
	"errors"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// An unknown name must cost as much as a wrong password of the same collection:
// the made-up hash has the asked cost, and is compared to the end.
func TestDummyHashIsWorked(t *testing.T) {
	for cost := bcrypt.MinCost; cost <= bcrypt.MaxCost; cost++ {
		if got, err := bcrypt.Cost([]byte(dummyHash(cost))); err != nil || got != cost {
			t.Errorf("cost %d: %d, %v", cost, got, err)
		}
	}
	err := bcrypt.CompareHashAndPassword([]byte(dummyHash(bcrypt.MinCost)), []byte("x"))
	if !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		t.Errorf("%v, want a mismatch", err)
	}
}

func TestReject(t *testing.T) {
	p := NewPasswords(PasswordsConfig{Workers: 1})
	defer p.Close()
	if err := p.Reject(t.Context(), 4, "x"); err != nil {
		t.Error(err)
	}
	if got := p.Stats().Done; got != 1 {
		t.Errorf("%d checks were made, want 1", got)
	}
}
