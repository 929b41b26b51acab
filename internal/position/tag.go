package position

import "github.com/cespare/xxhash/v2"

// Tag names something that answers can depend on. It is a hash: two things
// with one tag only make facts be judged out of date too early.
type Tag uint64

// RecordTag changes with every write of one record.
func RecordTag(collectionID, recordID string) Tag {
	var d xxhash.Digest
	d.Reset()
	d.WriteString("rec\x00")
	d.WriteString(collectionID)
	d.WriteString("\x00")
	d.WriteString(recordID)
	return Tag(d.Sum64())
}

// TableTag changes with every write of any record of a collection.
func TableTag(collectionID string) Tag {
	var d xxhash.Digest
	d.Reset()
	d.WriteString("tbl\x00")
	d.WriteString(collectionID)
	return Tag(d.Sum64())
}

// BulkTag changes with a write of more records of a collection than are named one
// by one: whoever depends on single records depends on it too.
func BulkTag(collectionID string) Tag {
	var d xxhash.Digest
	d.Reset()
	d.WriteString("all\x00")
	d.WriteString(collectionID)
	return Tag(d.Sum64())
}

// CatalogTag changes with the collections and the settings, where a stream tells of
// commits.
var CatalogTag = TableTag("_pando")

// AllTag changes with every commit that changes anything: for answers whose
// dependencies are not known one by one, such as those of views.
const AllTag Tag = 0
