package topology

import "time"

// Status is everything there is to show.
type Status struct {
	Primary  string         `json:"primary"` // "" if there is none
	Timeline uint32         `json:"timeline"`
	System   uint64         `json:"system,string"`
	Problem  string         `json:"problem,omitempty"` // why there is no primary that can be used
	Members  []MemberStatus `json:"members"`
}

// MemberStatus is one host.
type MemberStatus struct {
	Host     string    `json:"host"`
	Role     string    `json:"role"`          // primary, replica, refused, unknown
	Why      string    `json:"why,omitempty"` // why it is not used
	Contact  string    `json:"contact"`       // answers, silent, unreachable
	Since    time.Time `json:"since"`         // of Contact
	Error    string    `json:"error,omitempty"`
	Eligible bool      `json:"eligible"` // chosen for reads or writes now
	Timeline uint32    `json:"timeline"`
	Flush    string    `json:"flush,omitempty"`
	Receive  string    `json:"receive,omitempty"`
	Replay   string    `json:"replay,omitempty"`
	LagMS    float64   `json:"lagMs"`
	LagBytes uint64    `json:"lagBytes"`
	InFlight int64     `json:"inFlight"`
	Catalog  uint64    `json:"catalog"`
	Version  int       `json:"version"`
}

// Status says everything there is to show.
func (w *Watcher) Status() Status { return Status{} }

type told struct{}

type hostTold struct{}

func (w *Watcher) tell() {}
