package auth

import (
	"syscall"
	"testing"
)

func TestWorkersStepBack(t *testing.T) {
	p := NewPasswords(PasswordsConfig{Workers: 1})
	defer p.Close()
	own := func() (raw int) {
		raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
		if err != nil {
			t.Error(err)
		}
		return raw // 20 minus the niceness
	}
	var worker int
	if err := p.run(t.Context(), func() { worker = own() }); err != nil {
		t.Fatal(err)
	}
	if usual := own(); worker != usual-background {
		t.Errorf("a worker's priority is %d, others have %d", worker, usual)
	}
}
