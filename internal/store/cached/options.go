package cached

import (
	"log/slog"

	"github.com/pandobase/pando/internal/cache"
)

// Options are what a [Facts] does besides keeping facts in memory.
type Options struct {
	// Codec says of which collection a fact is, and turns its value into bytes.
	// Without one there is nothing else to do.
	Codec cache.Codec
	// Tier is asked where the memory has nothing that holds; nil: there is none.
	Tier cache.Tier
	// ShadowEvery has one in so many hits read again and compared; 0: none.
	ShadowEvery int
	Log         *slog.Logger
}

// Use sets options, before the first Read. Close ends what it starts.
func (f *Facts) Use(o Options) {
	if o.Codec == nil {
		return
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f.labels = newLabels(o.Codec, o.Log)
	if o.Tier != nil {
		f.tier = &tier{Tier: o.Tier, clock: f.clock, codec: o.Codec, labels: f.labels, fleeting: map[uint64]bool{}}
	}
	if o.ShadowEvery > 0 {
		f.shadow = newShadow(f, o)
	}
}

// Close ends the shadow reads. The cache and the tier are their makers' to close.
func (f *Facts) Close() error {
	if f.shadow != nil {
		f.shadow.close()
	}
	return nil
}
