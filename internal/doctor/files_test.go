package doctor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/doctor"
)

func TestCheckFiles(t *testing.T) {
	good := doctor.Files{Address: "s3://b?endpoint=https://h", Put: 5 * time.Millisecond, Get: time.Millisecond, Delete: time.Millisecond, Server: true}
	for _, tt := range []struct {
		name   string
		damage func(f *doctor.Files)
		level  doctor.Level
		found  string
	}{
		{"nothing", func(*doctor.Files) {}, doctor.OK, "put in 5ms"},
		{"the data directory", func(f *doctor.Files) { f.Address = "" }, doctor.OK, "second server"},
		{"not to be opened", func(f *doctor.Files) { f.Err, f.Step = errors.New("No."), "open" }, doctor.Bad, "It cannot be used. No."},
		{"not to be written", func(f *doctor.Files) { f.Err, f.Step = errors.New("No."), "put" }, doctor.Bad, "put failed. No."},
		{"slow", func(f *doctor.Files) { f.Put = time.Second }, doctor.Warn, "put in 1s"},
		{"a clock that is off", func(f *doctor.Files) { f.Skew = -time.Minute }, doctor.Warn, "1m0s apart"},
		{"a clock far off", func(f *doctor.Files) { f.Skew = 10 * time.Minute }, doctor.Bad, "10m0s apart"},
		{"plain", func(f *doctor.Files) { f.Plain = true }, doctor.Warn, "without encryption"},
		{"a full disk", func(f *doctor.Files) { f.FreeBytes, f.DiskBytes = 1<<20, 1<<40 }, doctor.Warn, "left"},
		{"a disk with room", func(f *doctor.Files) { f.FreeBytes, f.DiskBytes = 1<<39, 1<<40 }, doctor.OK, "512.0 GiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := good
			tt.damage(&f)
			checks := doctor.CheckFiles(f)
			if got := doctor.Worst(checks); got != tt.level {
				t.Errorf("the worst is %s, want %s: %+v", got, tt.level, checks)
			}
			said := false
			for _, c := range checks {
				said = said || strings.Contains(c.Found, tt.found) && c.Level == tt.level && (c.Fix != "" || c.Level == doctor.OK)
			}
			if !said {
				t.Errorf("no %s check says %q: %+v", tt.level, tt.found, checks)
			}
		})
	}
	if checks := doctor.CheckFiles(doctor.Files{}); len(checks) > 0 {
		t.Errorf("of a single server: %+v", checks)
	}
}
