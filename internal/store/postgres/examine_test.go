package postgres

import (
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/doctor"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

func TestExamine(t *testing.T) {
	cluster := localclustertest.Replicated(t, 2, localcluster.ReplicatedOptions{SyncNames: "ANY 1 (*)"})
	if err := cluster.WaitStreaming(t.Context()); err != nil {
		t.Fatal(err)
	}
	url := cluster.URL("postgres", "postgres")
	// A host that is not there, among them.
	url = strings.Replace(url, "@", "@127.0.0.1:1,", 1)
	hosts, err := Examine(t.Context(), url)
	if err != nil || len(hosts) != 4 {
		t.Fatalf("%d hosts, %v", len(hosts), err)
	}
	if hosts[0].Error == nil {
		t.Error("the host that is not there has no error")
	}
	replicas := 0
	for _, h := range hosts[1:] {
		if h.Error != nil || h.Version < 140000 || h.System != hosts[1].System || h.Timeline != 1 || h.Encoding != "UTF8" ||
			!h.Superuser || !h.Monitor || h.Trip <= 0 || h.ClockAhead.Abs() > h.Trip*100 || h.Settings["max_connections"] == "" {
			t.Errorf("%+v", h)
		}
		if h.InRecovery {
			replicas++
			if !h.Streams {
				t.Errorf("%s does not stream", h.Name)
			}
		} else if h.Standbys != 2 || h.SyncStandbys != 2 || !h.Writable {
			t.Errorf("the primary: %+v", h)
		}
	}
	if replicas != 2 {
		t.Errorf("%d replicas, want 2", replicas)
	}
	if got := doctor.Worst(doctor.CheckDatabase(hosts)); got != doctor.Bad {
		t.Errorf("%s although a host is not there", got)
	}
	for _, c := range doctor.CheckDatabase(hosts[1:]) {
		if c.Level == doctor.Bad && !strings.Contains(c.Found, "fsync") { // the test's servers have none
			t.Errorf("%+v", c)
		}
	}
}
