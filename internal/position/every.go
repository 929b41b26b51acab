package position

// EveryTag has one tag of each slot of an index of [NewIndex]: for commits that
// change more than can be named.
func EveryTag() []Tag {
	tags := make([]Tag, indexSlots)
	for i := range tags {
		tags[i] = Tag(i)
	}
	return tags
}
