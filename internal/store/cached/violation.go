package cached

import (
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

// reread is what a check has read besides the value.
type reread struct {
	stamp position.N
	tags  []position.Tag
	from  cache.From
	host  string
}

// heardMost is how many commits are told that touched what an answer was made from.
const heardMost = 32

// hashes tell whether two values that were logged are the same, by one process, and
// nothing of what is in them.
var hashes = maphash.MakeSeed()

// tell logs all that is known of a violation: where and when the fact was made, and others
// of its key before; what was heard of the things that it was made from; both positions;
// and what differs, without what it is, which is users' data.
func (s *shadow) tell(c check, was, is []byte, again reread) {
	fact, key := c.fact, []byte(c.fact.Key)
	label, _ := s.codec.Label(key)
	changed := make([]position.N, len(fact.Tags))
	for i := range fact.Tags {
		changed[i], _ = c.x.Need(fact.Tags[i : i+1])
	}
	var earlier []string
	for _, m := range s.history.of(fact.Key) {
		if m.s != fact.S || m.made != fact.Made {
			earlier = append(earlier, s.facts.words(m.s, m.made))
		}
	}
	heard, since := c.x.Heard(fact.Tags, heardMost)
	s.log.Error("A cached answer differed from the database although nothing that it was made from had changed. Please report this, with this line.",
		"collection", label, "key", hex.EncodeToString(key), "from_tier", c.tier,
		"epoch", fact.Epoch, "stamp", fact.S, "tags", fact.Tags, "last_changes", changed,
		"made", s.facts.words(fact.S, fact.Made), "made_before", earlier, "cache_server", s.facts.location(c.x, fact),
		"heard", commitWords(heard), "heard_since", since,
		"hit_at", c.at, "read_again_stamp", again.stamp, "read_again_tags", again.tags,
		"read_again_from", again.from, "read_again_host", again.host, "frontier", c.x.Frontier(), "safe", c.x.Safe(),
		"bytes", len(was), "bytes_again", len(is), "first_difference", firstDifference(was, is),
		"hash", maphash.Bytes(hashes, was), "hash_again", maphash.Bytes(hashes, is),
		"differs", s.codec.Differences(key, was, is))
}

// location is the cache server that a fact is from, or has been put to.
func (f *Facts) location(x *position.Index, fact *cache.Fact) string {
	if f.tier == nil {
		return ""
	}
	at, ok := f.tier.Tier.(cache.Located)
	if !ok {
		return ""
	}
	return at.Location(fact.Epoch, nameOf(x, fact.Key))
}

func commitWords(list []position.Commit) []string {
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = fmt.Sprintf("%d of transaction %d, heard of %v ago", c.N, c.XID, c.Ago.Round(time.Millisecond))
	}
	return words
}

// firstDifference is where a and b part: not what they hold, which is users' data.
func firstDifference(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
