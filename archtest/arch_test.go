// Package archtest holds docs/architecture.md: which package may import which,
// and where drivers and SQL may be (arch_test.go, source_test.go), that nothing
// broken on purpose is built (mutants_test.go), and that deps.txt is current.
package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pandobase/pando"

// layers maps a package, relative to the module, to its layer. A package may
// import its own module's packages of lower layers only, and what allowed adds.
var layers = map[string]int{
	".":              0,
	"deploy/patroni": 0, // what operators install, for those who run it: a text

	"internal/position":     1,
	"internal/deadline":     1,
	"internal/demo":         2,
	"internal/topology":     1,
	"internal/mutant":       1,
	"internal/neighbour":    1,
	"internal/overload":     1,
	"internal/rule":         1,
	"internal/indexdef":     1,
	"internal/hook":         1,
	"internal/field":        1,
	"internal/wire":         1,
	"internal/doctor":       1,
	"internal/system":       1,
	"internal/localcluster": 1,

	"internal/store":    2,
	"internal/cache":    2,
	"internal/changes":  2,
	"internal/blob":     2,
	"internal/registry": 2,

	"internal/store/cached":   3,
	"internal/store/sqlgen":   3,
	"internal/store/sqlite":   3,
	"internal/store/postgres": 3,
	"internal/cache/memory":   3,
	"internal/cache/redis":    3,
	"internal/changes/local":  3,
	"internal/changes/wal":    3,
	"internal/blob/disk":      3,
	"internal/blob/s3":        3,
	"internal/certs":          3,

	"internal/records":     4,
	"internal/collections": 4,
	"internal/settings":    4,
	"internal/auth":        4,
	"internal/files":       4,
	"internal/realtime":    4,
	"internal/importer":    4,
	"internal/takeover":    4,
	"internal/backup":      4,
	"internal/transfer":    4,
	"internal/cluster":     4,

	"internal/web":   5,
	"internal/pages": 5,
	"internal/lb":    5,

	"server": 6,

	"cmd/pando": 7,
}

// allowed are imports within one layer, or of services by name.
var allowed = map[string][]string{
	"internal/store/sqlite":   {"internal/store/sqlgen"},                         // the dialect's SQL is generated there
	"internal/store/postgres": {"internal/store/sqlgen", "internal/changes/wal"}, // what its tables mean in the log
	"internal/rule":           {"internal/indexdef"},                             // a back relation over a unique index is one record
	"internal/web":            {"internal/pages"},
	"internal/topology":       {"internal/position"}, // how far a replica is, is a position
	"internal/position":       {"internal/mutant"},   // the lease is one of the things to break
}

// maxServiceImport: services know contracts, never adapters.
const maxServiceImport = 2

// drivers may be imported in these packages only. The log of a PostgreSQL database
// is read over a connection of pgx, and is no part of a store.
var drivers = map[string][]string{
	"modernc.org/sqlite":               {"internal/store/sqlite"},
	"github.com/jackc/pgx/v5":          {"internal/store/postgres", "internal/changes/wal"},
	"github.com/jackc/pglogrepl":       {"internal/changes/wal"},
	"github.com/maypok86/otter/v2":     {"internal/cache/memory"},
	"github.com/redis/rueidis":         {"internal/cache/redis"},
	"github.com/minio/minio-go/v7":     {"internal/blob/s3"},
	"github.com/caddyserver/certmagic": {"internal/certs"},
}

// outside are not part of the product: tests, benchmarks, examples.
var outside = []string{"archtest", "test", "bench", "examples"}

type pkg struct {
	ImportPath string
	Imports    []string
}

// TestLayers: each package imports what its layer may, and drivers stay at home.
func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		name := relative(p.ImportPath)
		if isOutside(name) || strings.HasSuffix(name, "test") {
			continue
		}
		layer, ok := layers[name]
		if !ok {
			t.Errorf("%s has no layer: give it one in docs/architecture.md and here", name)
			continue
		}
		for _, imp := range p.Imports {
			if homes := homesOf(imp); homes != nil && !slices.Contains(homes, name) {
				t.Errorf("%s imports the driver %s: only %s may", name, imp, strings.Join(homes, " and "))
			}
			if !strings.HasPrefix(imp, module) {
				if name == "." && strings.Contains(strings.Split(imp, "/")[0], ".") {
					t.Errorf("the root package imports %s: standard library only", imp)
				}
				continue
			}
			other := relative(imp)
			switch {
			case slices.Contains(allowed[name], other):
			case isOutside(other) || strings.HasSuffix(other, "test"):
				t.Errorf("%s imports %s: test code must not be in the product", name, other)
			case layers[other] >= layer:
				t.Errorf("%s (layer %d) imports %s (layer %d)", name, layer, other, layers[other])
			case layer == 4 && layers[other] > maxServiceImport:
				t.Errorf("%s is a service and imports %s: services know contracts only", name, other)
			case layer == 5 && layers[other] > 1:
				t.Errorf("%s is an edge and imports %s: it reaches services through the root's interfaces", name, other)
			}
		}
	}
}

// TestEveryLayerIsReal: the table tells of packages that there are.
func TestEveryLayerIsReal(t *testing.T) {
	have := map[string]bool{}
	for _, p := range packages(t) {
		have[relative(p.ImportPath)] = true
	}
	for name := range layers {
		if !have[name] {
			t.Errorf("%s has a layer but does not exist: no empty rooms", name)
		}
	}
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func relative(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func isOutside(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.Contains(outside, first)
}

// homesOf are the packages that may import imp; nil if it is no driver.
func homesOf(imp string) []string {
	for d, homes := range drivers {
		if imp == d || strings.HasPrefix(imp, d+"/") {
			return homes
		}
	}
	return nil
}
