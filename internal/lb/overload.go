package lb

import (
	"time"

	"github.com/pandobase/pando/internal/overload"
)

type class = overload.Class

const (
	low    = overload.Low
	normal = overload.Normal
	always = overload.Always
)

// forUpstream is what the limiter of an upstream begins with: quick ones are not limited.
var forUpstream = overload.Options{Start: 100, Least: 8, Care: 10 * time.Millisecond}

// patienceQuick is how long a request may wait for a place where answers are quick:
// nobody minds a tenth of a second.
const patienceQuick = 100 * time.Millisecond
