package sqlite

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pandobase/pando/internal/store"
)

// Backup writes the database as of one snapshot to w, page by page: no second
// copy on disk, and no more memory than a page. Writers go on; but the log
// cannot be taken back into the file until w has taken everything, so w should
// be about as fast as a disk.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	return s.Read(ctx, func(r store.Reader) error {
		snapshot := r.(*reader)
		if err := snapshot.use(ctx); err != nil {
			return err
		}
		snapshot.c.began = time.Time{} // as long as it takes
		err := snapshot.c.each("SELECT data FROM sqlite_dbpage ORDER BY pgno", func(q *stmt) error {
			_, err := w.Write(q.rawBlob(0))
			return err
		})
		if err != nil {
			return fmt.Errorf("backup: %w", unavailable(err))
		}
		return nil
	})
}
