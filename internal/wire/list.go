package wire

import "strconv"

const listHead = `{"items":[`

// OpenList begins the envelope of a page of items; the items follow, with
// commas between them, and [CloseList].
func OpenList(dst []byte) []byte { return append(dst, listHead...) }

// CloseList ends the envelope. total is -1 if nobody counted.
func CloseList(dst []byte, page, perPage, total int) []byte {
	pages := -1
	if total >= 0 {
		pages = (total + perPage - 1) / perPage
	}
	dst = strconv.AppendInt(append(dst, `],"page":`...), int64(page), 10)
	dst = strconv.AppendInt(append(dst, `,"perPage":`...), int64(perPage), 10)
	dst = strconv.AppendInt(append(dst, `,"totalItems":`...), int64(total), 10)
	dst = strconv.AppendInt(append(dst, `,"totalPages":`...), int64(pages), 10)
	return append(dst, '}')
}
