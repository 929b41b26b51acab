package overload

import (
	"context"
	"errors"
	"testing"
)

func TestTicket(t *testing.T) {
	full := errors.New("no place")
	taken := 0
	ticket := NewTicket(func() error { taken++; return full })
	ctx := ticket.With(t.Context())
	for range 2 {
		if err := Admit(context.WithoutCancel(ctx)); !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
	}
	if !ticket.Close() || taken != 1 {
		t.Errorf("asked %d times", taken)
	}
	unused := NewTicket(func() error { t.Error("a place is taken for an answer that is given"); return nil })
	if unused.Close() {
		t.Error("nobody has asked")
	}
	if err := errors.Join(Admit(unused.With(t.Context())), Admit(t.Context())); err != nil {
		t.Error(err)
	}
}
