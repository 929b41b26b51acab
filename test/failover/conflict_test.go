package failover

import (
	"testing"
	"time"
)

// TestCancelledByRecovery: a replica stops a query because it has to replay something
// that the query is in the way of. The read is made elsewhere, and nobody hears of it.
func TestCancelledByRecovery(t *testing.T) {
	s := newStage(t, 1)
	replica := s.Node(1)
	must(t, replica.Set(t.Context(), "max_standby_streaming_delay", "0"))
	s.slowView(t, 700*time.Millisecond)
	s.set(t, 0, 7)
	must(t, s.WaitReplayed(t.Context()))
	still(t, 400*time.Millisecond) // some probes, which say so to the server
	read := make(chan int64, 1)
	go func() {
		var got struct{ N int64 }
		s.get(t, "/api/collections/slow/records/"+keyID(0), "", &got)
		read <- got.N
	}()
	soon(t, "the query runs on the replica", func() bool {
		n, err := replica.Exec(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
		return err == nil && n != "0"
	})
	_, err := s.Primary().ExecIn(t.Context(), database, "BEGIN; LOCK TABLE counters IN ACCESS EXCLUSIVE MODE; SELECT pg_current_xact_id(); COMMIT")
	must(t, err)
	if n := <-read; n != 7 {
		t.Errorf("the view shows %d", n)
	}
	soon(t, "the replica has stopped the query", func() bool {
		n, err := replica.Exec(t.Context(), "SELECT sum(confl_lock) FROM pg_stat_database_conflicts")
		return err == nil && n != "0"
	})
}
